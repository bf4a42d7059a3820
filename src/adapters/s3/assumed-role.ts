import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import type { StorageCredentials } from "../../core/environment/environment.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { factsOf, isUnreachable } from "./faults.ts";

type Role = Extract<StorageCredentials, { kind: "iam" }>;

/**
 * Credentials of a role, assumed with those of whoever runs this (a Lambda's role). They are renewed before they expire.
 * The provider throws StoreAccessDenied, naming the statement that is missing, and StoreUnreachable or StoreBusy for STS itself.
 * @param region whose STS is asked where no iamEndpoint is given
 */
export function assumedRole(role: Role, region: string): ReturnType<typeof fromTemporaryCredentials> {
  const assume = fromTemporaryCredentials({
    params: {
      RoleArn: role.roleArn,
      RoleSessionName: "milvus-backup",
      ...(role.externalId === "" ? {} : { ExternalId: role.externalId }),
    },
    clientConfig: { region, ...(role.iamEndpoint === "" ? {} : { endpoint: role.iamEndpoint }) },
  });
  return async (options) => {
    try {
      return await assume(options);
    } catch (error) {
      throw roleError(error, role, region);
    }
  };
}

/** Tells why a role could not be assumed. Never repeats the external ID. */
function roleError(error: unknown, role: Role, region: string): PipelineError {
  if (error instanceof PipelineError) return error;
  const facts = factsOf(error);
  const { roleArn } = role;
  const sts = role.iamEndpoint || `the STS of region ${region}`;
  const details = { roleArn, action: "sts:AssumeRole", reason: facts.name };
  const cause = error;
  if (isUnreachable(facts)) {
    return new PipelineError(
      "StoreUnreachable",
      `role ${roleArn} cannot be assumed: ${sts} cannot be reached (${facts.code ?? "timeout"}): check iamEndpoint (or ` +
        "backupIamEndpoint), and that STS is reachable from where this runs (a VPC needs an endpoint for it)",
      { details, cause },
    );
  }
  if (facts.name === "CredentialsProviderError") {
    return new PipelineError(
      "StoreAccessDenied",
      `role ${roleArn} cannot be assumed: there are no credentials to assume it with (${facts.message}): run where a role is ` +
        "available, as in the pipeline's functions, or set the keys of whoever may assume it",
      { details, cause },
    );
  }
  if (facts.isBusy) {
    return new PipelineError("StoreBusy", `role ${roleArn} cannot be assumed now: ${sts} is busy (${facts.name})`, {
      details,
      cause,
    });
  }
  if (facts.status !== 403) {
    const reason = `role ${roleArn} cannot be assumed through ${sts}: ${facts.name}: ${facts.message}`;
    return new PipelineError("StoreAccessDenied", `${reason}: check roleArn (or backupRoleArn)`, { details, cause });
  }
  if (facts.isExpired || facts.isUnknownKey) {
    return new PipelineError(
      "StoreAccessDenied",
      `role ${roleArn} cannot be assumed: ${sts} does not take the credentials of whoever runs this (${facts.name}: ${facts.message})`,
      { details, cause },
    );
  }
  const principal = principalOf(facts.message);
  const condition =
    role.externalId === ""
      ? "without a condition on sts:ExternalId, since the environment has no externalId"
      : "with sts:ExternalId equal to the environment's externalId, where it has that condition";
  return new PipelineError(
    "StoreAccessDenied",
    `role ${roleArn} cannot be assumed by ${principal ?? "the role that runs this"}: its trust policy must allow sts:AssumeRole to ` +
      `${principal === undefined ? "that role" : `principal ${principal}`} (${condition}), and that principal's own policy must allow ` +
      `sts:AssumeRole on ${roleArn} (roleArns in pipeline.yaml, where the pipeline is deployed). The answer was: ${facts.message}`,
    { details: { ...details, ...(principal === undefined ? {} : { principal }) }, cause },
  );
}

/**
 * Who was refused, as a trust policy names it: a session of a role is that role. Its name is all that a session tells of it; in a function
 * the deployment tells the path.
 */
function principalOf(message: string): string | undefined {
  const arn = /(?:User|Principal): (arn:[^\s,]+)/.exec(message)?.[1];
  const session = /^arn:([^:]+):sts::(\d+):assumed-role\/(.+)\/[^/]+$/.exec(arn ?? "");
  return session === null
    ? arn
    : `arn:${session[1]}:iam::${session[2]}:role${process.env.ROLE_PATH ?? "/"}${session[3]}`;
}
