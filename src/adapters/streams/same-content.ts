import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";

/** Whether an object of another store has a content, as far as that store tells without being read. */
export async function sameContent(source: ObjectStore, object: ObjectSummary, checksum: string): Promise<boolean> {
  try {
    return (await source.hasContent(object, checksum, { read: false })) === true;
  } catch (error) {
    // gone or replaced: the copy tells
    if (error instanceof PipelineError && error.name === "ObjectNotFound") return false;
    throw error;
  }
}
