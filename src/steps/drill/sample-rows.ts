import type { PrimaryKey } from "../../core/binlog/delete-entries.ts";
import type { RowField } from "../../core/binlog/row-fields.ts";
import type { StoredValue } from "../../core/binlog/stored-column.ts";
import { shortHash } from "../../core/execution/deterministic-id.ts";
import { chooseSegments } from "../../core/plan/drill-search.ts";
import type { CollectionRows } from "../rows/collection-rows.ts";

/** So many rows of a collection are looked for by their keys, and searched for by their vectors. */
const sampleRows = 20;
/** Segments they are taken from: each is some binlogs of every field to read. */
const sampleSegments = 5;

/** A row as the backup stores it. */
export interface SampledRow {
  readonly key: PrimaryKey;
  stored(field: RowField): StoredValue | null;
}

/**
 * Some living rows of a collection from segments of as many partitions as possible: other ones with every seed, the same with the same.
 * Throws as `CollectionRows.rows` does.
 */
export async function sampleOf(rows: CollectionRows, fields: readonly RowField[], seed: string): Promise<SampledRow[]> {
  const segments = chooseSegments(rows.segments, sampleSegments, seed);
  if (segments.length === 0) return [];
  const { primaryKey } = rows;
  const perSegment = Math.ceil(sampleRows / segments.length);
  const smallest = Math.min(...segments.map((segment) => segment.rows));
  // From the first third of a segment, or all of it where it is small.
  const oneOf = Math.max(1, Math.floor(smallest / (3 * perSegment)));
  const matches = (row: { value(field: RowField): unknown }) =>
    Number.parseInt(shortHash(seed, String(row.value(primaryKey))), 16) % oneOf === 0;
  const sample = new Map<PrimaryKey, SampledRow>();
  const selection = {
    fields: [...new Set([primaryKey, ...fields])],
    filter: { fields: [primaryKey], matches },
    segments: new Set(segments.map(({ id }) => id)),
    perSegment,
  };
  for await (const row of rows.rows(selection)) {
    const key = row.stored(primaryKey) as PrimaryKey;
    if (!sample.has(key)) sample.set(key, { key, stored: (field) => row.stored(field) });
  }
  return [...sample.values()];
}

/** Every row of the backup that has one of some keys: a key may be there more than once, as Milvus does not mind. */
export async function* rowsOfKeys(
  rows: CollectionRows,
  fields: readonly RowField[],
  keys: ReadonlySet<PrimaryKey>,
): AsyncGenerator<SampledRow> {
  const { primaryKey } = rows;
  const matches = (row: { value(field: RowField): unknown }) => keys.has(row.value(primaryKey) as PrimaryKey);
  const selection = { fields: [...new Set([primaryKey, ...fields])], filter: { fields: [primaryKey], matches } };
  for await (const row of rows.rows(selection)) {
    yield { key: row.stored(primaryKey) as PrimaryKey, stored: (field) => row.stored(field) };
  }
}
