/** A Milvus release; a pre-release or build (`2.3.5-dev`, `2.3.5-lite`) counts as the release it leads to. */
interface MilvusVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** What a version that is not MAJOR.MINOR.PATCH (`master-20260226-abcdef`, `2.6-20260404-31fb3fc`) counts as. */
export const newestVersion: MilvusVersion = { major: 99, minor: 0, patch: 0 };

/** Reads `v2.3.5`, `2.3.5-dev` and hotfixes such as `2.3.22.6`; everything else is the newest. */
export function parseVersion(text: string): MilvusVersion {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(?:\.\d+)?(?:[-+].*)?$/.exec(text.trim());
  if (!match) return newestVersion;
  const [, major, minor, patch] = match;
  return { major: Number(major), minor: Number(minor), patch: Number(patch) };
}

/** Negative where `a` is older than `b`, 0 where they are the same release, positive where it is newer. */
export function compareVersions(a: MilvusVersion, b: MilvusVersion): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}

/** Whether `version` (text as Milvus tells it) is `minimum` (`2.5.8`) or newer. */
export function isAtLeast(version: string, minimum: string): boolean {
  return compareVersions(parseVersion(version), parseVersion(minimum)) >= 0;
}

/** The release that brought each thing, by Milvus's docs and release notes; data types are in data-types.ts. */
export const releases = {
  /**
   * Imports of binlogs hold a delete's time against the row's: the latest delete of a key takes the rows that are older than it, in
   * whatever order the deletes come (measured on 2.3.5). Before, one took every row of its key (milvus#29162, of December 2023), or did not: the
   * correction is in the notes of 2.3.4, and went into the branch of 2.2. Of them neither is relied on.
   */
  deletesByTime: "2.3.5",
  databases: "2.2.9",
  /** `renameCollection`, which knows databases. */
  rename: "2.2.9",
  partitionKey: "2.2.9",
  dynamicField: "2.2.9",
  /** Queries answer vectors. */
  queriedVectors: "2.3.0",
  /** REST import jobs, which take many path pairs; 2.2 and 2.3 import through gRPC, one pair a task. */
  restImports: "2.4.0",
  /** L0 segments, which 2.4.0 writes already, are imported with `l0_import` (milvus#33514). */
  l0Import: "2.4.5",
  /** Imports of L0 segments look at `end_ts` (milvus#43747, merged the day 2.6.0 was released; in no 2.5): before, every delete counts. */
  l0End: "2.6.1",
  gcPause: "2.4.0",
  /** Lists of databases and collections leave out what the user was granted nothing about. */
  listsGranted: "2.4.1",
  describeDatabase: "2.4.3",
  /** Nullable fields and default values. */
  nullable: "2.5.0",
  fullTextSearch: "2.5.0",
  /** REST `/v2/vectordb/segments/describe`: the exact logs of a segment. */
  segmentDescription: "2.5.8",
  /** Functions that call a model. */
  modelFunctions: "2.6.0",
  /** Results of clustering compaction have larger IDs than what it is made of: those are given out when it begins (2.4: by data nodes, in batches). */
  orderedClustering: "2.5.0",
  /** Fields can be added to a collection. */
  addField: "2.6.0",
  /** Imports take `storage_version`. */
  storageV2: "2.6.0",
  structArrays: "2.6.4",
  /** More than one L0 segment in one import job. */
  multiL0PerJob: "2.6.5",
  /** Property `disable_func_runtime_check`: create a collection with functions without calling their models. */
  disableFunctionRuntimeCheck: "2.6.8",
  /** `FlushAll` seals the whole server at one timestamp, and answers with its messages in every channel. */
  flushAll: "2.6.11",
  /** External collections and namespaces (their fields are in the protocol since 2.6). */
  halfDescribed: "2.6.0",
  rowPolicies: "3.0.0",
  /** Rows that are imported count as written when their import is over (milvus#48472, #48524): what an import of deletes brings is older, and takes none. */
  importTimes: "3.0.0",
} as const;

/**
 * Whether a release reads the end of an import as a hybrid timestamp and refuses milliseconds (milvus#40333). Not said of a version that names
 * no release: milliseconds are refused by name, and a hybrid timestamp given to an older server filters nothing without a word.
 */
export function readsHybridEnd(version: string): boolean {
  return parseVersion(version) !== newestVersion && isAtLeast(version, "2.5.6");
}

/** Of everything that a release brought whether it is there, and what follows from that. */
export interface Features extends Readonly<Record<keyof typeof releases, boolean>> {
  readonly importApi: "rest" | "grpc";
  /** `ReplicateMessage`, which CDC of 2.5 goes through: 2.6 replicates otherwise. */
  readonly rpcChannel: boolean;
  /** Segments below those directories at most: `dataCoord.import.maxImportFileNumPerReq`, which Milvus counts after it has listed them. */
  readonly segmentsPerJob: number;
}

/** What a Milvus of `version` can do, as the steps and adapters ask for it. */
export function features(version: string): Features {
  const released = Object.entries(releases).map(([feature, since]) => [feature, isAtLeast(version, since)]);
  // the table has every feature, so the object does
  const has = Object.fromEntries(released) as Record<keyof typeof releases, boolean>;
  const rpcChannel = isAtLeast(version, "2.5.0") && !isAtLeast(version, "2.6.0");
  return { ...has, rpcChannel, importApi: has.restImports ? "rest" : "grpc", segmentsPerJob: 1024 };
}

/**
 * Why a backup of one Milvus cannot go into another: it comes from a newer MAJOR.MINOR than the target is. undefined where it
 * can, also where the backup does not say its version.
 */
export function restorableInto(backupVersion: string, targetVersion: string): string | undefined {
  if (backupVersion === "") return undefined;
  const backup = parseVersion(backupVersion);
  const target = parseVersion(targetVersion);
  if ((backup.major - target.major || backup.minor - target.minor) <= 0) return undefined;
  return `the backup comes from Milvus ${backupVersion}, which is newer than the target's ${targetVersion}: restore it into the same or a newer MAJOR.MINOR`;
}
