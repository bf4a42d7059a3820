import type { StoredColumn } from "../core/binlog/stored-column.ts";

/** Reads the payloads of binlogs: a whole Parquet file each. */
export interface PayloadReader {
  /**
   * Reads some rows of a payload. Obligation: what is decoded stays within the window, whatever the payload's size.
   * @param window its first row, and how many at most; fewer come at the payload's end, none behind it
   * @throws Error of any kind where the payload is broken; who calls names the object
   */
  read(payload: Uint8Array, window: { readonly offset: number; readonly rows: number }): PayloadWindow;
}

/** Some rows of all columns of a payload. */
export interface PayloadWindow {
  readonly columns: readonly StoredColumn[];
  readonly rows: number;
  /** What the rows take decoded, in bytes. */
  readonly bytes: number;
}
