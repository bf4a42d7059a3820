import { isDeepStrictEqual } from "node:util";
import type { PrimaryKey } from "../../core/binlog/delete-entries.ts";
import type { RowField } from "../../core/binlog/row-fields.ts";
import { arrayElements } from "../../core/binlog/scalar-field.ts";
import type { StoredValue } from "../../core/binlog/stored-column.ts";
import { parseJson } from "../../core/format/lossless-json.ts";
import type { CollectionName } from "../../core/milvus/descriptions.ts";
import type { Milvus, QueriedRow, QueriedValue } from "../../ports/milvus.ts";
import type { CollectionRows } from "../rows/collection-rows.ts";
import { rowsOfKeys, type SampledRow } from "./sample-rows.ts";

/** So many rows are read once more at most, where a key may be there several times. */
const mostRows = 20_000_000;

interface Comparison {
  /** Fields that Milvus answered, by name. */
  readonly fields: readonly string[];
  /** Sentences about what differs, without any row's values: messages hold no data. */
  readonly problems: readonly string[];
}

/**
 * Asks a restored collection for rows of the backup by their keys and compares them field by field: numbers and vectors bit for bit, JSON by
 * what it says. Of a key that the backup holds several times Milvus may answer any row.
 */
export async function compareRows(
  milvus: Milvus,
  name: CollectionName,
  rows: CollectionRows,
  sample: readonly SampledRow[],
  fields: readonly RowField[],
): Promise<Comparison> {
  const { primaryKey } = rows;
  const filter = keyFilter(primaryKey.name, sample);
  const names = [...new Set([primaryKey, ...fields].map((field) => field.name))];
  const answers = await milvus.queryRows(name, { filter, fields: names });
  const byKey = Map.groupBy(answers, (row) => row.get(primaryKey.name) as PrimaryKey);
  const answered = fields.filter((field) => answers.some((row) => row.has(field.name)));
  const missing = sample.filter(({ key }) => !byKey.has(key));
  const differing = new Map<PrimaryKey, readonly RowField[]>();
  for (const row of sample) {
    const different = leastDifferent(row, byKey.get(row.key) ?? [], answered);
    if (different.length > 0) differing.set(row.key, different);
  }
  if (differing.size > 0 && rows.storedRows <= mostRows) {
    for await (const other of rowsOfKeys(rows, answered, new Set(differing.keys()))) {
      if (leastDifferent(other, byKey.get(other.key) ?? [], answered).length === 0) differing.delete(other.key);
    }
  }
  const problems: string[] = [];
  if (missing.length > 0) problems.push(`${missing.length} of ${sample.length} rows of the backup are not there`);
  if (differing.size > 0) {
    const different = [...new Set([...differing.values()].flat().map((field) => field.name))];
    problems.push(`${differing.size} of ${sample.length} rows differ from the backup, in ${different.join(", ")}`);
  }
  return { fields: answered.map((field) => field.name), problems };
}

/** An expression of Milvus's for the rows of some keys. */
export function keyFilter(primaryKey: string, sample: readonly { readonly key: PrimaryKey }[]): string {
  const keys = sample.map(({ key }) => (typeof key === "bigint" ? key.toString() : JSON.stringify(key)));
  return `${primaryKey} in [${keys.join(",")}]`;
}

/** The fields in which a stored row differs from the answer that is most like it; none where there is no answer: it is missing. */
function leastDifferent(
  row: SampledRow,
  answers: readonly QueriedRow[],
  fields: readonly RowField[],
): readonly RowField[] {
  const different = answers.map((answer) =>
    fields.filter((field) => !isSame(field, row.stored(field), answer.get(field.name) ?? null)),
  );
  return different.sort((a, b) => a.length - b.length)[0] ?? [];
}

/** Whether a query answered what a binlog holds. */
export function isSame(field: RowField, stored: StoredValue | null, queried: QueriedValue): boolean {
  if (stored === null || queried === null) return stored === queried || isEmptyDynamic(field, stored, queried);
  if (field.type === "Array") return stored instanceof Uint8Array && isSameArray(stored, queried);
  if (!(stored instanceof Uint8Array)) return Object.is(stored, queried);
  if (!(queried instanceof Uint8Array)) return false;
  if (Buffer.compare(stored, queried) === 0) return true;
  return field.type === "JSON" && isSameJson(stored, queried);
}

/** A row without values in no field of the schema. */
function isEmptyDynamic(field: RowField, ...values: readonly (StoredValue | QueriedValue)[]): boolean {
  return (
    field.isDynamic &&
    values.every((value) => value === null || (value instanceof Uint8Array && Buffer.from(value).toString() === "{}"))
  );
}

function isSameArray(stored: Uint8Array, queried: QueriedValue): boolean {
  if (!Array.isArray(queried)) return false;
  const elements = arrayElements(stored);
  return elements.length === queried.length && elements.every((element, at) => Object.is(element, queried[at]));
}

function isSameJson(stored: Uint8Array, queried: Uint8Array): boolean {
  const [a, b] = [stored, queried].map((bytes) => parseJson(Buffer.from(bytes).toString("utf8"), "the value"));
  return isDeepStrictEqual(a, b);
}
