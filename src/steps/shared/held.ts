import type { workLayout } from "../../core/execution/work-layout.ts";
import type { GarbageCollectionPause } from "../../core/milvus/descriptions.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readWorkJsonIfThere, writeWorkJson } from "./work-files.ts";

type WorkLayout = ReturnType<typeof workLayout>;

/**
 * What an execution holds outside of its own files until its last step or Release gives it back. Written before it is taken, as a
 * step may fail between the taking and its plan; and only once all stores and the Milvus of the execution have answered: who finds it
 * knows that their addresses are right (outlasting.ts).
 */
export interface Held {
  readonly leaseSubject: string;
  readonly garbageCollectionPause?: GarbageCollectionPause;
}

export async function writeHeld(context: StepContext, layout: WorkLayout, held: Held): Promise<void> {
  await writeWorkJson(context, layout.held, held);
}

/** undefined where the execution never came as far as holding anything. */
export async function readHeld(context: StepContext, layout: WorkLayout): Promise<Held | undefined> {
  return readWorkJsonIfThere<Held>(context, layout.held);
}
