import * as z from "zod";
import { jsonOrUndefined } from "../execution/work-json.ts";

/** What was restored into a collection last. */
const lastRestored = z.object({
  backupName: z.string(),
  backupId: z.string(),
  /** The instant of the backup, or when it was begun where it has none; hybrid, decimal. Absent where nobody knows either. */
  timestamp: z.string().optional(),
  /** ID of the collection that the restore left there: what is said here is about that one alone. */
  collectionId: z.string(),
});
export type LastRestored = Readonly<z.infer<typeof lastRestored>>;

/**
 * Who restores into a collection (`targetsLayout` in layout.ts), since two deployments share nothing but Milvus and its bucket. One
 * restore has one for each of its targets, and says in one claim for all of them that it goes on.
 */
const targetLease = z.object({
  version: z.literal(1),
  /** `db.coll` */
  target: z.string(),
  /** - `restoring`: the holder has it
   *  - `free`: nobody has; it stays for `restored` */
  state: z.enum(["restoring", "free"]),
  /** ARN of the execution. */
  holder: z.string().min(1),
  backupName: z.string(),
  /** ISO 8601. */
  startedAt: z.iso.datetime({ offset: true }),
  /** Key of the holder's claim in the same bucket (claim.ts). */
  pulse: z.string(),
  restored: lastRestored.optional(),
});
export type TargetLease = Readonly<z.infer<typeof targetLease>>;

/** undefined where the text is no lease of a version that this pipeline knows. */
export function parseTargetLease(text: string): TargetLease | undefined {
  return targetLease.safeParse(jsonOrUndefined(text)).data;
}

/**
 * Why a trigger has nothing to do with a backup: what was restored last into a target, and still stands there, is this backup or a newer one.
 * @param standing the ID of the collection under the target name, if one stands there
 * @param timestamp of the backup: its instant, or when it was begun; hybrid, decimal
 */
export function isOutdated(
  backup: { readonly id: string; readonly timestamp: string | undefined },
  last: LastRestored | undefined,
  standing: string | undefined,
): boolean {
  if (last === undefined || last.collectionId !== standing) return false;
  if (last.backupId === backup.id) return true;
  if (last.timestamp === undefined || backup.timestamp === undefined) return false;
  return BigInt(backup.timestamp) < BigInt(last.timestamp);
}
