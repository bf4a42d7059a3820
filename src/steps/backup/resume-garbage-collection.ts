import type { Environment } from "../../core/environment/environment.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import type { Held } from "../shared/held.ts";

/**
 * Ends the GC pause that Prepare Backup took. Never throws: the pause ends by itself, and a backup is as good with it still on.
 * @returns whether nothing is paused any more
 */
export async function resumeGarbageCollection(
  held: Pick<Held, "garbageCollectionPause">,
  environment: Environment,
  context: MilvusContext,
): Promise<boolean> {
  if (!held.garbageCollectionPause) return true;
  try {
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
