import type { BackupInput } from "../execution/messages.ts";
import { checkBackupName } from "../milvus/names.ts";

/**
 * The name of a backup that was started without one: `backup_2026_11_21_11_03_07`, from the execution's start time (UTC), so
 * that running the step again gives the same name.
 */
export function defaultBackupName(startTime: string): string {
  return `backup_${timestamp(startTime)}`;
}

/**
 * The name a backup execution is about: the one given, or one made from the time: `nightly_2026_11_21_03_00_00` for a schedule.
 * @throws InvalidInput where the one given is not valid
 */
export function backupNameOf(
  input: Pick<BackupInput, "backupName" | "schedule" | "scheduledTime">,
  startTime: string,
): string {
  if (input.backupName !== undefined) return checkBackupName(input.backupName);
  if (input.schedule === undefined) return checkBackupName(defaultBackupName(startTime));
  const scheduled = input.scheduledTime !== undefined && isTime(input.scheduledTime) ? input.scheduledTime : startTime;
  return checkBackupName(`${input.schedule}_${timestamp(scheduled)}`);
}

function timestamp(time: string): string {
  return new Date(time).toISOString().slice(0, 19).replace(/[-T:]/g, "_");
}

/** Emulators of EventBridge Scheduler hand on the text `<aws.scheduler.scheduled-time>` itself. */
function isTime(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T/.test(text) && !Number.isNaN(Date.parse(text));
}
