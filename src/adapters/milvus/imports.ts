import type { CollectionName, Id, ImportRequest, ImportTask } from "../../core/milvus/descriptions.ts";

/** How a Milvus imports directories of binlogs. */
export interface ImportApi {
  /** Submits one import; answers its task or job ID. */
  submit(request: ImportRequest): Promise<Id>;
  /** Every import of the collection that the server remembers. */
  list(name: CollectionName): Promise<ImportTask[]>;
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
  };
}
