import { PipelineError } from "../../core/execution/errors.ts";
import type { MadeBySchedule, ManifestIndex } from "../../core/format/manifest.ts";
import type { StoredBackup } from "./stored-backup.ts";

/** Whether a backup, or a claim, says that it is this schedule's of this deployment. */
export function isMadeBy(said: MadeBySchedule | undefined, madeBy: MadeBySchedule): boolean {
  return (
    said?.name === madeBy.name && said.environment === madeBy.environment && said.stateMachine === madeBy.stateMachine
  );
}

/**
 * The manifest of a backup that a schedule made, or began to commit; undefined for everything else: backups of others, copies under
 * another name, and those whose manifest is missing or cannot be read: whose they are nobody knows then.
 */
export async function manifestMadeBy(stored: StoredBackup, madeBy: MadeBySchedule): Promise<ManifestIndex | undefined> {
  const manifest = await readableManifest(stored);
  return manifest?.backupName === stored.name && isMadeBy(manifest.schedule, madeBy) ? manifest : undefined;
}

/** undefined for a manifest that is missing, or cannot be read. */
export async function readableManifest(stored: StoredBackup): Promise<ManifestIndex | undefined> {
  try {
    return await stored.readManifest();
  } catch (error) {
    if (error instanceof PipelineError && error.name === "CorruptBackup") return undefined;
    throw error;
  }
}
