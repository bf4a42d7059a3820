import { PipelineError } from "../core/execution/errors.ts";
import { factsOf, isBroken, isUnreachable } from "./s3/faults.ts";

/** What a request to Secrets Manager was about, for the message of its error. */
export interface SecretsRequest {
  /** The permission it needs: `secretsmanager:GetSecretValue`. */
  readonly action: string;
  /** Name of the secret: `milvus-backup/MilvusBackup/environments/prod`. */
  readonly secret: string;
}

const deniedNames = new Set(["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"]);
const notSignedNames = new Set([
  "CredentialsProviderError",
  "UnrecognizedClientException",
  "InvalidSignatureException",
]);

/**
 * Tells the faults of requests to Secrets Manager apart, in the words of object stores: what may succeed later is `StoreBusy`. Error
 * names are those of the API reference of Secrets Manager (GetSecretValue, CreateSecret) and of its common errors.
 */
export function secretsError(error: unknown, { action, secret }: SecretsRequest): PipelineError {
  if (error instanceof PipelineError) return error;
  const facts = factsOf(error);
  const { name, message, code } = facts;
  const options = { details: { secret, action, reason: name }, cause: error };
  const at = `secret ${secret} in Secrets Manager`;
  if (isUnreachable(facts)) {
    const why = `(${code ?? "timeout"}): check that it is reachable from where this runs (in a VPC it needs an endpoint or a NAT gateway)`;
    return new PipelineError("StoreUnreachable", `${at} cannot be reached ${why}`, options);
  }
  if (isBroken(facts)) return new PipelineError("StoreBusy", `the connection broke during ${action} on ${at}`, options);
  if (notSignedNames.has(name) || facts.isExpired || facts.isUnknownKey) {
    const what = `AWS does not accept the credentials of whoever runs this (${name}): renew them`;
    return new PipelineError("StoreAccessDenied", `${at} cannot be used with ${action}: ${what}`, options);
  }
  if (name === "DecryptionFailure" || name === "EncryptionFailure" || /kms:[A-Za-z]+/.test(message)) {
    const what =
      "grant kms:Decrypt (to register it also kms:GenerateDataKey) on the secret's KMS key, and look whether the key is enabled";
    return new PipelineError(
      "StoreAccessDenied",
      `${at} cannot be used with its KMS key: ${what} (${message})`,
      options,
    );
  }
  if (deniedNames.has(name)) {
    return new PipelineError("StoreAccessDenied", `not allowed ${action} on ${at}: grant it (${message})`, options);
  }
  if (facts.isBusy) return new PipelineError("StoreBusy", `${at} is busy (${name}) on ${action}: ${message}`, options);
  if (name === "InvalidRequestException" && /deletion/.test(message)) {
    const what = `bring it back (aws secretsmanager restore-secret --secret-id ${secret}), or delete it without a recovery window`;
    return new PipelineError("StoreFailed", `${at} is marked for deletion: ${what}`, options);
  }
  return new PipelineError("StoreFailed", `${action} on ${at} failed: ${name}: ${message}`, options);
}
