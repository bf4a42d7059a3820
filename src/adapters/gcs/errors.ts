import { PipelineError } from "../../core/execution/errors.ts";
import { factsOf, isBroken, isUnreachable } from "../s3/faults.ts";

/** What a request to Google Cloud Storage was about, for the message of its error. Holds no secret. */
export interface GcsRequest {
  readonly bucket: string;
  /** Where its name is written, for messages: `minio.bucketName of environment prod`. */
  readonly bucketKey?: string | undefined;
  /** `storage.googleapis.com:443` */
  readonly address: string;
  readonly signer: string;
  readonly permission:
    | "storage.objects.get"
    | "storage.objects.create"
    | "storage.objects.delete"
    | "storage.objects.list";
  readonly key?: string | undefined;
}

/** The HTTP status of a refusal; undefined for what never got an answer. */
export function gcsStatus(error: unknown): number | undefined {
  const { code, status, response } = asRecord(error);
  return [code, status, asRecord(response).status, Number(code)].find(
    (value): value is number => typeof value === "number" && value >= 300 && value < 600,
  );
}

/** Tells the faults of requests to Google Cloud Storage apart; what is a PipelineError already stays what it is. */
export function gcsError(error: unknown, request: GcsRequest): PipelineError {
  if (error instanceof PipelineError) return error;
  const { bucket, bucketKey, address, signer, permission, key } = request;
  const facts = factsOf(error);
  const status = gcsStatus(error);
  const [firstLine = ""] = facts.message.split("\n", 1);
  const at = `bucket ${bucket} at ${address}`;
  const on = key === undefined ? at : `${key} in ${at}`;
  const reason = status === undefined ? (facts.code ?? facts.name) : `HTTP ${status}`;
  // the client's own error holds the request, and with it what it was signed with
  const options = {
    details: { bucket, address, reason, ...(key === undefined ? {} : { key }) },
    cause: new Error(`${reason}: ${firstLine}`),
  };
  if (status === undefined) {
    if (/invalid_grant|invalid_client|DECODER|PEM|private key|No key or keyFile/i.test(facts.message)) {
      return new PipelineError(
        "StoreAccessDenied",
        `${at}: Google does not take the key of ${signer}: make a new one and name its file in gcpCredentialJSON (or backupGcpCredentialJSON)`,
        options,
      );
    }
    if (facts.code !== undefined && /SSL|TLS|CERT|EPROTO|UNABLE_TO/.test(facts.code)) {
      return new PipelineError(
        "StoreUnreachable",
        `no TLS connection to the object store at ${address} (${facts.code}): check address, port and useSSL`,
        options,
      );
    }
    if (isUnreachable(facts)) {
      return new PipelineError(
        "StoreUnreachable",
        `the object store at ${address} cannot be reached (${facts.code ?? "timeout"}): check address, port and useSSL, and that it is ` +
          "reachable from where this runs",
        options,
      );
    }
    if (isBroken(facts) || facts.code !== undefined) {
      return new PipelineError("StoreBusy", `the connection to ${address} broke (${reason}): ${on}`, options);
    }
    return new PipelineError("StoreFailed", `${permission} on ${on} failed: ${firstLine}`, options);
  }
  if (status === 401 || status === 403) {
    return new PipelineError(
      "StoreAccessDenied",
      `${signer} is not allowed ${permission} on ${on}: grant it, as roles/storage.objectAdmin on the bucket does (${firstLine})`,
      options,
    );
  }
  if (status === 404 && (key === undefined || /specified bucket does not exist/i.test(facts.message))) {
    return new PipelineError(
      "BucketNotFound",
      `bucket ${bucket} does not exist at ${address}: create it, or correct ${bucketKey ?? "the bucket name"}`,
      options,
    );
  }
  if (status === 404) return new PipelineError("ObjectNotFound", `${on} does not exist`, options);
  if (status === 412 || status === 416) {
    return new PipelineError("ObjectNotFound", `${on} was replaced while it was read`, options);
  }
  if (status === 408 || status === 429 || status >= 500) {
    return new PipelineError("StoreBusy", `${at} is busy (${reason}): ${firstLine}`, options);
  }
  return new PipelineError("StoreFailed", `${permission} on ${on} failed: ${reason}: ${firstLine}`, options);
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
