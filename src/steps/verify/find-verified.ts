import { PipelineError } from "../../core/execution/errors.ts";
import type { VerifyStepRequest } from "../../core/execution/messages.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { siblingMachine, stateMachineOf } from "../../core/execution/state-machine-arn.ts";
import { checkBackupName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { findBackup, storedBackups } from "../shared/find-backup.ts";
import { manifestMadeBy } from "../shared/made-by.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

const lookConcurrency = 8;

/**
 * The backup that an execution is about: the one it names, or the newest complete one of a schedule.
 * @throws InvalidInput, BackupNotFound also where what lies there is no complete backup
 */
export async function findVerified(
  { input, execution }: VerifyStepRequest,
  store: ObjectStore,
  place: { readonly rootPath: string },
): Promise<StoredBackup> {
  if (input.schedule === undefined) {
    const stored = await findBackup(store, place, checkBackupName(input.backupName ?? ""));
    if ((await stored.committed()) === undefined && (await store.head(stored.layout.claim)) !== undefined) {
      throw stored.notFound(
        "what lies there has no full_meta.json: it is being written or its writing failed; there is nothing to verify yet",
      );
    }
    return stored;
  }
  const stateMachine = siblingMachine(stateMachineOf(execution.id), "backup");
  const madeBy = { name: input.schedule, environment: input.environment, stateMachine };
  const found = await settleEach(await storedBackups(store, place), lookConcurrency, async (stored) => {
    const manifest = await manifestMadeBy(stored, madeBy);
    const isComplete = manifest !== undefined && (await stored.committed()) !== undefined;
    return isComplete ? [{ stored, created: Date.parse(manifest.created) }] : [];
  });
  const [newest] = found.flat().sort((a, b) => b.created - a.created);
  if (newest !== undefined) return newest.stored;
  throw new PipelineError(
    "BackupNotFound",
    `schedule ${input.schedule} of environment ${input.environment} has no complete backup in ${store.label}: nothing was verified`,
    { details: { schedule: input.schedule } },
  );
}
