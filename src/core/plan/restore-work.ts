import { shortHash } from "../execution/deterministic-id.ts";
import { workPrefixes } from "../execution/work-layout.ts";
import type { CollectionName, ImportFiles } from "../milvus/descriptions.ts";
import { qualifiedName } from "../milvus/names.ts";

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
export interface ImportRecord {
  /** CollectionRecord.id */
  readonly collectionId: string;
  /** PlannedImport.task */
  readonly task: number;
  /** `fingerprintOf` what was planned when it was submitted. */
  readonly planned: string;
  /** Milvus's ID of the task or job. */
  readonly id: string;
  readonly state: "submitted" | "completed";
  /** Rows imported, net of deletes, decimal; "0" until complete. */
  readonly rows: string;
}

/** One collection that the restore made, or (skipCreate) imports into. */
export interface CollectionRecord {
  /** `db.coll` */
  readonly target: string;
  /** `db.coll`, the name it had when it was made; the target's own under `skipCreate`. */
  readonly working: string;
  /** Milvus's ID; renaming keeps it. */
  readonly id: string;
  /** Rows it had before anything was imported, decimal. */
  readonly rowsBefore: string;
  /** Imports Milvus remembered under its name before this restore submitted any: never ours, however alike they look. */
  readonly importsBefore: readonly string[];
}

/** The record of a planned collection, of whichever run made it. */
export function recordOf(
  records: readonly CollectionRecord[],
  { target, working }: { readonly target: CollectionName; readonly working: CollectionName },
): CollectionRecord | undefined {
  const [targetName, workingName] = [qualifiedName(target), qualifiedName(working)];
  return records.find((record) => record.target === targetName && record.working === workingName);
}

/** Tells whether an import of an earlier run is the one that is planned now: other options or another Milvus plan other ones. */
export function fingerprintOf(content: {
  readonly partition: string;
  readonly kind: "segments" | "l0";
  readonly storageVersion: string;
  readonly files: readonly ImportFiles[];
}): string {
  const { partition, kind, storageVersion, files } = content;
  return shortHash(partition, kind, storageVersion, ...files.flatMap(({ insert, delta }) => [insert, delta]));
}

/**
 * Tells whether two imports read the same directories, in any order: Milvus 2.4+ does not tell which delta directory belongs to which
 * insert directory.
 */
export function directoriesOf(files: readonly ImportFiles[]): string {
  return shortHash(...files.map(({ insert, delta }) => withoutSlash(insert || delta)).sort());
}

function withoutSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}
