import { PipelineError } from "../../core/execution/errors.ts";

/** What a read answers; undefined where the object does not exist. */
export async function ifPresent<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof PipelineError && error.name === "ObjectNotFound") return undefined;
    throw error;
  }
}
