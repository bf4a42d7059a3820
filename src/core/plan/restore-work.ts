import * as z from "zod";
import { shortHash } from "../execution/deterministic-id.ts";
import { workPrefixes } from "../execution/work-layout.ts";
import type { CollectionName } from "../milvus/descriptions.ts";
import type { Instant } from "../milvus/instant.ts";
import { qualifiedName } from "../milvus/names.ts";
import type { PlannedImport } from "./imports.ts";

/** Records of a restore that outlive one execution: found again by its restore ID. Keys of the work bucket. */
export function restoreWorkLayout(restoreId: string) {
  const root = `${workPrefixes.restores}${restoreId}`;
  return {
    root: `${root}/`,
    /** What was submitted to Milvus, so that nothing is submitted twice: ImportRecord[]. */
    imports: `${root}/imports.json`,
    /** Which collections were made: CollectionRecord[]. */
    collections: `${root}/collections.json`,
  };
}

/** One submitted import. It counts only for the collection it went into: a collection that was made anew holds none of its rows. */
export const importRecord = z.object({
  /** CollectionRecord.id */
  collectionId: z.string(),
  /** PlannedImport.task */
  task: z.number().int().min(0),
  /** `fingerprintOf` what was planned when it was submitted. */
  planned: z.string(),
  /** Milvus's ID of the task or job. */
  id: z.string(),
  state: z.enum(["submitted", "completed"]),
  /** Rows imported, net of deletes, decimal; "0" until complete. */
  rows: z.string(),
});
export type ImportRecord = Readonly<z.infer<typeof importRecord>>;

/** One collection that the restore made, or (skipCreate) imports into. */
export const collectionRecord = z.object({
  /** `db.coll` */
  target: z.string(),
  /** `db.coll`, the name it had when it was made; the target's own under `skipCreate`. */
  working: z.string(),
  /** Milvus's ID; renaming keeps it. */
  id: z.string(),
  /** Rows it had before anything was imported, decimal. */
  rowsBefore: z.string(),
  /** Imports Milvus remembered under its name before this restore submitted any: never ours, however alike they look. */
  importsBefore: z.array(z.string()).readonly(),
});
export type CollectionRecord = Readonly<z.infer<typeof collectionRecord>>;

/** The record of a planned collection, of whichever run made it. */
export function recordOf(
  records: readonly CollectionRecord[],
  { target, working }: { readonly target: CollectionName; readonly working: CollectionName },
): CollectionRecord | undefined {
  const [targetName, workingName] = [qualifiedName(target), qualifiedName(working)];
  return records.find((record) => record.target === targetName && record.working === workingName);
}

/** Tells whether an import of an earlier run is the one that is planned now: other options or another Milvus plan other ones. */
export function fingerprintOf(
  { partition, kind, storageVersion, files }: PlannedImport,
  instant: Pick<Instant, "timestamp"> | undefined,
): string {
  const what = [partition, kind, storageVersion, ...(instant === undefined ? [] : [instant.timestamp])];
  return shortHash(...what, ...files.flatMap(({ insert, delta }) => [insert, delta]));
}
