import { parseJson } from "../format/lossless-json.ts";
import { type BinlogPlace, corruptBinlog } from "./corrupt.ts";
import type { RowField } from "./row-fields.ts";
import type { StoredColumn, StoredValue } from "./stored-column.ts";

/** An Int64 or a VarChar. */
export type PrimaryKey = bigint | string;

/** A delete: rows of the key that are older than it are gone. */
export interface DeleteEntry {
  readonly key: PrimaryKey;
  /** Hybrid. */
  readonly timestamp: bigint;
}

/**
 * Reads the deletes of a delta log's payload: lines of JSON (`{"pk":1007,"ts":4706...,"pkType":5}`), before 2.1 `1007,4706...`, or since 2.5
 * a column of keys and one of timestamps (Milvus's `internal/storage/delta_data.go` and `serde_delta.go`).
 * @param primaryKey of the collection: a delete of another type is not of it
 * @throws CorruptBackup that names object and offset where one is no delete
 */
export function* deleteEntries(
  columns: readonly StoredColumn[],
  { primaryKey, multiField, place }: { primaryKey: RowField; multiField: boolean; place: BinlogPlace },
): Generator<DeleteEntry> {
  const [first, second] = columns;
  if (first === undefined) throw corruptBinlog(place, "a delta log without a column");
  const broken = (row: number) =>
    corruptBinlog(place, `delete ${row} is none of a collection whose primary key is ${primaryKey.type}`);
  if (multiField && second === undefined) throw corruptBinlog(place, "a delta log without its column of timestamps");
  for (let row = 0; row < first.length; row += 1) {
    const value = first.at(row);
    const entry =
      multiField && second !== undefined ? entryOf(value, second.at(row)) : lineEntry(value, () => broken(row));
    if (entry === undefined || typeof entry.key !== keyType(primaryKey)) throw broken(row);
    yield entry;
  }
}

function entryOf(key: StoredValue | null, timestamp: StoredValue | null): DeleteEntry | undefined {
  if ((typeof key !== "bigint" && typeof key !== "string") || typeof timestamp !== "bigint") return undefined;
  return { key, timestamp: BigInt.asUintN(64, timestamp) };
}

function lineEntry(line: StoredValue | null, broken: () => Error): DeleteEntry | undefined {
  if (typeof line !== "string") return undefined;
  const old = /^(-?\d+),(\d+)$/.exec(line);
  if (old) return { key: BigInt(old[1] ?? ""), timestamp: BigInt(old[2] ?? "") };
  let json: unknown;
  try {
    json = parseJson(line, "delete");
  } catch {
    throw broken();
  }
  if (typeof json !== "object" || json === null || !("pk" in json) || !("ts" in json)) return undefined;
  const { pk, ts } = json;
  if ((typeof pk !== "bigint" && typeof pk !== "string") || typeof ts !== "bigint") return undefined;
  return { key: pk, timestamp: ts };
}

function keyType({ type }: RowField): "bigint" | "string" {
  return type === "Int64" ? "bigint" : "string";
}
