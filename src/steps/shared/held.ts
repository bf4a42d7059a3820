import * as z from "zod";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readWorkJsonIfThere, writeWorkJson } from "./work-files.ts";

/**
 * What an execution holds outside of its own files until its last step or Release gives it back. Written before it is taken, as a
 * step may fail between the taking and its plan; and only once all stores and the Milvus of the execution have answered: who finds it
 * knows that their addresses are right (outlasting.ts).
 */
const heldRecord = z.object({
  /** What a restore holds: its targets, by keys of the target's Milvus bucket (target-leases.ts). */
  targets: z
    .object({ pulse: z.string(), leases: z.array(z.object({ target: z.string(), key: z.string() })) })
    .optional(),
  /** true: it may have a claim on the backup that it writes. */
  claimed: z.boolean().optional(),
  /** Of which Milvus it may use shared segments (segment-claims.ts), below the backup root that it writes to. */
  sharedSource: z.string().optional(),
  /** Key of its mark as a reader of a backup. */
  readerKey: z.string().optional(),
  garbageCollectionPause: z.object({ ticket: z.string() }).optional(),
});
export type Held = Readonly<z.infer<typeof heldRecord>>;

export async function writeHeld(context: StepContext, layout: WorkLayout, held: Held): Promise<void> {
  await writeWorkJson(context, layout.held, held);
}

/** undefined where the execution never came as far as holding anything. */
export async function readHeld(
  context: Pick<StepContext, "work">,
  layout: Pick<WorkLayout, "held">,
): Promise<Held | undefined> {
  return readWorkJsonIfThere(context, layout.held, heldRecord);
}
