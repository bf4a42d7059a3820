import * as z from "zod";
import { messageOf } from "../../core/execution/errors.ts";
import { jsonOrUndefined } from "../../core/execution/work-json.ts";
import type { GarbageCollectionPause } from "../../core/milvus/descriptions.ts";
import type { GarbageCollection } from "../../ports/garbage-collection.ts";
import type { StepContext } from "../../ports/step-context.ts";

/**
 * How long a pause lasts when nobody renews or ends it: an execution that dies leaves Milvus without garbage collection no longer than
 * that. Longer than a copy that is waited for (a batch of 15 minutes, then 10 of retries).
 */
export const pauseSeconds = 3600;
const renewAfterMilliseconds = 15 * 60_000;

const renewals = z.object({
  /** ISO 8601; when it was last renewed, or somebody last set out to. */
  renewedAt: z.string(),
  /** What every renewal got: newer servers (2.6.8+) end each pause by its ticket. */
  pauses: z.array(z.object({ ticket: z.string() })),
  /** Why the last renewal failed. */
  problem: z.string().optional(),
});
type PauseRenewals = z.infer<typeof renewals>;

type Context = Pick<StepContext, "work" | "clock" | "log">;

/** Pauses that were taken beside the one that the execution holds; none where nothing was renewed, or the record cannot be read. */
export async function readRenewals(context: Pick<StepContext, "work">, key: string): Promise<PauseRenewals> {
  const text = await context.work.getTextIfPresent(key);
  return renewals.safeParse(jsonOrUndefined(text ?? "")).data ?? { renewedAt: "", pauses: [] };
}

/** Says that a pause was taken just now: renewals count from there. */
export async function noteFirstPause(context: Pick<StepContext, "work" | "clock">, key: string): Promise<void> {
  const first: PauseRenewals = { renewedAt: context.clock.now().toISOString(), pauses: [] };
  await context.work.putText(key, JSON.stringify(first), { contentType: "application/json" });
}

/**
 * Renews the pause of garbage collection where that is due. Whoever works for the backup calls it when they begin, many at once: one of
 * them does it, by a conditional write. So the pause lasts as long as somebody copies, and no longer than an hour after.
 * Never throws: a backup without the pause is right as well, it only may have to look again.
 * @param key of the record in the work bucket (workLayout's `pauseRenewals`)
 */
export async function renewPause(context: Context, key: string, collection: () => Promise<GarbageCollection>) {
  try {
    const now = context.clock.now();
    const present = await context.work.head(key);
    const earlier = await readRenewals(context, key);
    if (now.getTime() - Date.parse(earlier.renewedAt) < renewAfterMilliseconds) return;
    const renewal: PauseRenewals = { renewedAt: now.toISOString(), pauses: earlier.pauses };
    const mine = await context.work.putText(
      key,
      JSON.stringify(renewal),
      present === undefined ? { ifAbsent: true } : { ifMatch: present.etag },
    );
    if (!mine) return;
    await context.work.putText(key, JSON.stringify({ ...renewal, ...(await renewed(context, renewal, collection)) }));
  } catch (error) {
    context.log.warn("garbage collection may not stay paused", { reason: messageOf(error) });
  }
}

async function renewed(
  context: Context,
  { pauses }: PauseRenewals,
  collection: () => Promise<GarbageCollection>,
): Promise<Partial<PauseRenewals>> {
  try {
    const garbage = await collection();
    const pause: GarbageCollectionPause | undefined = await garbage.pause(pauseSeconds);
    if (pause === undefined || pauses.some(({ ticket }) => ticket === pause.ticket)) return {};
    if (pause.ticket === "") return { pauses: [...pauses, pause] };
    // Milvus keeps 64 pauses, and with one more it loses all of them, whoever's: the ones before this one are given back
    const kept: GarbageCollectionPause[] = [];
    for (const earlier of pauses) await garbage.resume(earlier).catch(() => void kept.push(earlier));
    return { pauses: [...kept, pause] };
  } catch (error) {
    context.log.warn("the pause of garbage collection could not be renewed", { reason: messageOf(error) });
    return { problem: messageOf(error) };
  }
}
