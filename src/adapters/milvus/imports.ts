import type { CollectionName, Id, ImportEnd, ImportRequest, ImportTask } from "../../core/milvus/descriptions.ts";
import { physicalMilliseconds } from "../../core/milvus/instant.ts";

/** How a Milvus imports directories of binlogs. */
export interface ImportApi {
  /** Submits one import; answers its task or job ID. */
  submit(request: ImportRequest): Promise<Id>;
  /** Every import of the collection that the server remembers, but those of `settled`. */
  list(name: CollectionName, settled: ReadonlySet<Id>): Promise<ImportTask[]>;
}

/**
 * The options of a binlog import; the same words over gRPC and REST.
 * The disk quota is not checked: a restore would otherwise fail halfway for space that its staging files take only for a while.
 */
export function importOptions(request: ImportRequest): Record<string, string> {
  return {
    [request.kind === "l0" ? "l0_import" : "backup"]: "true",
    skip_disk_quota_check: "true",
    ...(BigInt(request.storageVersion) > 0n ? { storage_version: request.storageVersion } : {}),
    ...(request.end ? { end_ts: endTimestamp(request.end) } : {}),
  };
}

/**
 * Milliseconds are what `importutil` of 2.2 and 2.3 and the first `importutilv2` (2.4) shift into a hybrid timestamp; a hybrid one given to
 * them overflows without a word (2.3.5 measured). Later ones take hybrid ones only, and refuse milliseconds by name.
 */
function endTimestamp({ timestamp, unit }: ImportEnd): string {
  return unit === "hybrid" ? timestamp : physicalMilliseconds(timestamp).toString();
}
