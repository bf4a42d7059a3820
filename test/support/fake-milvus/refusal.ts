/** A message as gRPC's loader gives it: snake_case names, 64-bit values as decimal text, enums by name. */
export type Message = Record<string, unknown>;

/** `common.Status` of a call that went well. */
export const success: Message = { error_code: "Success", code: 0, reason: "" };

/** `merr` of Milvus 2.4 to 2.6: codes with their words, and the number that clients of 2.2 read. */
const codes = {
  serviceUnimplemented: [10, "service unimplemented", "UnexpectedError"],
  rateLimit: [8, "rate limit exceeded", "RateLimit"],
  collectionNotFound: [100, "collection not found", "CollectionNotExists"],
  collectionNotLoaded: [101, "collection not loaded", "UnexpectedError"],
  illegalSchema: [105, "illegal collection schema", "UnexpectedError"],
  partitionNotFound: [200, "partition not found", "MetaFailed"],
  segmentNotFound: [600, "segment not found", "SegmentNotFound"],
  indexNotFound: [700, "index not found", "IndexNotExist"],
  databaseNotFound: [800, "database not found", "UnexpectedError"],
  parameterInvalid: [1100, "invalid parameter", "IllegalArgument"],
  notPermitted: [1401, "privilege not permitted", "UnexpectedError"],
  aliasNotFound: [1600, "alias not found", "UnexpectedError"],
  aliasCollectionConflict: [1601, "alias and collection name conflict", "UnexpectedError"],
  aliasAlreadyExists: [1602, "alias already exist", "UnexpectedError"],
  needAuthenticate: [1800, "user hasn't authenticated", "UnexpectedError"],
  missingParameters: [1802, "missing required parameters", "UnexpectedError"],
  denyReplicate: [1900, "deny to use the replicate message in the normal instance", "UnexpectedError"],
  importFailed: [2100, "importing data failed", "UnexpectedError"],
  unexpected: [65535, "", "UnexpectedError"],
} as const satisfies Record<string, readonly [code: number, words: string, old: string]>;

/** Those that Milvus says may be tried again. */
const retriable: ReadonlySet<number> = new Set([1, 2, 4, 8, 12, 103, 106, 202, 1002, 1003]);

/** What a server says no to: a status over gRPC, a code and a message over REST. */
export class Refusal extends Error {
  readonly code: number;
  readonly oldCode: string;

  /** @param detail as Milvus adds it to the words of the code: `[database=default][collection=coll]`, or `: why` */
  constructor(kind: keyof typeof codes, detail = "") {
    const [code, words, old] = codes[kind];
    super(`${words}${detail}`);
    this.code = code;
    this.oldCode = old;
  }

  /** As `common.Status`. */
  get status(): Message {
    const { code, oldCode, message } = this;
    return { error_code: oldCode, code, reason: message, detail: message, retriable: retriable.has(code) };
  }
}

/** "unexpected error" with the truth in words, as Milvus answers what has no code. */
export function unexpected(reason: string): Refusal {
  return new Refusal("unexpected", reason);
}

/** @param which in brackets: `{ database: "default", collection: "coll" }` */
export function notFound(
  kind: "collectionNotFound" | "partitionNotFound" | "indexNotFound" | "databaseNotFound" | "aliasNotFound",
  which: Readonly<Record<string, string>>,
): Refusal {
  const detail = Object.entries(which).map(([key, value]) => `[${key}=${value}]`);
  return new Refusal(kind, detail.join(""));
}
