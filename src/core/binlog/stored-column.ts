/** How the payload of a binlog stores the values of a column: Parquet's types as Arrow reads them. */
export type StoredType = "bool" | "int8" | "int16" | "int32" | "int64" | "float32" | "float64" | "text" | "bytes";

/** A value as it is stored: 64-bit integers are bigints, everything of bytes is a view. */
export type StoredValue = boolean | number | bigint | string | Uint8Array;

/** Some rows of one column. */
export interface StoredColumn {
  /** undefined for a type that no binlog of a known version has; `typeName` says which. */
  readonly type: StoredType | undefined;
  /** As Arrow names it: `Utf8`, `FixedSizeBinary[32]`. */
  readonly typeName: string;
  /** Bytes of every value, where the type says that they are as many in each. */
  readonly fixedBytes?: number;
  readonly length: number;
  /** null for a row without a value. */
  at(row: number): StoredValue | null;
}
