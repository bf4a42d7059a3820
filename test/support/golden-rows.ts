import { readFileSync } from "node:fs";
import * as z from "zod";
import { toJson } from "../../cli/output/output.ts";

/** What the golden backup holds, as whoever made it wrote it down: rows as the SDK answered them, 64-bit integers as text. */
const expectedFile = z.record(
  z.string(),
  z.object({ primaryKey: z.string(), rows: z.array(z.record(z.string(), z.unknown())) }),
);

export const goldenRows = expectedFile.parse(
  JSON.parse(readFileSync(new URL("../fixtures/milvus-backup-0.5.16.expected.json", import.meta.url), "utf8")),
);

type AnsweredField = { readonly name: string; readonly type: string; readonly elementType?: string | undefined };

/** A document of a row as the SDK answers it: 64-bit integers as text, those in JSON as numbers. */
export function asAnswered(
  document: Record<string, unknown>,
  fields: readonly AnsweredField[],
): Record<string, unknown> {
  const long = new Set(
    fields.filter(({ type, elementType }) => (elementType ?? type) === "Int64").map(({ name }) => name),
  );
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => [
      name,
      long.has(name) ? asTexts(value) : JSON.parse(toJson(value)),
    ]),
  );
}

function asTexts(value: unknown): unknown {
  return Array.isArray(value) ? value.map(asTexts) : String(value);
}
