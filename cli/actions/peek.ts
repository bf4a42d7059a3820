import { rowDocument } from "../../src/core/binlog/row-document.ts";
import type { RowField } from "../../src/core/binlog/row-fields.ts";
import { isReadable } from "../../src/core/binlog/values.ts";
import { bindFilter } from "../../src/core/filter/filter.ts";
import type { CollectionRows } from "../../src/steps/rows/collection-rows.ts";
import { CliError } from "../errors.ts";
import { countOption, splitList } from "../options.ts";
import { formatCell } from "../output/cell.ts";
import { countOf, formatInstant } from "../output/format.ts";
import { drawPicture, formatPictures, type PictureSize } from "../output/pictures.ts";
import { formatTable } from "../output/table.ts";
import { openRows } from "../rows.ts";
import type { VerbRun } from "../verbs/verb.ts";

interface PeekOptions {
  readonly name: string;
  readonly collections: string;
  readonly partitions?: string;
  readonly limit: string;
  readonly filter?: string;
  readonly fields?: string;
  readonly picture?: string;
}

/** A field whose values are shown as pictures. */
interface Picture extends PictureSize {
  readonly field: RowField;
}

/** Shows rows of a collection straight from its backup. */
export async function peek(run: VerbRun<PeekOptions>): Promise<void> {
  const { options, output, context } = run;
  const limit = countOption("--limit", options.limit);
  const partitions = options.partitions === undefined ? undefined : splitList("--partitions", options.partitions);
  const [rows] = await openRows(run, [options.name], options.collections);
  if (rows === undefined) throw new RangeError("a backup was opened");
  const picture = options.picture === undefined ? undefined : pictureOf(rows, options.picture);
  const chosen = chosenFields(rows, options.fields);
  const fields = picture && !chosen.includes(picture.field) ? [...chosen, picture.field] : chosen;
  const filter = options.filter === undefined ? undefined : bindFilter(options.filter, rows.fields);

  const found: { partition: string; values: Record<string, unknown> }[] = [];
  for await (const row of rows.rows({ fields, partitions, limit, ...(filter && { filter }) })) {
    found.push({ partition: row.partition, values: rowDocument(row, fields) });
  }
  if (found.length === limit && !output.json) output.note(`The first ${countOf(limit, "row")}; --limit shows more.`);
  output.result(
    {
      kind: "peek",
      version: 1,
      backupName: options.name,
      collection: rows.name,
      ...(rows.instant && { instant: rows.instant }),
      primaryKey: rows.primaryKey.name,
      fields: rows.fields.map(describeField),
      entities: found,
    },
    found.length === 0
      ? noRows(rows, filter !== undefined)
      : picture
        ? showPictures(rows, found, picture, context.terminal.stdout.columns)
        : formatRows(rows, found),
  );
}

/**
 * `pixels`, or `pixels=32x24` where it is no square.
 * @throws Usage
 */
function pictureOf(rows: CollectionRows, text: string): Picture {
  const [, name = "", ...size] = /^(.+?)(?:=(\d+)x(\d+))?$/.exec(text) ?? [];
  const field = rows.fields.find((one) => one.name === name);
  const vectors = rows.fields.filter((one) => isReadable(one) && one.dim !== undefined);
  if (field?.dim === undefined || !vectors.includes(field)) {
    const there = vectors.map((one) => one.name).join(", ");
    throw new CliError("Usage", `--picture: ${name} is no dense vector of ${rows.name}; there is: ${there || "none"}`);
  }
  const side = Math.sqrt(field.dim);
  const [width = side, height = side] = size.flatMap((part) => (part === undefined ? [] : [Number(part)]));
  if (Number.isInteger(width) && width > 0 && width * height === field.dim) return { field, width, height };
  const square = Number.isInteger(side) ? `${name}, or ${name}=${side}x${side}` : `${name}=WIDTHxHEIGHT`;
  throw new CliError(
    "Usage",
    `--picture: ${name} has ${field.dim} dimensions, as many as width times height must be: ${square}`,
  );
}

function showPictures(
  rows: CollectionRows,
  found: readonly { readonly values: Record<string, unknown> }[],
  { field, ...size }: Picture,
  columns: number | undefined,
): string {
  const first = rows.primaryKey.name;
  const pictures = found.map(({ values }) => {
    const { [first]: key, [field.name]: vector, ...others } = values;
    const shown = Object.entries({ [first]: key, ...others }).filter(([, value]) => !Array.isArray(value));
    const caption = shown.map(([name, value]) => `${name} ${formatCell(value)}`).join("  ");
    const numbers = Array.isArray(vector) ? vector.map(Number) : [];
    return { lines: drawPicture(field.type === "BinaryVector" ? numbers.flatMap(bitsOf) : numbers, size), caption };
  });
  // a terminal without a size says 0 columns
  return `${headOf(rows)}\n\n${formatPictures(pictures, columns || 100)}`;
}

/** The eight dimensions of a byte, the highest bit first: as numpy's `packbits` makes them, which Milvus's own examples use. */
function bitsOf(byte: number): number[] {
  return Array.from({ length: 8 }, (_, bit) => (byte >> (7 - bit)) & 1);
}

function headOf(rows: CollectionRows): string {
  return rows.instant ? `${rows.name} as of ${formatInstant(new Date(rows.instant.time))}` : rows.name;
}

/** @throws Usage for a name that no field has */
function chosenFields(rows: CollectionRows, names: string | undefined): RowField[] {
  const readable = rows.fields.filter(isReadable);
  if (names === undefined) return readable;
  return splitList("--fields", names).map((name) => {
    const found = readable.find((field) => field.name === name);
    if (found !== undefined) return found;
    const there = readable.map((field) => field.name).join(", ");
    throw new CliError("Usage", `--fields: ${rows.name} has no field ${name} that can be shown; there is: ${there}`);
  });
}

function describeField(field: RowField) {
  return {
    field: field.name,
    type: field.type,
    ...(field.elementType !== undefined && { elementType: field.elementType }),
    ...(field.dim !== undefined && { dim: field.dim }),
    ...(!isReadable(field) && { readable: false as const }),
  };
}

function noRows(rows: CollectionRows, filtered: boolean): string {
  return filtered ? `No row of ${rows.name} matches the filter.` : `${rows.name} has no rows.`;
}

function formatRows(rows: CollectionRows, found: { partition: string; values: Record<string, unknown> }[]): string {
  const names = [...new Set(found.flatMap(({ values }) => Object.keys(values)))];
  const shown = rows.partitions.length > 1;
  const table = formatTable(
    [...names.map((title) => ({ title })), ...(shown ? [{ title: "PARTITION" }] : [])],
    found.map(({ partition, values }) => [
      ...names.map((name) => formatCell(values[name])),
      ...(shown ? [partition] : []),
    ]),
  );
  return `${headOf(rows)}\n\n${table}`;
}
