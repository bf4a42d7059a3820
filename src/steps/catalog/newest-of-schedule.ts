import { settleEach } from "../../core/execution/settle.ts";
import type { MadeBySchedule, ManifestIndex } from "../../core/format/manifest.ts";
import { problemOfObjects, scheduledBackup } from "../shared/scheduled-backups.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

const concurrency = 8;

/** The newest good backup of a schedule. */
export interface NewestOfSchedule {
  /** Absent where there is none. */
  readonly newest?: { readonly name: string; readonly time: Date };
  /** Sentences about newer ones that are complete, and not whole. */
  readonly problems: readonly string[];
}

/**
 * Finds the newest good backup of a schedule: complete, and with every object of its manifest, by one listing of its folder. Whose a backup
 * is its own manifest says, never its name. One from before `since` is too old in any case, and is not looked into.
 * @param folders what lies below the backup root (`storedBackups`)
 * @throws what the store throws
 */
export async function newestOfSchedule(
  folders: readonly StoredBackup[],
  madeBy: MadeBySchedule,
  since: Date | undefined,
): Promise<NewestOfSchedule> {
  const looked = await settleEach(folders, concurrency, (it) => scheduledBackup(it, madeBy));
  const newestFirst = looked
    .filter((backup) => backup !== undefined)
    .filter(({ committed }) => committed)
    .map((backup) => ({ ...backup, time: timeOf(backup.manifest) }))
    .toSorted((a, b) => b.time.getTime() - a.time.getTime());
  const problems: string[] = [];
  for (const { name, time, good, damage, stored, manifest } of newestFirst) {
    const isTooOld = since !== undefined && time.getTime() < since.getTime();
    const problem = good
      ? isTooOld || (await problemOfObjects(stored, manifest))
      : (damage ?? "its commit record is not the one that its manifest lists");
    if (typeof problem !== "string") return { newest: { name, time }, problems };
    problems.push(`backup ${name} is not whole: ${problem}`);
  }
  return { problems };
}

/** The earliest instant of its collections, or without any when it was made. */
function timeOf({ instants, created }: ManifestIndex): Date {
  const times = instants.map(({ time }) => Date.parse(time));
  return new Date(times.length > 0 ? Math.min(...times) : Date.parse(created));
}
