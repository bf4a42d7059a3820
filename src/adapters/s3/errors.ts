import { PipelineError } from "../../core/errors.ts";

/** What an S3 request was about, for the message of its error. Holds no secret. */
export interface S3Request {
  readonly bucket: string;
  /** `127.0.0.1:9000` */
  readonly address: string;
  /** Who signed: `access key ...min1`, `role arn:...`. */
  readonly signer: string;
  /** The permission it needs: `s3:GetObject`. */
  readonly action: string;
  readonly key?: string | undefined;
}

const wrongRegionNames = new Set([
  "PermanentRedirect",
  "TemporaryRedirect",
  "Redirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
  "InvalidRegion",
]);

/** Tells the faults of S3 requests apart, once for the whole pipeline; what is a PipelineError already stays what it is. */
export function s3Error(error: unknown, request: S3Request): PipelineError {
  if (error instanceof PipelineError) return error;
  const { name, message, status, code, region, location } = facts(error);
  const { bucket, address, signer, action, key } = request;
  const details = { bucket, address, action, ...(key === undefined ? {} : { key }), reason: name };
  const at = `bucket ${bucket} at ${address}`;
  const on = key === undefined ? at : `${key} in ${at}`;
  const cause = error;

  if (code !== undefined && /SSL|TLS|CERT|EPROTO/.test(code)) {
    return new PipelineError(
      "StoreUnreachable",
      `no TLS connection to the object store at ${address} (${code}): check useSSL, the port and the certificate of the store`,
      { details, cause },
    );
  }
  const connectTimeout = name === "TimeoutError" && /without establishing a connection/.test(message);
  if ((code !== undefined && unreachableCodes.has(code)) || connectTimeout) {
    return new PipelineError(
      "StoreUnreachable",
      `the object store at ${address} cannot be reached (${code ?? "timeout"}): check address, port and useSSL, and that it is ` +
        "reachable from where this runs",
      { details, cause },
    );
  }
  if ((code !== undefined && brokenConnectionCodes.has(code)) || name === "TimeoutError" || message === "aborted") {
    return new PipelineError("StoreBusy", `the connection to ${address} broke during ${action} on ${on}`, {
      details,
      cause,
    });
  }
  if (name === "NoSuchBucket") {
    return new PipelineError(
      "BucketNotFound",
      `bucket ${bucket} does not exist at ${address}: create it, or correct the bucket name`,
      { details, cause },
    );
  }
  if (name === "CredentialsProviderError") {
    return new PipelineError(
      "StoreAccessDenied",
      `no credentials for ${at}: give access keys in the environment, or run where a role is available (${message})`,
      { details, cause },
    );
  }
  if (expiredNames.has(name)) {
    return new PipelineError("StoreAccessDenied", `${at}: the session token of ${signer} has expired: renew it`, {
      details,
      cause,
    });
  }
  if (wrongKeyNames.has(name)) {
    const what = name === "SignatureDoesNotMatch" ? "the secret key does not belong to" : "the store does not know";
    return new PipelineError("StoreAccessDenied", `${at}: ${what} ${signer} (${name}): correct the credentials`, {
      details,
      cause,
    });
  }
  if (wrongRegionNames.has(name) || (status === 301 && region !== undefined)) {
    const lies = region === undefined ? "in another region" : `in region ${region}`;
    return new PipelineError(
      "StoreFailed",
      `${at} answers that it lies ${lies} (${name}): set region (or backupRegion) and the address to match`,
      { details: region === undefined ? details : { ...details, region }, cause },
    );
  }
  if (status !== undefined && status >= 300 && status < 400 && status !== 304) {
    const target = location === undefined ? "" : ` to ${location}`;
    return new PipelineError(
      "StoreFailed",
      `${at} answers with a redirect${target} (HTTP ${status}), which is not followed: set address, port, useSSL and region to the store itself`,
      { details, cause },
    );
  }
  if (status === 403 || name === "AccessDenied" || name === "AllAccessDisabled") {
    return new PipelineError("StoreAccessDenied", accessDenied(request, on, message), { details, cause });
  }
  if (name === "NoSuchKey" || (status === 404 && key !== undefined)) {
    return new PipelineError("ObjectNotFound", `${on} does not exist`, { details, cause });
  }
  if (name === "PreconditionFailed" || status === 412) {
    return new PipelineError("ObjectNotFound", `${on} was replaced while it was read`, { details, cause });
  }
  if (busyNames.has(name) || status === 429 || (status !== undefined && status >= 500)) {
    return new PipelineError("StoreBusy", `${at} is busy (${name}) on ${action}: ${message}`, { details, cause });
  }
  if (status === 404) {
    return new PipelineError(
      "StoreFailed",
      `${at}: what answers there is no object store (HTTP 404 without an S3 error): check address and port`,
      { details, cause },
    );
  }
  return new PipelineError("StoreFailed", `${action} on ${on} failed: ${name}: ${message}`, { details, cause });
}

function accessDenied(request: S3Request, on: string, message: string): string {
  const { signer, action, bucket } = request;
  if (/sts:AssumeRole/.test(message)) {
    return `${signer} cannot be assumed: its trust policy must allow the pipeline's role (and its external ID), and the pipeline's role sts:AssumeRole on it (${message})`;
  }
  const kms = /kms:[A-Za-z]+/.exec(message)?.[0];
  if (kms !== undefined)
    return `${signer} may not use the KMS key of bucket ${bucket}: grant ${kms} on it (${message})`;
  const resource = action === "s3:ListBucket" ? `arn:aws:s3:::${bucket}` : `arn:aws:s3:::${bucket}/*`;
  return `${signer} is not allowed ${action} on ${on}: grant ${action} on ${resource} (${message})`;
}

