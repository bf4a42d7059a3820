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
export function parseWorkJson(text: string, key: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new PipelineError("StoreFailed", `${key} in the work bucket is not valid JSON; start the execution again`, {
      cause,
    });
  }
}
