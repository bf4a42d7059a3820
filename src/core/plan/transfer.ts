import * as z from "zod";
import { objectLock } from "../execution/object-lock.ts";
import type { BackupLayout } from "../format/layout.ts";
import type { SegmentBackup } from "../format/meta.ts";
import { copyOutOfBackup, type SizedSegment, segmentPath } from "./segment-copies.ts";

/** What a transfer is going to do; a file in the work bucket, written by Prepare Transfer. */
export const transferPlan = z.object({
  backupName: z.string(),
  /** Of the source's `full_meta.json` as it was read: the very text that is written last. */
  fullMetaSha256: z.string(),
  /** Whether the destination held this backup before: what lies there is verified, and what is missing copied. */
  alreadyThere: z.boolean(),
  /** Which Milvus an incremental backup is of; absent for a plain one. */
  source: z.string().optional(),
  /** How everything of the copy is to be locked. */
  lock: objectLock.optional(),
  warnings: z.array(z.string()).readonly(),
  /** For progress displays. */
  totals: z.object({ collections: z.number(), segments: z.number(), bytes: z.number() }),
});
export type TransferPlan = Readonly<z.infer<typeof transferPlan>>;

/** A segment of a backup, to be copied to the same place in another backup directory. */
export function planTransferOf(segment: SegmentBackup, from: BackupLayout, to: BackupLayout): SizedSegment {
  const path = segmentPath(segment);
  const { segment: copy, bytes } = copyOutOfBackup(segment, from, {
    insert: to.insertLogs(path),
    delta: to.deltaLogs(path),
  });
  if (to.shared === undefined) return { segment: copy, bytes };
  const prefixes = copy.prefixes.map((prefix) => (prefix.kind === "insert" ? { ...prefix, shared: true } : prefix));
  return { segment: { ...copy, prefixes }, bytes };
}
