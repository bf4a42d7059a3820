import { checkBackupName } from "./names.ts";

/**
 * The name of a backup that was started without one: `backup_2026_11_21_11_03_07`, from the execution's start time (UTC), so
 * that running the step again gives the same name.
 */
export function defaultBackupName(startTime: string): string {
  return `backup_${new Date(startTime).toISOString().slice(0, 19).replace(/[-T:]/g, "_")}`;
}

/** The name a backup execution is about; throws InvalidInput where the one given is not valid. */
export function backupNameOf(input: { backupName?: string | undefined }, startTime: string): string {
  return checkBackupName(input.backupName ?? defaultBackupName(startTime));
}
