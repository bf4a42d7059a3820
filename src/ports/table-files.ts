import type { RowField } from "../core/binlog/row-fields.ts";
import type { TableFile } from "../core/binlog/table-file.ts";

/** Makes files of columns, in memory. */
export interface TableFiles {
  /**
   * Begins a file.
   * @param fields its columns, in their order; those whose values are not read are left out
   */
  open(format: "parquet" | "arrow", fields: readonly RowField[]): TableFile;
}
