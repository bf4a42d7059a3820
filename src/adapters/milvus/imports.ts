import { PipelineError } from "../../core/execution/errors.ts";
import type {
  CollectionName,
  Id,
  ImportEnd,
  ImportQuery,
  ImportRequest,
  ImportTask,
  ImportWay,
} from "../../core/milvus/descriptions.ts";
import { physicalMilliseconds } from "../../core/milvus/instant.ts";

/** How a Milvus imports directories of binlogs. */
export interface ImportApi {
  /** Submits one import; answers its task or job ID. */
  submit(request: ImportRequest): Promise<Id>;
  /** `Milvus.listImports` */
  list(name: CollectionName, query: ImportQuery): Promise<ImportTask[]>;
}

/** Creating a job (2.4+) may list every directory of it in the store, which a slow one takes minutes for; a Lambda has 15. */
export const createSeconds = 300;

/** What the ways to import are to who plans and watches imports. */
export const importWays = {
  /** 2.2 and 2.3: tasks, listed by the time they are answered. */
  tasks: { over: "grpc", pairsPerJob: 1, namesFiles: true, settleSeconds: 10 },
  /** As many pairs as milvus-backup gives a job. */
  jobs: { over: "rest", pairsPerJob: 256, namesFiles: true, settleSeconds: createSeconds + 60 },
  jobsOverGrpc: { over: "grpc", pairsPerJob: 1, namesFiles: false, settleSeconds: createSeconds + 60 },
} as const satisfies Record<string, ImportWay>;

/** A restore has hundreds of jobs at most under way; more requests at once only meet the proxy's rate limits. */
export const describeConcurrency = 8;

/** `import job does not exist, jobID=...`, by code 2100 like any other refused import (GetImportProgress of data coord). */
export function isUnknownJob(error: unknown): boolean {
  return error instanceof PipelineError && error.name === "MilvusFailed" && /job does not exist/i.test(error.message);
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
    ...(request.encryptionKey ? { ezk: request.encryptionKey } : {}),
  };
}

/**
 * Milliseconds are what `importutil` of 2.2 and 2.3 and the first `importutilv2` (2.4) shift into a hybrid timestamp; a hybrid one given to
 * them overflows without a word (2.3.5 measured). Later ones take hybrid ones only, and refuse milliseconds by name.
 */
function endTimestamp({ timestamp, unit }: ImportEnd): string {
  return unit === "hybrid" ? timestamp : physicalMilliseconds(timestamp).toString();
}
