import * as z from "zod";
import { documents } from "../../cli/documents/index.ts";

/**
 * Reads what a verb printed with `--json`, and holds it to the schema of its kind.
 * @throws Error where it is no document, or has a field that its schema does not have
 */
export function parseDocument(text: string): unknown {
  const printed: unknown = JSON.parse(text);
  const kind = z.looseObject({ kind: z.string() }).parse(printed).kind;
  const schema: z.ZodType | undefined = Object.entries(documents).find(([name]) => name === kind)?.[1];
  if (schema === undefined) throw new Error(`there is no document ${kind}`);
  const parsed = schema.safeParse(printed);
  if (parsed.success) return printed;
  throw new Error(
    `document ${kind} is not as its schema says: ${z.prettifyError(parsed.error)}\n${text.slice(0, 2_000)}`,
  );
}
