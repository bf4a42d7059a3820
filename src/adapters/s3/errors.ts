import { PipelineError } from "../../core/execution/errors.ts";
import { type Facts, factsOf, isBroken, isUnreachable } from "./faults.ts";

/** What an S3 request was about, for the message of its error. Holds no secret. */
export interface S3Request {
  readonly bucket: string;
  /** Where its name is written, for messages: `minio.bucketName of environment prod`. */
  readonly bucketKey?: string | undefined;
  /** `127.0.0.1:9000` */
  readonly address: string;
  /** Who signed: `access key ...min1`, `role arn:...`. */
  readonly signer: string;
  /** The region it was signed for. */
  readonly region?: string;
  /** The permission it needs: `s3:GetObject`. */
  readonly action: string;
  readonly key?: string | undefined;
  /** What was listed, where that is what was asked. */
  readonly prefix?: string | undefined;
  /** Below what this bucket is used (`backup/`): a grant need not reach further. */
  readonly scope?: string | undefined;
  /** Bucket and key that a server-side copy reads, with the signer's permission. */
  readonly copySource?:
    | { readonly bucket: string; readonly key: string; readonly owner?: string | undefined }
    | undefined;
  /** The account that the request said must own the bucket. */
  readonly owner?: string | undefined;
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
  const facts = factsOf(error);
  const { name, message, status, code } = facts;
  const { bucket, bucketKey, address, signer, action, key } = request;
  const details = { bucket, address, action, ...(key === undefined ? {} : { key }), reason: name };
  const at = `bucket ${bucket} at ${address}`;
  const on = key === undefined ? at : `${key} in ${at}`;
  const cause = error;

  if (code !== undefined && /SSL|TLS|CERT|EPROTO|UNABLE_TO/.test(code)) {
    return new PipelineError(
      "StoreUnreachable",
      `no TLS connection to the object store at ${address} (${code}): check useSSL, the port and the certificate of the store ` +
        "(caCertPath or backupCaCertPath names a private authority's)",
      { details, cause },
    );
  }
  if (isUnreachable(facts)) {
    return new PipelineError(
      "StoreUnreachable",
      `the object store at ${address} cannot be reached (${code ?? "timeout"}): check address, port and useSSL, and that it is ` +
        "reachable from where this runs",
      { details, cause },
    );
  }
  if (isBroken(facts)) {
    return new PipelineError("StoreBusy", `the connection to ${address} broke during ${action} on ${on}`, {
      details,
      cause,
    });
  }
  if (name === "NoSuchBucket") {
    return new PipelineError(
      "BucketNotFound",
      `bucket ${bucket} does not exist at ${address}: create it, or correct ${bucketKey ?? "the bucket name"}`,
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
  if (facts.isExpired) {
    return new PipelineError("StoreAccessDenied", `${at}: the session token of ${signer} has expired: renew it`, {
      details,
      cause,
    });
  }
  if (facts.isUnknownKey) {
    const what = name === "SignatureDoesNotMatch" ? "the secret key does not belong to" : "the store does not know";
    return new PipelineError("StoreAccessDenied", `${at}: ${what} ${signer} (${name}): correct the credentials`, {
      details,
      cause,
    });
  }
  if (name === "RequestTimeTooSkewed") {
    return new PipelineError("StoreFailed", `${at}: its clock and the one of where this runs differ: set them right`, {
      details,
      cause,
    });
  }
  if (isElsewhere(facts)) return elsewhere(facts, request, details, cause);
  // a 403 too
  if (name === "InvalidObjectState") return archived(request, "is in an archive", { details, cause });
  if (status === 403 || name === "AccessDenied" || name === "AllAccessDisabled") {
    const more = { ...details, ...denialOf(request, message) };
    return new PipelineError("StoreAccessDenied", accessDenied(request, on, message), { details: more, cause });
  }
  // No object is missing: a second run of the same step, or of another execution that writes the same, ends what it takes for abandoned.
  if (name === "NoSuchUpload") {
    return new PipelineError(
      "StoreBusy",
      `the upload of ${on} was ended by somebody else, as another run of the same step does; it is to be written again`,
      { details, cause },
    );
  }
  if (name === "NoSuchKey" || (status === 404 && key !== undefined)) {
    return new PipelineError("ObjectNotFound", `${on} does not exist`, { details, cause });
  }
  if (name === "PreconditionFailed" || status === 412) {
    return new PipelineError("ObjectNotFound", `${on} was replaced while it was read`, { details, cause });
  }
  if (facts.isBusy) {
    const more = { ...details, ...(facts.isThrottled && { throttled: true }) };
    return new PipelineError("StoreBusy", `${at} is busy (${name}) on ${action}: ${message}`, { details: more, cause });
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

/** A HEAD has no body: in another region it is refused with a bare 400 and a header that names the bucket's region. */
function isElsewhere({ name, status, region }: Facts): boolean {
  const redirected = status !== undefined && status >= 300 && status < 400 && status !== 304;
  return wrongRegionNames.has(name) || redirected || (status === 400 && region !== undefined);
}

function elsewhere(
  { name, region, location, status }: Facts,
  request: S3Request,
  details: PipelineError["details"],
  cause: unknown,
): PipelineError {
  const { bucket, address } = request;
  const signed = request.region === undefined ? "" : `, and the request was signed for region ${request.region}`;
  const more = { ...details, ...(region === undefined ? {} : { region }) };
  if (region === undefined && !wrongRegionNames.has(name)) {
    const target = location === undefined ? "" : ` to ${location}`;
    return new PipelineError(
      "StoreFailed",
      `bucket ${bucket} at ${address} answers with a redirect${target} (HTTP ${status ?? "?"}), which is not followed: set address, ` +
        "port, useSSL and region (or those of backup) to the store itself",
      { details: more, cause },
    );
  }
  const lies = region === undefined ? "in another region" : `in region ${region}`;
  const set = region === undefined ? "the bucket's own" : region;
  const host = address.includes("amazonaws.com") && region !== undefined ? ` (s3.${region}.amazonaws.com)` : "";
  return new PipelineError(
    "StoreFailed",
    `bucket ${bucket} at ${address} answers that it lies ${lies} (${name})${signed}: set region (or backupRegion) to ${set} and ` +
      `address (or backupAddress)${host} to match`,
    { details: more, cause },
  );
}

/** What was denied, for who looks for the statement that is missing. */
function denialOf({ copySource }: S3Request, message: string) {
  const kmsAction = /kms:[A-Za-z]+/.exec(message)?.[0];
  const kmsKey = keyIn(message);
  return {
    denied: true,
    ...(copySource !== undefined && { copy: true }),
    ...(kmsAction !== undefined && { kmsAction }),
    ...(kmsAction !== undefined && kmsKey !== undefined && { kmsKey }),
  };
}

function keyIn(message: string): string | undefined {
  return /arn:[a-z-]+:kms:[^\s,;()]+/.exec(message)?.[0];
}

function accessDenied(request: S3Request, on: string, message: string): string {
  const { signer, action, bucket, copySource } = request;
  if (copySource !== undefined && /VPC endpoint.*cross-region/i.test(message)) {
    return (
      `${on} cannot be copied from bucket ${copySource.bucket}, which lies in another region: the VPC endpoint that the request took copies ` +
      `nothing between regions. Set copyMode to auto or streamed (${message})`
    );
  }
  const kms = /kms:[A-Za-z]+/.exec(message)?.[0];
  if (kms !== undefined) {
    const key = keyIn(message);
    return (
      `${signer} may not use the KMS key${key === undefined ? "" : ` ${key}`} of bucket ${bucket}: grant ${kms} on it, in the policy of ` +
      `the key and of the role (kmsKeyArns in pipeline.yaml grants it to the pipeline's own roles) (${message})`
    );
  }
  const grants = [grantOf(request)];
  if (copySource !== undefined) grants.push(`s3:GetObject on arn:aws:s3:::${copySource.bucket}/*`);
  return `${signer} is not allowed ${action} on ${on}: grant ${grants.join(" and ")}${orAnotherOwner(request)} (${message})`;
}

/** S3 answers a missing grant and another owner alike: what a request said of owners is told with either. */
function orAnotherOwner({ bucket, owner, copySource }: S3Request): string {
  const said = [{ bucket, owner }, ...(copySource === undefined ? [] : [copySource])].flatMap((one) =>
    one.owner === undefined ? [] : [`bucket ${one.bucket} does not belong to account ${one.owner}`],
  );
  if (said.length === 0) return "";
  return `. Where that is granted, ${said.join(" or ")}, which the environment expects: it is somebody else's bucket of that name, or correct bucketOwner (or backupBucketOwner)`;
}

/** The narrowest statement that lets such requests pass. */
function grantOf({ action, bucket, key, prefix, scope }: S3Request): string {
  const arn = `arn:aws:s3:::${bucket}`;
  if (action === "s3:ListBucket") {
    const within = narrowest(prefix, scope);
    return `s3:ListBucket on ${arn}${within === "" ? "" : ` with s3:prefix like ${within}*`}`;
  }
  return /^s3:(?:GetBucket|ListBucket)/.test(action)
    ? `${action} on ${arn}`
    : `${action} on ${arn}/${narrowest(key, scope)}*`;
}

/**
 * An object that has to be restored out of an archive before anybody can read it.
 * @param state what becomes of it now: `is in DEEP_ARCHIVE`
 */
export function archived(
  { bucket, address, key = "" }: Pick<S3Request, "bucket" | "address" | "key">,
  state: string,
  options: { details?: PipelineError["details"]; cause?: unknown } = {},
): PipelineError {
  const logs = key.search(/(?:insert|delta)_log\//);
  const directory = key.slice(0, logs < 0 ? key.lastIndexOf("/") + 1 : logs);
  return new PipelineError(
    "ObjectArchived",
    `${key} in bucket ${bucket} at ${address} ${state}: it has to be restored before it can be read, and so has what lies beside it below ` +
      `${directory || "it"}. For each key: aws s3api restore-object --bucket ${bucket} --key ${key} --restore-request Days=7 (3 to 5 hours from ` +
      "GLACIER, 12 from DEEP_ARCHIVE; docs/locked-backups.md has the command for all of them). Then start the same command again",
    options,
  );
}

/** What a store is used below, where that covers what was asked; otherwise what was listed. */
function narrowest(asked: string | undefined, scope: string | undefined): string {
  if (scope !== undefined && scope !== "" && (asked ?? "").startsWith(scope)) return scope;
  return asked?.endsWith("/") ? asked : "";
}
