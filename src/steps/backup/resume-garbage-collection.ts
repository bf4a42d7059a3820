import type { Environment } from "../../core/environment/environment.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import type { Held } from "../shared/held.ts";

/**
 * Ends the GC pause that Prepare Backup took. Never throws: the pause ends by itself, and a backup is as good with it still on.
 * @param find the environment it was taken with; undefined where nobody knows its settings any more
 * @returns whether nothing is paused any more
 */
export async function resumeGarbageCollection(
  held: Pick<Held, "garbageCollectionPause">,
  find: () => Promise<Environment | undefined>,
  context: MilvusContext,
): Promise<boolean> {
  if (!held.garbageCollectionPause) return true;
  try {
    const environment = await find();
    if (environment === undefined) throw new Error("the registration it was paused with is kept no more");
    const milvus = await context.connectMilvus(environment);
    await milvus.resumeGarbageCollection(held.garbageCollectionPause);
    return true;
  } catch (error) {
    context.log.warn("garbage collection could not be resumed; the pause ends by itself", {
      reason: error instanceof Error ? error.message : String(error),
    });
    return false;
  }
}
