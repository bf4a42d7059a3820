import { PipelineError } from "../../core/execution/errors.ts";
import type { ExecutionRef } from "../../core/execution/messages.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { executionNameOf, stateMachineOf } from "../../core/execution/state-machine-arn.ts";
import { type Claim, claimedUntil, hasWrongClock } from "../../core/format/claim.ts";
import type { MadeBySchedule } from "../../core/format/manifest.ts";
import type { StepContext } from "../../ports/step-context.ts";
import {
  attempts,
  type ClaimContext,
  confirmDeletionClaim,
  failClaim,
  hasClaim,
  isHeld,
  readClaim,
  writeClaim,
} from "./claim.ts";
import type { StoredBackup } from "./stored-backup.ts";

/** The execution that wants to write a backup. */
interface Claimant {
  readonly execution: ExecutionRef;
  readonly purpose: "backup" | "transfer" | "seal";
  readonly schedule?: MadeBySchedule | undefined;
  /** Whether what lies there, written by others, may stay: a transfer goes on to what is this very backup. */
  readonly accepts?: () => Promise<boolean>;
}

/** Who wants to delete a backup. */
interface Deleter {
  /** Names this very deletion, and nobody else's. */
  readonly holder: string;
  /** An ARN of the deployment: only executions of its account and region can be asked for. */
  readonly deployment: string;
  readonly schedule?: MadeBySchedule | undefined;
}

/**
 * Takes the claim on a backup's folder for an execution before anything is written there, or keeps the one it has. The claim of an
 * execution that is over is taken over with what lies there; one that nobody can ask about when it was silent for two hours.
 * @throws AlreadyRunning naming who has it and until when, BackupExists naming what lies there that nobody wrote under a claim
 */
export async function takeClaim(stored: StoredBackup, claimant: Claimant, context: ClaimContext): Promise<void> {
  const { execution, purpose, schedule } = claimant;
  const said = (state: Claim["state"]): Claim => ({
    version: 1,
    backupName: stored.name,
    purpose,
    state,
    holder: execution.id,
    stateMachine: stateMachineOf(execution.id),
    startedAt: new Date(execution.startTime).toISOString(),
    heartbeatAt: context.clock.now().toISOString(),
    ...(schedule && { schedule }),
  });
  const key = stored.layout.claim;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const found = await readClaim(stored.store, key);
    if (found === undefined) {
      // Read back by the next round: a store without conditional writes takes everybody's.
      await writeClaim(stored.store, key, said("checking"), { ifAbsent: true });
      continue;
    }
    const { claim, etag } = found;
    if (claim === undefined) throw unreadable(stored);
    if (claim.holder === execution.id) {
      if (claim.state === "checking" && !(await claimant.accepts?.())) await checkNothingElse(stored, etag);
      if (await writeClaim(stored.store, key, said("writing"), { ifMatch: etag })) return;
      continue;
    }
    if (claim.state === "deleting") throw beingDeleted(stored, claim, context);
    const held = await isHeld(claim, execution.id, context);
    if (held) throw heldBy(stored, claim, held, context);
    await checkNoStrangers(stored, `choose another name, or move what is no backup's away from ${stored.place}`);
    context.log.info("taking over the claim of an execution that is over", { key, from: claim.holder });
    // Only the version that was just read is replaced: of two executions that take over at once, one gets it.
    await writeClaim(stored.store, key, said(claim.state === "checking" ? "checking" : "writing"), { ifMatch: etag });
  }
  throw new PipelineError(
    "AlreadyRunning",
    `several executions started to write backup ${stored.name} in ${stored.place} at once; start it again when they are over`,
    { details: { key } },
  );
}

/** Takes the claim away from a backup that is complete; does nothing where somebody else has it by now, or nobody does. */
export async function releaseClaim(stored: StoredBackup, holder: string): Promise<void> {
  const { claim: key } = stored.layout;
  if (await hasClaim(stored.store, { key, holder })) await stored.store.deleteKeys([key]);
}

/** What Release does with the claim on a backup (`failClaim`). @throws StoreBusy */
export async function markClaimFailed(stored: StoredBackup, holder: string, context: ClaimContext): Promise<void> {
  const isComplete = async () => (await stored.committed()) !== undefined;
  await failClaim(stored.store, { key: stored.layout.claim, holder }, isComplete, context);
}

/** A deletion that holds its claim. */
interface HeldDeletion {
  /** @throws ClaimLost where somebody else has it by now, or this deletion was asleep for longer than its claim counts */
  confirm(): Promise<void>;
  /** Puts back what was there before: nothing was deleted. */
  giveBack(): Promise<void>;
}

/**
 * Takes the claim on a backup to delete it: from nobody, from an execution that is over, from another deletion.
 * @throws AlreadyRunning naming who writes it
 */
export async function takeDeletionClaim(
  stored: StoredBackup,
  deleter: Deleter,
  context: ClaimContext,
): Promise<HeldDeletion> {
  const { store } = stored;
  const { claim: key } = stored.layout;
  let before: Claim | undefined;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const found = await readClaim(store, key);
    if (found?.claim?.holder === deleter.holder && attempt > 0) {
      return heldDeletion(stored, deleter.holder, before, context);
    }
    before = found?.claim;
    await checkMayDelete(stored, before, deleter.deployment, context);
    const schedule = deleter.schedule ?? before?.schedule;
    const now = context.clock.now().toISOString();
    const claim: Claim = {
      version: 1,
      backupName: stored.name,
      purpose: "delete",
      state: "deleting",
      holder: deleter.holder,
      startedAt: now,
      heartbeatAt: now,
      ...(schedule && { schedule }),
    };
    await writeClaim(store, key, claim, found === undefined ? { ifAbsent: true } : { ifMatch: found.etag });
  }
  throw new PipelineError(
    "AlreadyRunning",
    `backup ${stored.name} in ${stored.place} is being written or deleted by several at once; delete it again when they are over`,
    { details: { key } },
  );
}

/** @throws AlreadyRunning where somebody writes the backup; a claim with a wrong clock that nobody can ask about holds nobody up */
export async function checkMayDelete(
  stored: StoredBackup,
  claim: Claim | undefined,
  deployment: string,
  context: ClaimContext,
): Promise<void> {
  if (claim === undefined || claim.state === "deleting") return;
  const held = await isHeld(claim, deployment, context);
  if (held === "unknown" && hasWrongClock(claim, context.clock.now())) return;
  if (held) throw heldBy(stored, claim, held, context);
}

/** The claim on a backup; undefined where there is none, or none that can be read. */
export async function claimOf(stored: StoredBackup): Promise<Claim | undefined> {
  return (await readClaim(stored.store, stored.layout.claim))?.claim;
}

/** @throws BackupInUse where a deletion of the backup is under way */
export async function checkNotBeingDeleted(stored: StoredBackup, context: Pick<StepContext, "clock">): Promise<void> {
  const claim = await claimOf(stored);
  if (claim?.state !== "deleting" || claimedUntil(claim) <= context.clock.now().getTime()) return;
  throw new PipelineError(
    "BackupInUse",
    `backup ${stored.name} in ${stored.place} is being deleted since ${claim.startedAt} (${claim.holder}); take another one`,
    { details: { key: stored.layout.claim } },
  );
}

/** @throws ForeignObjects where something lies in a backup's folder that no backup has, naming it */
export async function checkNoStrangers(stored: StoredBackup, advice: string): Promise<void> {
  const strangers = await stored.strangers();
  if (strangers.length === 0) return;
  throw new PipelineError(
    "ForeignObjects",
    `${stored.place} holds what no backup has: ${shortList(strangers)}. ${advice}`,
    { details: { strangers: strangers.slice(0, 10) } },
  );
}

function heldDeletion(
  stored: StoredBackup,
  holder: string,
  before: Claim | undefined,
  context: ClaimContext,
): HeldDeletion {
  const { store } = stored;
  const { claim: key } = stored.layout;
  return {
    confirm: () => confirmDeletionClaim(store, { key, holder }, context),
    async giveBack() {
      const found = await readClaim(store, key);
      if (found?.claim?.holder !== holder) return;
      if (before === undefined) await store.deleteKeys([key]);
      else await writeClaim(store, key, before, { ifMatch: found.etag });
    },
  };
}

/** Whoever takes a claim for the first time writes into an empty folder, or nowhere; throws BackupExists, with the claim taken away. */
async function checkNothingElse(stored: StoredBackup, etag: string): Promise<void> {
  const others = await stored.children();
  if (others.length === 0) return;
  // Another run of this step has written under the claim meanwhile: the next round sees it.
  if ((await readClaim(stored.store, stored.layout.claim))?.etag !== etag) return;
  await stored.store.deleteKeys([stored.layout.claim]);
  throw new PipelineError(
    "BackupExists",
    `something lies in ${stored.place} that this execution did not write: ${shortList(others)}. Choose another name; or, where it is what a ` +
      `backup left, remove it first ("milvus-backup delete -n ${stored.name} --incomplete")`,
    { details: { key: "backupName" } },
  );
}

function heldBy(stored: StoredBackup, claim: Claim, held: "running" | "unknown", context: ClaimContext): PipelineError {
  const writes = `backup ${stored.name} in ${stored.place} is already being written`;
  const details = { key: stored.layout.claim, executionArn: claim.holder };
  if (held === "running") {
    const who = `${claim.purpose} execution ${executionNameOf(claim.holder)}`;
    return new PipelineError("AlreadyRunning", `${writes} by ${who}: wait until it is over, or stop it`, { details });
  }
  const until = new Date(claimedUntil(claim)).toISOString();
  const last = hasWrongClock(claim, context.clock.now())
    ? `said at ${claim.heartbeatAt}, which is yet to come, that it goes on: a clock is wrong. Look at ${stored.layout.claim}; when that execution ` +
      `is over, remove what it left with "milvus-backup delete -n ${stored.name} --incomplete"`
    : `said at ${claim.heartbeatAt} that it goes on. Wait until it is over: the name is free at ${until} if it says nothing more ` +
      `(${stored.layout.claim})`;
  return new PipelineError(
    "AlreadyRunning",
    `${writes} by ${claim.holder} of another deployment, which cannot be asked and ${last}`,
    { details },
  );
}

function beingDeleted(stored: StoredBackup, claim: Claim, context: ClaimContext): PipelineError {
  const still = claimedUntil(claim) > context.clock.now().getTime();
  return new PipelineError(
    still ? "AlreadyRunning" : "BackupExists",
    still
      ? `backup ${stored.name} in ${stored.place} is being deleted since ${claim.startedAt}: wait until it is gone`
      : `the deletion of backup ${stored.name} in ${stored.place} was broken off: finish it with "milvus-backup delete -n ${stored.name} --incomplete", or choose another name`,
    { details: { key: stored.layout.claim } },
  );
}

function unreadable(stored: StoredBackup): PipelineError {
  return new PipelineError(
    "BackupExists",
    `${stored.layout.claim} in ${stored.store.label} says in a way that this version does not know who writes backup ${stored.name}: choose ` +
      `another name; when nobody writes it, "milvus-backup delete -n ${stored.name} --incomplete" removes what lies there`,
    { details: { key: stored.layout.claim } },
  );
}
