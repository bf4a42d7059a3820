import { PipelineError } from "../../core/execution/errors.ts";
import { factsOf, isBroken, isUnreachable } from "../s3/faults.ts";

/** What a request to Azure was about, for the message of its error. Holds no secret. */
export interface AzureRequest {
  readonly container: string;
  /** Where its name is written, for messages: `minio.bucketName of environment prod`. */
  readonly bucketKey?: string | undefined;
  /** `account.blob.core.windows.net:443` */
  readonly address: string;
  readonly account: string;
  readonly signer: string;
  /** As a shared access signature names it. */
  readonly permission: "Read" | "Write" | "Delete" | "List";
  readonly key?: string | undefined;
}

/**
 * Codes of the service whose requests may pass later (Azure Blob Storage error codes, 2026). Staged blocks are gone where another run of the
 * same step wrote the blob meanwhile: they are to be staged again.
 */
const busyCodes = new Set(["ServerBusy", "InternalError", "OperationTimedOut", "InvalidBlockList"]);
const wrongKeyCodes = new Set(["AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"]);

/** The service's own code of a refusal: `BlobNotFound`; a HEAD has it in a header only. undefined for what never got an answer. */
export function azureCode(error: unknown): string | undefined {
  const { code, details, response } = asRecord(error);
  const header = asRecord(asRecord(response).headers).get;
  const named = typeof header === "function" ? header.call(asRecord(response).headers, "x-ms-error-code") : undefined;
  return [asRecord(details).errorCode, named, code].find(
    (value): value is string => typeof value === "string" && /^[A-Z][A-Za-z]+$/.test(value),
  );
}

export function azureStatus(error: unknown): number | undefined {
  const { statusCode } = asRecord(error);
  return typeof statusCode === "number" ? statusCode : undefined;
}

/** A conditional write that came too late: 412, or 409 where the blob is there already. */
export function lostRace(error: unknown): boolean {
  const code = azureCode(error);
  return azureStatus(error) === 412 || code === "BlobAlreadyExists" || code === "BlobNotFound";
}

/** Tells the faults of requests to Azure apart; what is a PipelineError already stays what it is. */
export function azureError(error: unknown, request: AzureRequest): PipelineError {
  if (error instanceof PipelineError) return error;
  const { container, bucketKey, address, account, signer, permission, key } = request;
  const facts = factsOf(error);
  const status = azureStatus(error);
  const code = azureCode(error) ?? (status === undefined ? facts.name : `HTTP ${status}`);
  const [firstLine = ""] = facts.message.split("\n", 1);
  const at = `container ${container} at ${address}`;
  const on = key === undefined ? at : `${key} in ${at}`;
  // the client's own error holds the request, and with it the signature
  const options = {
    details: { bucket: container, address, reason: code, ...(key === undefined ? {} : { key }) },
    cause: new Error(`${code}: ${firstLine}`),
  };
  if (status === undefined) {
    if (facts.code !== undefined && /SSL|TLS|CERT|EPROTO|UNABLE_TO/.test(facts.code)) {
      return new PipelineError(
        "StoreUnreachable",
        `no TLS connection to the object store at ${address} (${facts.code}): check useSSL, the port and the certificate of the store ` +
          "(caCertPath or backupCaCertPath names a private authority's)",
        options,
      );
    }
    if (isUnreachable(facts)) {
      return new PipelineError(
        "StoreUnreachable",
        `the object store at ${address} cannot be reached (${facts.code ?? "timeout"}): check address, port, useSSL and the account's ` +
          `name (accessKeyID is ${account}), and that it is reachable from where this runs`,
        options,
      );
    }
    if (isBroken(facts) || facts.code !== undefined || facts.name === "AbortError") {
      return new PipelineError("StoreBusy", `the connection to ${address} broke (${code}): ${on}`, options);
    }
    return new PipelineError("StoreFailed", `${permission} of ${on} failed: ${firstLine}`, options);
  }
  if (code === "ContainerNotFound" || code === "ContainerBeingDeleted") {
    return new PipelineError(
      "BucketNotFound",
      `container ${container} does not exist in account ${account} at ${address}: create it, or correct ${bucketKey ?? "the bucket name"}`,
      options,
    );
  }
  if (busyCodes.has(code) || status === 429 || status >= 500) {
    if (code === "NotImplemented" || status === 501) {
      return new PipelineError("StoreFailed", `${at}: ${permission} of ${on} is not implemented there`, options);
    }
    return new PipelineError("StoreBusy", `${at} is busy (${code}): ${firstLine}`, options);
  }
  if (wrongKeyCodes.has(code) || status === 401)
    return new PipelineError("StoreAccessDenied", wrongKey(request, error), options);
  if (status === 403) {
    const remedy = isSignature(signer)
      ? "it needs the permissions Read, Add, Create, Write, Delete and List on the container"
      : "secretAccessKey has to be the key of the account that accessKeyID names";
    return new PipelineError(
      "StoreAccessDenied",
      `${signer} is not allowed to ${permission.toLowerCase()} ${on} (${code}): ${remedy}, and a firewall of the account has to let the ` +
        "pipeline in",
      options,
    );
  }
  if (status === 404 && key !== undefined) return new PipelineError("ObjectNotFound", `${on} does not exist`, options);
  if (status === 412 || status === 416) {
    return new PipelineError("ObjectNotFound", `${on} was replaced while it was read`, options);
  }
  if (status === 404) {
    return new PipelineError(
      "StoreFailed",
      `${at}: what answers there is no blob storage of account ${account} (${code}): check address, port and accessKeyID`,
      options,
    );
  }
  return new PipelineError("StoreFailed", `${permission} of ${on} failed: ${code}: ${firstLine}`, options);
}

function wrongKey({ container, address, account, signer }: AzureRequest, error: unknown): string {
  const detail = String(asRecord(asRecord(error).details).authenticationErrorDetail ?? "");
  const at = `container ${container} at ${address}`;
  if (isSignature(signer)) {
    const why = /not valid|expired|expiry/i.test(detail)
      ? "it has expired, or is not valid yet"
      : "it has expired, or was not made for this account";
    return `${at}: ${signer} is refused: ${why}: give a new one in token (or backupToken)`;
  }
  return `${at}: ${signer} is refused: secretAccessKey is not the key of the account that accessKeyID names (${account})`;
}

function isSignature(signer: string): boolean {
  return signer.includes("signature");
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
