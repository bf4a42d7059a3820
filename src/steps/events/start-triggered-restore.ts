import {
  backupNameOfKey,
  matchesGlob,
  type TriggeredRestoreRequest,
  triggeredExecutionName,
  triggeredRestoreInput,
} from "../../core/deployment/restore-trigger.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { backupLayout, backupsRoot, committedBackupOf } from "../../core/format/layout.ts";
import type { ExecutionStarter } from "../../ports/execution-starter.ts";
import type { EnvironmentRegistry, StepContext } from "../../ports/step-context.ts";

interface StartTriggeredRestoreResult {
  /**
   * - `started`: the restore of this backup is under way
   * - `already-started`: the same event came before
   * - `ignored`: the trigger is not about this backup
   */
  readonly outcome: "started" | "already-started" | "ignored";
  readonly backupName?: string;
  readonly execution?: string;
}

/**
 * What a restore trigger does when a backup's commit record appears: starts the restore of that backup by the trigger's rule, once however
 * often the event comes.
 * @throws InvalidInput where the trigger watches another place than the one its environment keeps backups in, and UnknownEnvironment
 */
export async function startTriggeredRestore(
  request: TriggeredRestoreRequest,
  context: Pick<StepContext, "log"> & {
    environments: Pick<EnvironmentRegistry, "get">;
    restores: ExecutionStarter;
  },
): Promise<StartTriggeredRestoreResult> {
  const { trigger, object, restore, prefix } = request;
  const backupName = backupNameOfKey(object.key);
  if (backupName === undefined || !matchesGlob(request.backups, backupName)) return { outcome: "ignored" };
  const from = restore.from ?? restore.environment;
  const { bucket, rootPath } = (await context.environments.get(from)).backupStorage;
  const { full_meta } = backupLayout(rootPath, backupName, committedBackupOf(object.key)?.source).meta;
  if (bucket !== object.bucket || full_meta !== object.key) {
    const isItsPlace =
      bucket === object.bucket && prefix !== undefined && backupsRoot(prefix) === backupsRoot(rootPath);
    if (isItsPlace) return { outcome: "ignored" };
    throw new PipelineError(
      "InvalidInput",
      `restore trigger ${trigger} saw ${object.bucket}/${object.key}, but environment ${from} keeps its backups in ` +
        `${bucket}/${rootPath}: name the environment that reads that bucket with "from", or correct "bucket" and "prefix"`,
      { details: { key: "from" } },
    );
  }
  const execution = triggeredExecutionName(request);
  const outcome = await context.restores.startOnce(execution, triggeredRestoreInput(request, backupName));
  context.log.info("restore trigger", { trigger, backupName, execution, outcome });
  return { outcome, backupName, execution };
}
