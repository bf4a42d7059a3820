import { parquetPayloads, tableFiles } from "../../src/adapters/parquet/index.ts";
import type {
  BackupInput,
  CaughtFailure,
  CopyItem,
  CopySegmentsRequest,
  ExecutionRef,
  ExportInput,
  FinalizeBackupResult,
  FinalizeExportResult,
  FinalizeVerifyResult,
  FinishRestoreResult,
  PreparedCopies,
  PrepareRestoreResult,
  ReleaseResult,
  RestoreInput,
  VerifyInput,
} from "../../src/core/execution/messages.ts";
import type { MilvusContext } from "../../src/ports/step-context.ts";
import { finalizeBackup } from "../../src/steps/backup/finalize-backup.ts";
import { prepareBackup } from "../../src/steps/backup/prepare-backup.ts";
import { releaseBackup } from "../../src/steps/backup/release-backup.ts";
import { copySegments } from "../../src/steps/copy/copy-segments.ts";
import { exportSegments } from "../../src/steps/export/export-segments.ts";
import { finalizeExport } from "../../src/steps/export/finalize-export.ts";
import { prepareExport } from "../../src/steps/export/prepare-export.ts";
import { releaseExport } from "../../src/steps/export/release-export.ts";
import { finishRestore } from "../../src/steps/restore/finish-restore.ts";
import { type ImportContext, importSegments } from "../../src/steps/restore/import-segments.ts";
import { prepareRestore } from "../../src/steps/restore/prepare-restore.ts";
import { recreateCollections } from "../../src/steps/restore/recreate-collections.ts";
import { releaseRestore } from "../../src/steps/restore/release-restore.ts";
import { finalizeVerify } from "../../src/steps/verify/finalize-verify.ts";
import { prepareVerify } from "../../src/steps/verify/prepare-verify.ts";
import { readRows } from "../../src/steps/verify/read-rows.ts";
import { releaseVerify } from "../../src/steps/verify/release-verify.ts";

export function executionOf(name: string): ExecutionRef {
  return {
    name,
    id: `arn:aws:states:us-east-1:000000000000:execution:machine:${name}`,
    startTime: "2026-11-21T11:03:07.000Z",
  };
}

/** How a machine runs its steps: `retries` is how often one is tried again after a fault. */
export interface RunOptions {
  readonly retries?: number;
  /** false: it ends without Release, as one does that runs into the machine's time limit. */
  readonly release?: boolean;
  /** Called after each step with its name and what it answered, before the next one. */
  readonly after?: (step: string, attempt: number, result: unknown) => void | Promise<void>;
  /** Called the moment a step has thrown. */
  readonly failed?: (step: string) => void;
}

/** The state machine `backup`, in process; a failure is released and thrown, as the machine does it. */
export async function runBackup(
  context: Parameters<typeof prepareBackup>[1] & Parameters<typeof finalizeBackup>[1],
  input: BackupInput,
  execution = executionOf("backup-1"),
  options: RunOptions = {},
): Promise<FinalizeBackupResult> {
  return released(
    async () => {
      for (let attempt = 0; ; attempt += 1) {
        const request = { execution, input, attempt };
        const prepared = await step("prepare", attempt, options, () => prepareBackup(request, context));
        if (prepared.outcome === "planning") {
          attempt -= 1;
          continue;
        }
        await copyAll(context, prepared, execution, attempt, options);
        const result = await step("finalize", attempt, options, () => finalizeBackup(request, context));
        if (result.outcome === "backed-up") return result;
      }
    },
    (failure) => releaseBackup({ execution, input, attempt: 0, failure }, context),
    options,
  );
}

/** The state machine `restore`, in process. */
export async function runRestore(
  context: Parameters<typeof prepareRestore>[1] & ImportContext,
  input: RestoreInput,
  execution = executionOf("restore-1"),
  options: RunOptions = {},
): Promise<FinishRestoreResult | PrepareRestoreResult> {
  return released(
    async () => {
      const request = { execution, input, attempt: 0 };
      const prepared = await step("prepare", 0, options, () => prepareRestore(request, context));
      if (prepared.outcome !== "planned") return prepared;
      await copyAll(context, prepared, execution, 0, options);
      await step("recreate", 0, options, () => recreateCollections(request, context));
      for (let attempt = 0; ; attempt += 1) {
        const { outcome, waitSeconds } = await step("import", attempt, options, () =>
          importSegments({ ...request, attempt }, context),
        );
        if (outcome === "imported") break;
        await context.clock.sleep(waitSeconds * 1_000);
      }
      for (let attempt = 0; ; attempt += 1) {
        const result = await step("finish", attempt, options, () => finishRestore({ ...request, attempt }, context));
        if (result.outcome === "restored") return result;
      }
    },
    (failure) => releaseRestore({ execution, input, attempt: 0, failure }, context),
    options,
  );
}

/** The state machine `verify`, in process. */
export async function runVerify(
  context: MilvusContext,
  input: VerifyInput,
  execution = executionOf("verify-1"),
  options: RunOptions = {},
): Promise<FinalizeVerifyResult> {
  const request = { execution, input, attempt: 0 };
  return released(
    async () => {
      const prepared = await step("prepare", 0, options, () => prepareVerify(request, context));
      await copyAll(context, prepared, execution, 0, options);
      const rows = { ...context, payloads: async () => parquetPayloads };
      for (const { batchKey } of await itemsOf(context, prepared.rows, 1, options)) {
        await step("rows", 1, options, () => readRows({ execution: execution.name, batchKey }, rows));
      }
      return step("finalize", 0, options, () => finalizeVerify(request, context));
    },
    (failure) => releaseVerify({ ...request, failure }, context),
    options,
  );
}

/** The state machine `export`, in process. */
export async function runExport(
  context: MilvusContext,
  input: ExportInput,
  execution = executionOf("export-1"),
  options: RunOptions = {},
): Promise<FinalizeExportResult> {
  const request = { execution, input, attempt: 0 };
  const reading = { ...context, payloads: async () => parquetPayloads, tables: async () => tableFiles };
  return released(
    async () => {
      const prepared = await step("prepare", 0, options, () => prepareExport(request, context));
      await copyAll(context, prepared, execution, 0, options, (batch) => exportSegments(batch, reading));
      return step("finalize", 0, options, () => finalizeExport(request, context));
    },
    (failure) => releaseExport({ ...request, failure }, context),
    options,
  );
}

/** What a failed run threw, with what Release made of it. */
export class ExecutionFailed extends Error {
  readonly released: ReleaseResult;

  constructor(cause: unknown, released: ReleaseResult) {
    super(JSON.parse(released.cause).errorMessage, { cause });
    this.name = released.error;
    this.released = released;
  }
}

async function copyAll(
  context: MilvusContext,
  prepared: PreparedCopies,
  execution: ExecutionRef,
  attempt: number,
  options: RunOptions,
  work: (request: CopySegmentsRequest) => Promise<unknown> = (request) => copySegments(request, context),
): Promise<void> {
  for (const { batchKey } of await itemsOf(context, prepared, attempt, options)) {
    await step("copy", attempt, options, () => work({ execution: execution.name, batchKey }));
  }
}

/** What a map reads. */
async function itemsOf(
  context: MilvusContext,
  prepared: PreparedCopies | undefined,
  attempt: number,
  options: RunOptions,
): Promise<readonly CopyItem[]> {
  if (prepared === undefined || prepared.batches === 0) return [];
  const readItems = async () => JSON.parse(await context.work.getText(prepared.itemsKey)) as CopyItem[];
  return prepared.few ?? (await step("read items", attempt, options, readItems));
}

async function step<T>(name: string, attempt: number, options: RunOptions, run: () => Promise<T>): Promise<T> {
  for (let left = options.retries ?? 0; ; left -= 1) {
    try {
      const result = await run();
      await options.after?.(name, attempt, result);
      return result;
    } catch (error) {
      options.failed?.(name);
      if (left <= 0) throw error;
    }
  }
}

async function released<T>(
  run: () => Promise<T>,
  release: (failure: CaughtFailure) => Promise<ReleaseResult>,
  options: RunOptions = {},
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (options.release === false) throw error;
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const failure = { Error: name, Cause: JSON.stringify({ errorType: name, errorMessage: message }) };
    throw new ExecutionFailed(error, await release(failure));
  }
}
