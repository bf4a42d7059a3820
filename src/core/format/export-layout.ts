import type { ExportFormat } from "../execution/messages.ts";

const extensions: Readonly<Record<ExportFormat, string>> = { parquet: "parquet", arrow: "arrow", jsonl: "jsonl" };

/** What the folders of partitions begin with: readers of data sets make it a column. */
const partitionColumn = "milvus_partition";

/**
 * Keys of one export. Readers of data sets skip what begins with `_`.
 * @param prefix of its destination, without slashes at its ends, not empty
 */
export function exportLayout(prefix: string) {
  const root = `${prefix}/`;
  return {
    root,
    /** What the export is made of: written last, and without it there is none. */
    manifest: `${root}_milvus-backup-export.json`,
    /** Who writes here (claim.ts); gone once it is complete. */
    claim: `${root}_milvus-backup-claim.json`,
  };
}
export type ExportLayout = ReturnType<typeof exportLayout>;

/** Where the files of a partition lie, relative to the export. @param collection `db.coll` */
export function partitionFolder(collection: string, partition: string): string {
  return `${collection}/${partitionColumn}=${partition}/`;
}

/** The name of a file: the same for the same export of the same backup, whoever writes it. @param file counted within the batch */
export function exportFileName(exportId: string, batch: string, file: number, format: ExportFormat): string {
  return `part-${exportId}-${batch}-${String(file).padStart(4, "0")}.${extensions[format]}`;
}

/** Whether a key relative to an export is that of one of its files, of this plan or of another one. */
export function isExportFile(relative: string, exportId: string): boolean {
  const [, exportOf] = /^[^/]+\/[^/]+\/part-([0-9a-f]+)-[^/]+$/.exec(relative) ?? [];
  return exportOf === exportId;
}
