/** What a failed request tells about itself. */
export interface Facts {
  readonly name: string;
  readonly message: string;
  readonly status: number | undefined;
  /** Node's code of a network or TLS fault. */
  readonly code: string | undefined;
  /** The region the store says the bucket lies in. */
  readonly region: string | undefined;
  /** Where a redirect points. */
  readonly location: string | undefined;
  readonly isBusy: boolean;
  /** Busy with too many requests at once: it was not done, and fewer of them help. */
  readonly isThrottled: boolean;
  readonly isExpired: boolean;
  readonly isUnknownKey: boolean;
}

const unreachableCodes = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "EADDRNOTAVAIL",
]);
const brokenConnectionCodes = new Set(["ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE", "ECONNABORTED"]);
const wrongKeyNames = new Set(["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "TokenRefreshRequired"]);
const expiredNames = new Set(["ExpiredToken", "ExpiredTokenException", "RequestExpired"]);
/** Those of KMS come through S3 under either name, with status 400. */
const throttledNames = new Set([
  "SlowDown",
  "SlowDownRead",
  "SlowDownWrite",
  "ServiceUnavailable",
  "Throttling",
  "ThrottlingException",
  "KMS.ThrottlingException",
  "KMSThrottlingException",
  "TooManyRequestsException",
  "RequestLimitExceeded",
]);
const busyNames = new Set(["RequestTimeout", "InternalError", "OperationAborted"]);

/** Reads an SDK or network error without trusting its shape: error bodies differ between stores. */
export function factsOf(error: unknown): Facts {
  const record = asRecord(error);
  const metadata = asRecord(record.$metadata);
  const headers = asRecord(asRecord(record.$response).headers);
  const [first] = Array.isArray(record.errors) ? record.errors : [];
  const code = text(record.code) ?? text(asRecord(record.cause).code) ?? text(asRecord(first).code);
  const message = text(record.message) ?? "";
  const status = typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
  const expected = /expecting '([a-z0-9-]+)'/.exec(message)?.[1];
  const region = text(headers["x-amz-bucket-region"]) ?? text(record.Region) ?? expected;
  // SDK errors carry their name twice; `Code` is the one the store sent
  const isNetworkCode = code !== undefined && /^(E[A-Z]+|ERR_|CERT_|DEPTH_|SELF_|UNABLE_|HPE_)/.test(code);
  const name = text(record.name) ?? "Error";
  const isThrottled = throttledNames.has(name) || status === 429 || status === 503;
  return {
    name,
    message: message === "" || message === "UnknownError" ? `HTTP ${status ?? "status unknown"}` : message,
    status,
    code: isNetworkCode ? code : undefined,
    region,
    location: originOf(text(headers.location)),
    isBusy: isThrottled || busyNames.has(name) || (status !== undefined && status >= 500),
    isThrottled,
    isExpired: expiredNames.has(name),
    isUnknownKey: wrongKeyNames.has(name),
  };
}

/** Without path and query, which may repeat the signature of the request. */
function originOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).origin : undefined;
}

/** Whether nobody answered at all. */
export function isUnreachable({ name, message, code }: Facts): boolean {
  const connectTimeout = name === "TimeoutError" && /without establishing a connection/.test(message);
  return (code !== undefined && unreachableCodes.has(code)) || connectTimeout;
}

/** Whether a connection broke that had been made. */
export function isBroken({ name, message, code }: Facts): boolean {
  return (code !== undefined && brokenConnectionCodes.has(code)) || name === "TimeoutError" || message === "aborted";
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
