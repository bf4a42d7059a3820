import { stringify } from "lossless-json";
import { rowDocument } from "./row-document.ts";
import type { RowField } from "./row-fields.ts";
import type { TableFile, TableRow } from "./table-file.ts";

/** Rows as text, one document of JSON a line: as `peek --json` has them, 64-bit integers to the last digit. */
export class JsonLines implements TableFile {
  readonly #fields: readonly RowField[];
  readonly #lines: Buffer[] = [];
  rows = 0;
  bytes = 0;

  constructor(fields: readonly RowField[]) {
    this.#fields = fields;
  }

  add(row: TableRow): void {
    const line = Buffer.from(`${printed(rowDocument(row, this.#fields))}\n`);
    this.#lines.push(line);
    this.rows += 1;
    this.bytes += line.length;
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#lines);
  }
}

function printed(document: Readonly<Record<string, unknown>>): string {
  const values = Object.entries(document).map(([name, value]) => `${JSON.stringify(name)}:${printedValue(value)}`);
  return `{${values.join(",")}}`;
}

/** Vectors are most of a row, and nothing prints numbers as fast as JavaScript itself; numbers of JSON are none of its own (`parseJson`). */
function printedValue(value: unknown): string {
  const isNumbers = Array.isArray(value) && typeof value[0] === "number";
  return (isNumbers ? JSON.stringify(value) : stringify(value)) ?? "null";
}
