import type { CopiedLog, ExpectedLog } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { CopyOptions, ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import { compareContent, type Verdict } from "./compare-content.ts";

/** A log of a backup that two places hold, with what its metas and manifest say of it. */
interface LogToRepair {
  /** Keys at the source and at the destination. */
  readonly from: string;
  readonly key: string;
  readonly expected: ExpectedLog;
  /** What was listed; undefined for nothing. */
  readonly source: ObjectSummary | undefined;
  readonly existing: ObjectSummary | undefined;
}

interface RepairStores {
  readonly source: ObjectStore;
  readonly destination: ObjectStore;
  readonly confirm: () => Promise<void>;
  /** How the log is kept at the destination, be it copied or there already. */
  readonly keeping: Pick<CopyOptions, "lock" | "storageClass">;
}

interface RepairedLog {
  readonly log?: CopiedLog;
  /** true: it was left as it is. */
  readonly skipped: boolean;
  /** For people, where it could not be made right. */
  readonly problem?: string;
}

/**
 * Makes one log at the destination what it was when it was backed up. What is right there is left alone; what is missing or wrong is
 * copied, if the source's object is right; where nothing says which of two is, both stay as they are and are named.
 */
export async function repairLog(log: LogToRepair, stores: RepairStores): Promise<RepairedLog> {
  const { from, key, expected, source, existing } = log;
  const there = existing && (await judge(stores.destination, existing, expected));
  const here = source && (await judge(stores.source, source, expected));
  if (existing && there === "right") {
    const { checksum } = expected;
    if (stores.keeping.lock) await stores.destination.extendLock(key, stores.keeping.lock);
    return {
      skipped: true,
      log: { from, key, size: existing.size, etag: existing.etag, ...(checksum && { checksum }) },
    };
  }
  const isLost = existing === undefined || existing.size !== expected.size;
  const wrong = existing === undefined ? "is missing" : isLost ? `has ${existing.size} bytes` : "differs";
  if (source === undefined) return refuse(log, stores, wrong, "is missing");
  if (here === "wrong" && (isLost || existing.etag === source.etag)) {
    return refuse(log, stores, wrong, "is not what was backed up");
  }
  await stores.confirm();
  try {
    // What may be right is only put aside for what is right for certain.
    const overwrite = isLost || here === "right";
    const copied = await stores.destination.copyFrom(stores.source, source, key, {
      existing: existing ?? null,
      overwrite,
      ...stores.keeping,
    });
    const { size, etag, checksum, skipped } = copied;
    return { skipped, log: { from, key, size, etag, ...(checksum !== undefined && { checksum }) } };
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    if (error.name === "ObjectNotFound") return refuse(log, stores, wrong, "vanished or was replaced just now");
    if (error.name === "CopyMismatch") return refuse(log, stores, wrong, "cannot be shown to be what was backed up");
    throw error;
  }
}

/** By what costs no reading; what is not there any more as it was listed is for the copy to find out. */
async function judge(store: ObjectStore, object: ObjectSummary, expected: ExpectedLog): Promise<Verdict> {
  try {
    return await compareContent(store, object, expected, { read: false });
  } catch (error) {
    if (error instanceof PipelineError && error.name === "ObjectNotFound") return "unknown";
    throw error;
  }
}

function refuse({ from, key }: LogToRepair, stores: RepairStores, there: string, here: string): RepairedLog {
  const { source, destination } = stores;
  return { skipped: false, problem: `${key} ${there} in ${destination.label}, and ${from} in ${source.label} ${here}` };
}
