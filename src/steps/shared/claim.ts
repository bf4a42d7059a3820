import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { executionNameOf, sameAccountAndRegion } from "../../core/execution/state-machine-arn.ts";
import { type Claim, claimedUntil, claimTimes, parseClaim } from "../../core/format/claim.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";

/**
 * What every claim is made of, whatever it is about: a small object that says who works on something and when it last said so, replaced
 * only where it is still the version that was read.
 */
export type ClaimContext = Pick<StepContext, "executions" | "clock" | "log">;

/** Where a claim lies; what a copy needs to hold on to the one of its execution. */
export interface ClaimRef {
  readonly key: string;
  /** ARN of the execution. */
  readonly holder: string;
}

/** How often a claim that changes while it is looked at is looked at again. */
export const attempts = 8;

/**
 * Makes sure that an execution still has its claim, and says there that it goes on when it last did so a minute ago.
 * @throws ClaimLost where it has not: nothing more may be written
 */
export async function confirmClaim(
  store: ObjectStore,
  claim: ClaimRef,
  context: Pick<StepContext, "clock">,
): Promise<void> {
  await keepUp(store, claim, context, ({ state }) => state === "writing");
}

/**
 * The same for a claim to delete, which nobody can ask about: it counts only as long as it says that it goes on.
 * @throws ClaimLost where somebody else has it by now, or its holder was asleep for longer than that
 */
export async function confirmDeletionClaim(
  store: ObjectStore,
  claim: ClaimRef,
  context: Pick<StepContext, "clock">,
): Promise<void> {
  await keepUp(store, claim, context, (said, now) => claimedUntil(said) > now.getTime());
}

async function keepUp(
  store: ObjectStore,
  { key, holder }: ClaimRef,
  context: Pick<StepContext, "clock">,
  counts: (claim: Claim, now: Date) => boolean,
): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const found = await readClaim(store, key);
    const now = context.clock.now();
    const claim = found?.claim;
    if (found === undefined || claim?.holder !== holder || !counts(claim, now)) {
      throw claimLost(store, key, holder, claim);
    }
    if (Math.abs(now.getTime() - Date.parse(claim.heartbeatAt)) < claimTimes.heartbeatMilliseconds) return;
    const beat: Claim = { ...claim, heartbeatAt: now.toISOString() };
    if (await writeClaim(store, key, beat, { ifMatch: found.etag })) return;
  }
}

/** Whether an execution has the claim, without a word there. */
export async function hasClaim(store: ObjectStore, { key, holder }: ClaimRef): Promise<boolean> {
  return (await readClaim(store, key))?.claim?.holder === holder;
}

/** Confirms a claim now, and then about every minute when it is asked: many copies share one look. Once lost, always lost. */
export function claimWatch(
  store: ObjectStore,
  claim: ClaimRef | undefined,
  context: Pick<StepContext, "clock">,
): () => Promise<void> {
  let lookedAt = Number.NEGATIVE_INFINITY;
  let answer: Promise<void> = Promise.resolve();
  return () => {
    const now = context.clock.now().getTime();
    if (claim !== undefined && now - lookedAt >= claimTimes.heartbeatMilliseconds) {
      lookedAt = now;
      answer = answer.then(() => confirmClaim(store, claim, context));
    }
    return answer;
  };
}

/** `unknown`: nobody can ask its holder, which was heard of lately. */
export async function isHeld(
  claim: Pick<Claim, "state" | "holder" | "heartbeatAt"> & { readonly purpose?: Claim["purpose"] },
  askedBy: string,
  context: ClaimContext,
): Promise<"running" | "unknown" | undefined> {
  if (claim.state === "failed") return undefined;
  const state = sameAccountAndRegion(askedBy, claim.holder) ? await context.executions.state(claim.holder) : "unknown";
  if (state === "over") return undefined;
  if (state === "running") return "running";
  return claimedUntil(claim) > context.clock.now().getTime() ? "unknown" : undefined;
}

interface Found<T> {
  readonly etag: string;
  /** undefined where it cannot be read. */
  readonly claim: T | undefined;
}

/** undefined where there is none. */
export async function readClaim(store: ObjectStore, key: string): Promise<Found<Claim> | undefined> {
  return readClaimAs(store, key, parseClaim);
}

/** The same for another kind of claim. */
export async function readClaimAs<T>(
  store: ObjectStore,
  key: string,
  parse: (text: string) => T | undefined,
): Promise<Found<T> | undefined> {
  const found = await store.getVersionIfPresent(key);
  return found && { etag: found.etag, claim: parse(found.text) };
}

/** Answers false where the condition does not hold any more. */
export async function writeClaim(
  store: ObjectStore,
  key: string,
  claim: object,
  condition: { ifAbsent: true } | { ifMatch: string },
): Promise<boolean> {
  return store.putText(key, `${JSON.stringify(claim, null, 2)}\n`, { ...condition, contentType: "application/json" });
}

/**
 * What Release does with a claim: it stays, marked as failed, where something may have been written under it, so that the same command
 * goes on there; it is taken away from what was never begun, or is complete. A store that refuses is only logged: an execution that is over holds
 * nobody up.
 * @returns whether something may lie there that was written under it
 * @throws StoreBusy
 */
export async function failClaim(
  store: ObjectStore,
  { key, holder }: ClaimRef,
  isComplete: () => Promise<boolean>,
  context: ClaimContext,
): Promise<boolean> {
  try {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const found = await readClaim(store, key);
      if (found?.claim?.holder !== holder) return false;
      const { claim, etag } = found;
      if (claim.state === "checking" || (await isComplete())) {
        await store.deleteKeys([key]);
        return false;
      }
      const failed: Claim = { ...claim, state: "failed", heartbeatAt: context.clock.now().toISOString() };
      if (await writeClaim(store, key, failed, { ifMatch: etag })) return true;
    }
  } catch (error) {
    if (error instanceof PipelineError && error.kind === "transient") throw error;
    context.log.warn("the claim could not be marked as failed; it is taken over as that of an execution that is over", {
      key,
      reason: messageOf(error),
    });
  }
  return true;
}

/** @param claim what lies there now */
export function claimLost(
  store: ObjectStore,
  key: string,
  holder: string,
  claim: { readonly holder: string; readonly state: string } | undefined,
): PipelineError {
  const who =
    claim === undefined
      ? "it is gone"
      : claim.holder === holder
        ? `it is marked as ${claim.state}`
        : `${claim.holder} has it (${claim.state})`;
  return new PipelineError(
    "ClaimLost",
    `${executionNameOf(holder)} has lost its claim ${key} in ${store.label}: ${who}. Nothing more is written; start it again when nobody else works there`,
    { details: { key } },
  );
}
