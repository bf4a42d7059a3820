import { PipelineError } from "../core/execution/errors.ts";
import { awsError } from "./aws-errors.ts";
import { factsOf, isBroken, isUnreachable } from "./s3/faults.ts";

/** What a request to Secrets Manager was about, for the message of its error. */
interface SecretsRequest {
  /** The permission it needs: `secretsmanager:GetSecretValue`. */
  readonly action: string;
  /** Name of the secret: `milvus-backup/MilvusBackup/environments/prod`. */
  readonly secret: string;
}

/** Whether a secret answers so because somebody deleted it and it can still be brought back; a new one of its name is refused with it as well. */
export function isBeingDeleted(error: unknown): boolean {
  const { name, message } = factsOf(error);
  return (
    name === "InvalidRequestException" && /marked deleted|(?<!not )(?:marked|scheduled) for deletion/.test(message)
  );
}

/** Whether a request to bring a secret back is refused because nobody deleted it, or because it is back already. */
export function isNotBeingDeleted(error: unknown): boolean {
  const { name, message } = factsOf(error);
  return name === "InvalidRequestException" && /not (?:marked|scheduled) for deletion/.test(message);
}

/**
 * Tells the faults of requests to Secrets Manager apart: those of its own, and what every service answers. Names are those of its API
 * reference (GetSecretValue, CreateSecret).
 */
export function secretsError(error: unknown, { action, secret }: SecretsRequest): PipelineError {
  if (error instanceof PipelineError) return error;
  const facts = factsOf(error);
  const { name, message } = facts;
  const options = { details: { secret, action, reason: name }, cause: error };
  const at = `secret ${secret} in Secrets Manager`;
  const answered = !isUnreachable(facts) && !isBroken(facts);
  if (answered && (name === "DecryptionFailure" || name === "EncryptionFailure" || /kms:[A-Za-z]+/.test(message))) {
    const what =
      "grant kms:Decrypt (to register it also kms:GenerateDataKey) on the secret's KMS key, and look whether the key is enabled";
    return new PipelineError(
      "StoreAccessDenied",
      `${at} cannot be used with its KMS key: ${what} (${message})`,
      options,
    );
  }
  if (isBeingDeleted(error)) {
    const what =
      `bring it back (milvus-backup env restore, or aws secretsmanager restore-secret --secret-id ${secret}); where it was just deleted for good, ` +
      "wait a minute";
    return new PipelineError("StoreFailed", `${at} is marked for deletion: ${what}`, options);
  }
  return awsError(error, { action, subject: at });
}
