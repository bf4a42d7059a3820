import type { PrimaryKey } from "../../core/binlog/delete-entries.ts";
import type { RowField } from "../../core/binlog/row-fields.ts";
import type { StoredValue } from "../../core/binlog/stored-column.ts";
import { shortHash } from "../../core/execution/deterministic-id.ts";
import { chooseSegments } from "../../core/plan/drill-search.ts";
import type { CollectionRows, CollectionSelection } from "../rows/collection-rows.ts";

/** So many rows of a collection are looked for by their keys, and searched for by their vectors. */
const sampleRows = 20;
/** Segments they are taken from: each is some binlogs of every field to read. */
const sampleSegments = 5;
/** Where none of those has a living row, so many are looked through. */
const mostSegments = 64;

/** A row as the backup stores it. */
export interface SampledRow {
  readonly key: PrimaryKey;
  stored(field: RowField): StoredValue | null;
}

/** Living rows of a collection. */
export interface RowSample {
  readonly rows: readonly SampledRow[];
  /** Segments that were looked through. */
  readonly segments: number;
  /** Whether those are all that have rows: without any row in the sample none of the collection lives. */
  readonly complete: boolean;
}

/**
 * Some living rows of a collection from segments of as many partitions as possible: other ones with every seed, the same with the same. Where all
 * rows of those are deleted or from after the instant, others are looked through. Throws as `CollectionRows.rows` does.
 */
export async function sampleOf(rows: CollectionRows, fields: readonly RowField[], seed: string): Promise<RowSample> {
  const all = rows.segments.filter((segment) => segment.rows > 0);
  const first = chooseSegments(all, sampleSegments, seed);
  const perSegment = Math.ceil(sampleRows / Math.max(1, first.length));
  const smallest = Math.min(...first.map((segment) => segment.rows));
  // From the first third of a segment, or all of it where it is small.
  const oneOf = Math.max(1, Math.floor(smallest / (3 * perSegment)));
  const { primaryKey } = rows;
  const matches = (row: { value(field: RowField): unknown }) =>
    Number.parseInt(shortHash(seed, String(row.value(primaryKey))), 16) % oneOf === 0;
  const of = { fields: [...new Set([primaryKey, ...fields])], perSegment };
  const sampled = await take(rows, { ...of, segments: idsOf(first), filter: { fields: [primaryKey], matches } });
  if (sampled.length > 0) return { rows: sampled, segments: first.length, complete: first.length === all.length };
  const more = chooseSegments(all, mostSegments, seed);
  const found = await take(rows, { ...of, segments: idsOf(more), limit: sampleRows });
  return { rows: found, segments: more.length, complete: more.length === all.length };
}

function idsOf(segments: readonly { readonly id: string }[]): ReadonlySet<string> {
  return new Set(segments.map(({ id }) => id));
}

/** The first row of each key. */
async function take(rows: CollectionRows, selection: CollectionSelection): Promise<SampledRow[]> {
  if (selection.segments?.size === 0) return [];
  const { primaryKey } = rows;
  const sample = new Map<PrimaryKey, SampledRow>();
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
