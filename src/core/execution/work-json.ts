import * as z from "zod";
import { PipelineError } from "./errors.ts";

/** What a text says as JSON; undefined where it is none. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Parses a file of the work bucket. These hold every 64-bit ID as a string, so plain JSON is lossless here. */
export function parseWorkJson<T>(text: string, key: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(jsonOrUndefined(text));
  if (parsed.success) return parsed.data;
  throw new PipelineError(
    "StoreFailed",
    `${key} in the work bucket is not what this version of the pipeline writes there: ${z.prettifyError(parsed.error)}. Start the execution again`,
    { details: { key }, cause: parsed.error },
  );
}
