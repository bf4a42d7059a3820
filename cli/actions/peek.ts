import { rowDocument } from "../../src/core/binlog/row-document.ts";
import type { RowField } from "../../src/core/binlog/row-fields.ts";
import { isReadable } from "../../src/core/binlog/values.ts";
import { bindFilter } from "../../src/core/filter/filter.ts";
import type { CollectionRows } from "../../src/steps/rows/collection-rows.ts";
import { CliError } from "../errors.ts";
import { countOption, splitList } from "../options.ts";
import { formatCell } from "../output/cell.ts";
import { countOf, formatInstant } from "../output/format.ts";
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
}

/** Shows rows of a collection straight from its backup. */
export async function peek(run: VerbRun<PeekOptions>): Promise<void> {
  const { options, output } = run;
  const limit = countOption("--limit", options.limit);
  const partitions = options.partitions === undefined ? undefined : splitList("--partitions", options.partitions);
  const [rows] = await openRows(run, [options.name], options.collections);
  if (rows === undefined) throw new RangeError("a backup was opened");
  const fields = chosenFields(rows, options.fields);
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
    found.length === 0 ? noRows(rows, filter !== undefined) : formatRows(rows, found),
  );
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
  const head = rows.instant ? `${rows.name} as of ${formatInstant(new Date(rows.instant.time))}` : rows.name;
  const table = formatTable(
    [...names.map((title) => ({ title })), ...(shown ? [{ title: "PARTITION" }] : [])],
    found.map(({ partition, values }) => [
      ...names.map((name) => formatCell(values[name])),
      ...(shown ? [partition] : []),
    ]),
  );
  return `${head}\n\n${table}`;
}
