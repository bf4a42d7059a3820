import type { Environment } from "../../core/environment/environment.ts";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { readRenewals } from "../shared/gc-pause.ts";
import type { Held } from "../shared/held.ts";

/**
 * Ends the GC pause that Prepare Backup took, and what renewed it since.
 * @param find the environment it was taken with; undefined where nobody knows its settings any more
 * @returns warnings for the result of the backup: where the pause was not renewed, what was copied may have had to be looked for again
 * @throws nothing that Milvus does: a pause ends by itself, and a backup is as good with it still on
 */
export async function resumeGarbageCollection(
  held: Pick<Held, "garbageCollectionPause">,
  find: () => Promise<Environment | undefined>,
  layout: Pick<WorkLayout, "pauseRenewals">,
  context: MilvusContext,
): Promise<string[]> {
  if (!held.garbageCollectionPause) return [];
  const { pauses, problem } = await readRenewals(context, layout.pauseRenewals);
  try {
    const environment = await find();
    if (environment === undefined) throw new Error("the registration it was paused with is kept no more");
    const collection = context.garbageCollection(environment);
    const tickets = new Set([held.garbageCollectionPause, ...pauses].map(({ ticket }) => ticket));
    for (const ticket of tickets) {
      // one that has run out is refused: the others are still to be ended
      await collection.resume({ ticket }).catch((error: unknown) => notResumed(context, error));
    }
  } catch (error) {
    notResumed(context, error);
  }
  if (problem === undefined) return [];
  return [
    `the pause of garbage collection could not be renewed while segments were copied, and may have ended: ${problem}`,
  ];
}

function notResumed(context: MilvusContext, error: unknown): void {
  context.log.warn("garbage collection could not be resumed; the pause ends by itself", {
    reason: error instanceof Error ? error.message : String(error),
  });
}
