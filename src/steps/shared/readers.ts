import type { StorageSettings } from "../../core/environment/environment.ts";
import { storeIdentity } from "../../core/environment/storage-identity.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ExecutionRef } from "../../core/execution/messages.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { executionNameOf } from "../../core/execution/state-machine-arn.ts";
import { jsonOrUndefined } from "../../core/execution/work-json.ts";
import { readersPrefix } from "../../core/execution/work-layout.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { checkNotBeingDeleted } from "./backup-claim.ts";
import type { StoredBackup } from "./stored-backup.ts";

/**
 * Marks of who reads a backup, in the work bucket of the deployment: a reader of another account's backup may not write beside it. A
 * reader leaves its mark and then looks whether the backup is being deleted; a deletion takes its claim and then looks for marks: of
 * the two, one sees the other.
 */
type ReadingMachine = "drill" | "export" | "restore" | "transfer" | "verify";

/** What is read: its bucket and directory, whichever environment names them. */
export type ReadPlace = Pick<StorageSettings, "address" | "port" | "bucket">;

/** The key of an execution's mark; known before it is written, so that whoever cleans up finds it. */
export function readerKeyOf(
  stored: StoredBackup,
  place: ReadPlace,
  machine: ReadingMachine,
  execution: ExecutionRef,
): string {
  return `${readersOf(stored, place)}${machine}-${execution.name}.json`;
}

/**
 * Says that an execution reads a backup, which nobody then deletes. To be called before anything is read that is to stay.
 * @throws BackupInUse where the backup is being deleted
 */
export async function markReader(
  context: Pick<StepContext, "work" | "clock">,
  stored: StoredBackup,
  key: string,
  execution: ExecutionRef,
): Promise<void> {
  const mark = { executionArn: execution.id, since: context.clock.now().toISOString() };
  await context.work.putText(key, JSON.stringify(mark), { contentType: "application/json" });
  await checkNotBeingDeleted(stored, context);
}

/** Takes a mark away; does nothing where there is none. */
export async function unmarkReader(context: Pick<StepContext, "work">, key: string | undefined): Promise<void> {
  if (key !== undefined) await context.work.deleteKeys([key]);
}

/** @throws BackupInUse naming the executions that read the backup */
export async function checkNotRead(
  context: { readonly work: ObjectStore } & Pick<StepContext, "executions">,
  stored: StoredBackup,
  place: ReadPlace,
): Promise<void> {
  const prefix = readersOf(stored, place);
  const reading: string[] = [];
  for await (const { key } of context.work.list(prefix)) {
    const text = await context.work.getTextIfPresent(key);
    if (text === undefined) continue;
    const mark = jsonOrUndefined(text) as { executionArn?: unknown } | undefined;
    const arn = typeof mark?.executionArn === "string" ? mark.executionArn : undefined;
    // Whatever cannot be said to be over counts.
    if (arn !== undefined && (await context.executions.state(arn)) === "over") continue;
    const machine = key.slice(prefix.length).split("-", 1)[0] ?? "";
    reading.push(`${machine} execution ${arn === undefined ? key : executionNameOf(arn)}`);
  }
  if (reading.length === 0) return;
  throw new PipelineError(
    "BackupInUse",
    `backup ${stored.name} in ${stored.place} is being read by ${shortList(reading)}: wait until it is over, or stop it with "milvus-backup stop"; nothing was deleted`,
    { details: { readers: reading.slice(0, 10) } },
  );
}

function readersOf(stored: StoredBackup, place: ReadPlace): string {
  return readersPrefix(`${storeIdentity(place)} ${place.bucket} ${stored.layout.root}`);
}
