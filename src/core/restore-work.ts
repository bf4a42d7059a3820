/** Records of a restore that outlive one execution: found again by its restore ID. Keys of the work bucket. */
export function restoreWorkLayout(restoreId: string) {
  const root = `restores/${restoreId}`;
  return {
    root: `${root}/`,
    /** What was submitted to Milvus, so that nothing is submitted twice: ImportRecord[]. */
    imports: `${root}/imports.json`,
    /** Which collections were made: CollectionRecord[]. */
    collections: `${root}/collections.json`,
  };
}

/** One submitted import. */
export interface ImportRecord {
  /** PlannedImport.task */
  readonly task: number;
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
  /** Milvus's ID; renaming keeps it. */
  readonly id: string;
  /** Rows it had before anything was imported, decimal. */
  readonly rowsBefore: string;
  /** Imports Milvus remembered under its name before this restore submitted any: never ours, however alike they look. */
  readonly importsBefore: readonly string[];
}
