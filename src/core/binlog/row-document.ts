import type { RowField } from "./row-fields.ts";
import { isReadable } from "./values.ts";

/**
 * A row as a program gets it: its fields by name in the schema's order, the dynamic ones flat behind them, as Milvus answers them. A value
 * that JSON has no number for (NaN, Infinity) is text.
 */
export function rowDocument(
  row: { value(field: RowField): unknown },
  fields: readonly RowField[],
): Record<string, unknown> {
  const readable = fields.filter(isReadable);
  const document = new Map<string, unknown>();
  for (const field of readable.filter(({ isDynamic }) => !isDynamic)) document.set(field.name, shown(row.value(field)));
  for (const field of readable.filter(({ isDynamic }) => isDynamic)) {
    for (const [name, value] of entriesOf(row.value(field))) {
      // Milvus takes no dynamic value by the name of a field; should there be one, the field is shown.
      if (!document.has(name)) document.set(name, value);
    }
  }
  return Object.fromEntries(document);
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

function shown(value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return Array.isArray(value) && value.some((item) => typeof item === "number" && !Number.isFinite(item))
    ? value.map(shown)
    : value;
}
