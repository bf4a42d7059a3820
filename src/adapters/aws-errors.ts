import { PipelineError } from "../core/execution/errors.ts";
import { factsOf, isBroken, isUnreachable } from "./s3/faults.ts";

/** What a request to an AWS service was about, for the message of its error. */
export interface AwsRequest {
  /** The permission it needs: `states:StartExecution`. */
  readonly action: string;
  /** What it was about: `execution nightly of Step Functions`. */
  readonly subject: string;
}

const deniedNames = new Set(["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"]);
const notSignedNames = new Set([
  "CredentialsProviderError",
  "UnrecognizedClientException",
  "InvalidSignatureException",
]);

/**
 * Tells the faults of requests to AWS services apart, in the words of object stores: what may succeed later is `StoreBusy`. Names are those
 * of the common errors in the services' API references.
 */
export function awsError(error: unknown, { action, subject: at }: AwsRequest): PipelineError {
  if (error instanceof PipelineError) return error;
  const facts = factsOf(error);
  const { name, message, code } = facts;
  const options = { details: { subject: at, action, reason: name }, cause: error };
  if (isUnreachable(facts)) {
    const why = `(${code ?? "timeout"}): check that it is reachable from where this runs (in a VPC it needs an endpoint or a NAT gateway)`;
    return new PipelineError("StoreUnreachable", `${at} cannot be reached ${why}`, options);
  }
  if (isBroken(facts)) return new PipelineError("StoreBusy", `the connection broke during ${action} on ${at}`, options);
  if (notSignedNames.has(name) || facts.isExpired || facts.isUnknownKey) {
    const what = `AWS does not accept the credentials of whoever runs this (${name}): renew them`;
    return new PipelineError("StoreAccessDenied", `${at} cannot be used with ${action}: ${what}`, options);
  }
  if (deniedNames.has(name)) {
    return new PipelineError("StoreAccessDenied", `not allowed ${action} on ${at}: grant it (${message})`, options);
  }
  if (facts.isBusy) return new PipelineError("StoreBusy", `${at} is busy (${name}) on ${action}: ${message}`, options);
  return new PipelineError("StoreFailed", `${action} on ${at} failed: ${name}: ${message}`, options);
}
