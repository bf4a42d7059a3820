import { type ErrorName, PipelineError } from "../../core/execution/errors.ts";
import type { WaitReason } from "../patience.ts";

/** What the messages need to know about the Milvus at the other end. */
export interface MilvusEndpoint {
  /** `host:port` */
  readonly address: string;
  readonly user: string;
  readonly environment: string;
}

/** Milvus's `common.Status`, and the `code` and `message` of a REST answer. */
export interface MilvusStatus {
  /** Old numbers (2.2), 0 for success. */
  readonly error_code: number;
  /** New numbers (2.3+), 0 for success. */
  readonly code: number;
  readonly reason: string;
  /** What the server itself says of it (2.4+, gRPC only). */
  readonly retriable?: boolean;
}

/** `error_code` of 2.2 and, for old clients, later. */
const legacyErrors: Readonly<Record<number, ErrorName>> = {
  4: "CollectionNotFound",
  28: "CollectionNotFound",
  49: "MilvusBusy", // RateLimit
  54: "MilvusFailed", // DiskQuotaExhausted: stays until somebody acts
  53: "MilvusBusy", // MemoryQuotaExhausted
  55: "MilvusBusy", // TimeTickLongDelay
  56: "MilvusBusy", // NotReadyServe
  57: "MilvusBusy", // NotReadyCoordActivating
  100: "MilvusBusy", // DataCoordNA
  1000: "MilvusBusy", // DDRequestRace
};

/** `code` of an answer about segments of which the server does not know one. */
const segmentNotFound = 600;

/** `code` of 2.3 and later, those that `merr` of 2.4 to 2.6 calls retriable among them. */
const errors: Readonly<Record<number, ErrorName>> = {
  1: "MilvusBusy", // service not ready
  2: "MilvusBusy", // service unavailable
  3: "MilvusBusy", // memory limit exceeded
  4: "MilvusBusy", // too many concurrent requests
  8: "MilvusBusy", // rate limit exceeded
  11: "MilvusBusy", // time tick long delay
  12: "MilvusBusy", // insufficient resources
  100: "CollectionNotFound",
  103: "MilvusBusy", // collection not fully loaded
  106: "MilvusBusy", // collection recovering
  202: "MilvusBusy", // partition not fully loaded
  [segmentNotFound]: "MilvusBusy", // compaction replaced one while the segments were listed
  1002: "MilvusBusy", // unexpected end of an object
  1003: "MilvusBusy", // the object store limits requests
  1400: "MilvusUnauthenticated",
  1401: "MilvusUnauthenticated", // privilege not permitted
  1800: "MilvusUnauthenticated", // REST: no or wrong credentials
  10000: "MilvusBusy", // canceled
  10001: "MilvusBusy", // timed out
};

/** What a server says, without a secret of the request that it may repeat. */
export function withoutSecret(text: string, secret: string | undefined): string {
  return secret ? text.replaceAll(secret, "***") : text;
}

/** Codes of "there is none" answers that a caller turns into an empty answer. */
export const absence = {
  /** 700 since 2.3, 25 before. */
  isIndexNotFound: (status: MilvusStatus) => status.code === 700 || (status.code === 0 && status.error_code === 25),
  /** Whether an error is the answer that a segment is not there (any more). */
  isSegmentNotFound: (error: unknown) => error instanceof PipelineError && error.details.code === segmentNotFound,
} as const;

export function isSuccess(status: MilvusStatus): boolean {
  return status.code === 0 && status.error_code === 0;
}

/** What a call is about, for messages. */
export interface CallSubject {
  /** The collection, `default.coll`, or another thing: `database shop`. */
  readonly subject?: string;
  /** The part of the subject: `index vec_hnsw on vec`. */
  readonly part?: string;
}

/** The error for an answer whose status is not success. */
export function statusError(
  endpoint: MilvusEndpoint,
  call: string,
  status: MilvusStatus,
  about: CallSubject = {},
): PipelineError {
  const { code, error_code: errorCode, reason } = status;
  const name = errorNameOf(status);
  const options = { details: { address: endpoint.address, call, code: code || errorCode } };
  const text = message(name, endpoint, call, reason, about);
  const wait = waitReasonOf(status);
  return wait === undefined ? new PipelineError(name, text, options) : new PassingError(wait, text, options);
}

function errorNameOf({ code, error_code: errorCode, reason, retriable }: MilvusStatus): ErrorName {
  return (
    (code === 0 ? legacyErrors[errorCode] : errors[code]) ??
    // some answers carry "unexpected error" (2.2, 2.3) or "importing data failed" (2.4+) and the truth in words only
    (retriable === true ||
    /rate limit|quota exceeded|too many requests|number of jobs has reached the limit/i.test(reason)
      ? "MilvusBusy"
      : /can't find collection|collection not (found|exist)/i.test(reason)
        ? "CollectionNotFound"
        : "MilvusFailed")
  );
}

/** What an answer that is not success is to be waited for; undefined where waiting does not help. */
export function waitReasonOf(status: MilvusStatus): WaitReason | undefined {
  if (errorNameOf(status) !== "MilvusBusy") return undefined;
  const { code, error_code: errorCode, reason } = status;
  if (code === 8 || (code === 0 && errorCode === 49) || /rate limit/i.test(reason)) return "rate";
  if (code === 10000 || code === 10001) return "outage";
  // not ready, or without its coordinators: as it is while it starts
  return code === 1 || code === 2 || (code === 0 && [56, 57, 100].includes(errorCode)) ? "outage" : "busy";
}

/** Codes by which a part of Milvus says that it had no answer of another part: unavailable, canceled, timed out. */
const withoutAnswer: readonly unknown[] = [2, 10_000, 10_001];

/**
 * The same in words, whatever the code: `merr` has none for faults of gRPC between the parts. Where the last of a part's attempts found nobody to talk
 * to, an earlier one may have.
 */
const partAway = /rpc error: code = (?:Unavailable|DeadlineExceeded|Canceled)/;

/** What gRPC and Node say of a connection that was never there: nothing was sent on it. */
const neverConnected = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/;

/**
 * Whether, after this error of a call that makes something, nobody knows whether it is made: no answer, or one that says no more than that
 * Milvus itself waits no longer. What it refuses is not made, nor what never reached it.
 */
export function mayHaveBegun(error: PipelineError): boolean {
  if (error.name !== "MilvusBusy" && error.name !== "MilvusFailed") return false;
  const { code } = error.details;
  if (code !== undefined) return withoutAnswer.includes(code) || partAway.test(error.message);
  const isLimited = error instanceof PassingError && error.wait === "rate";
  return !isLimited && !neverConnected.test(error.message);
}

/** A MilvusBusy that says why it is worth waiting for. */
export class PassingError extends PipelineError {
  readonly wait: WaitReason;

  constructor(wait: WaitReason, text: string, options: ConstructorParameters<typeof PipelineError>[2]) {
    super("MilvusBusy", text, options);
    this.wait = wait;
  }
}

function message(
  name: ErrorName,
  endpoint: MilvusEndpoint,
  call: string,
  reason: string,
  { subject = "", part = "" }: CallSubject,
): string {
  const whole = part && subject ? `${part} of ${subject}` : subject;
  const about = whole ? ` (${whole})` : "";
  switch (name) {
    case "CollectionNotFound":
      return `collection ${subject} does not exist in Milvus at ${endpoint.address}`;
    case "MilvusUnauthenticated":
      return unauthenticatedMessage(endpoint, reason);
    case "MilvusBusy":
      return `Milvus at ${endpoint.address} is busy or not ready, ${call}${about} can be tried again: ${reason}`;
    default:
      return `Milvus at ${endpoint.address} refused ${call}${about}: ${reason}`;
  }
}

/** No connection, or none in time. */
export function unreachableError(endpoint: MilvusEndpoint, reason: string, cause?: unknown): PipelineError {
  return new PipelineError(
    "MilvusUnreachable",
    `Milvus at ${endpoint.address} cannot be reached: ${reason}. Check milvus.address, milvus.port and milvus.tlsMode (with its certificates) of ` +
      `environment ${endpoint.environment}, that the server runs, and that the network lets the pipeline through`,
    { details: { address: endpoint.address, environment: endpoint.environment }, cause },
  );
}

/** Wrong credentials, or a user without the privilege. */
export function unauthenticatedError(endpoint: MilvusEndpoint, reason: string, cause?: unknown): PipelineError {
  return new PipelineError("MilvusUnauthenticated", unauthenticatedMessage(endpoint, reason), {
    details: { address: endpoint.address, environment: endpoint.environment, user: endpoint.user },
    cause,
  });
}

function unauthenticatedMessage(endpoint: MilvusEndpoint, reason: string): string {
  const who = endpoint.user ? `user ${JSON.stringify(endpoint.user)}` : "an anonymous user (milvus.user is empty)";
  return (
    `Milvus at ${endpoint.address} rejects ${who}: ${reason}. ` +
    `Check milvus.user and milvus.password of environment ${endpoint.environment}, and the privileges of that user`
  );
}

/** A passing fault of a connection that worked before. */
export function busyError(
  endpoint: MilvusEndpoint,
  call: string,
  reason: string,
  wait: WaitReason,
  cause?: unknown,
): PassingError {
  return new PassingError(wait, `Milvus at ${endpoint.address} did not answer ${call}: ${reason}`, {
    details: { address: endpoint.address, call },
    cause,
  });
}

/** The error of a call that makes something, with `details.mayHaveBegun` as `Milvus.submitImport` tells it. */
export function askedError(error: unknown, what: string): unknown {
  if (!(error instanceof PipelineError)) return error;
  const begun = mayHaveBegun(error);
  const details = { ...error.details, mayHaveBegun: begun };
  if (!begun) return new PipelineError(error.name, error.message, { details, cause: error });
  const text = `${error.message}. Whether ${what} was begun is to be looked at`;
  return new PipelineError("MilvusBusy", text, { details, cause: error });
}

/** Anything else the server or the protocol says no to. */
export function failedError(endpoint: MilvusEndpoint, call: string, reason: string, cause?: unknown): PipelineError {
  return new PipelineError("MilvusFailed", `Milvus at ${endpoint.address} refused ${call}: ${reason}`, {
    details: { address: endpoint.address, call },
    cause,
  });
}

/** gRPC's number for a call that a server does not know. */
const unimplemented = 12;

/** A call that this Milvus does not have. */
export function missingCallError(endpoint: MilvusEndpoint, call: string): PipelineError {
  return new PipelineError(
    "MilvusFailed",
    `Milvus at ${endpoint.address} refused ${call}: this Milvus version does not have the call`,
    { details: { address: endpoint.address, call, code: unimplemented } },
  );
}
