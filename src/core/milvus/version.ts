/** A Milvus release; a pre-release or build (`2.3.5-dev`, `2.3.5-lite`) counts as the release it leads to. */
export interface MilvusVersion {
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

/** What a Milvus can do, as the steps and adapters ask for it; each with the release it came with. */
export function features(version: string) {
  const since = (minimum: string) => isAtLeast(version, minimum);
  return {
    /** 2.2 and 2.3 import through gRPC, one path pair a task; from 2.4 REST jobs take many pairs. */
    importApi: since("2.4.0") ? "rest" : "grpc",
    /** Directory pairs that one REST import job is given at most, as milvus-backup does. */
    pairsPerJob: 256,
    /** L0 segments exist and are imported with `l0_import`. */
    l0Import: since("2.4.0"),
    /** More than one L0 segment in one import job. */
    multiL0PerJob: since("2.6.5"),
    /** REST `/v2/vectordb/segments/describe`: the exact logs of a segment. */
    segmentDescription: since("2.5.8"),
    databases: since("2.2.9"),
    describeDatabase: since("2.4.3"),
    /** `renameCollection`, which knows databases. */
    rename: since("2.2.9"),
    /** One flush for many collections. */
    flushAll: since("2.6.11"),
    gcPause: since("2.4.0"),
    /** Garbage collection can be paused for single collections. */
    collectionGcPause: since("2.6.8"),
    /** Property `disable_func_runtime_check`: create a collection with functions without calling their models. */
    disableFunctionRuntimeCheck: since("2.6.8"),
    /** Imports take `storage_version`. */
    storageV2: since("2.6.0"),
  } as const;
}
export type Features = ReturnType<typeof features>;

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
