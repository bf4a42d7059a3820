import type { SchedulePromise } from "../../core/deployment/schedule-promise.ts";
import { reportedVerificationOf } from "../../core/format/proof.ts";
import { type ReportedBackup, type RootReport, reportRoot } from "../../core/report/root.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { type BackupSummary, listBackups } from "../catalog/list-backups.ts";

/** Whose backups a report of a root is about. */
interface RootPlace {
  readonly environment: string;
  readonly backupStorage: { readonly bucket: string; readonly rootPath: string };
}

/** Whose schedules are held against what they promise. */
export interface Deployment {
  /** ARN of the machine that makes their backups. */
  readonly stateMachine: string;
  readonly promises: readonly SchedulePromise[];
}

/**
 * Reads all backups of a root for its report; an empty root gives an empty report.
 * @param deployment undefined where none is asked
 * @throws what the store throws
 */
export async function readRootReport(
  store: ObjectStore,
  { environment, backupStorage }: RootPlace,
  deployment: Deployment | undefined,
  now: Date,
): Promise<RootReport> {
  const { bucket, rootPath } = backupStorage;
  const found = await listBackups(store, rootPath, { incompleteAt: now });
  return reportRoot({
    environment,
    location: [bucket, rootPath].filter(Boolean).join("/"),
    backups: found.map(reportedBackup),
    ...(deployment && { deployment }),
    now,
  });
}

function reportedBackup(summary: BackupSummary): ReportedBackup {
  const { name, state, size, ownBytes, incremental, collections, milvusVersion, instants, createdAt, begunAt } =
    summary;
  const { schedule, verified, drilled, problem } = summary;
  const [earliest] = instants.map(({ time }) => time).sort((a, b) => Date.parse(a) - Date.parse(b));
  const at = earliest ?? createdAt?.toISOString() ?? begunAt;
  const own = incremental ? ownBytes : Number(size);
  return {
    ...{ backupName: name, state, incremental, collections, milvusVersion },
    ...(at !== undefined && { at }),
    isInstant: earliest !== undefined,
    bytes: Number(size),
    ...(state === "complete" && own !== undefined && { ownBytes: own }),
    ...(schedule && { schedule }),
    ...(verified && { verification: reportedVerificationOf(verified) }),
    ...(drilled && { drill: drilled }),
    ...(problem !== undefined && { problem }),
  };
}
