import type { Environment, RegisteredEnvironment } from "../../core/environment/environment.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ExecutionRef } from "../../core/execution/messages.ts";
import { settleBehind, settleEach } from "../../core/execution/settle.ts";
import { executionNameOf, stateMachineOf } from "../../core/execution/state-machine-arn.ts";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import { type Claim, claimedUntil } from "../../core/format/claim.ts";
import { targetsLayout } from "../../core/format/layout.ts";
import { type LastRestored, parseTargetLease, type TargetLease } from "../../core/format/target-lease.ts";
import type { CollectionName } from "../../core/milvus/descriptions.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import {
  attempts,
  type ClaimContext,
  claimLost,
  claimWatch,
  isHeld,
  readClaim,
  readClaimAs,
  writeClaim,
} from "./claim.ts";
import { type Held, readHeld } from "./held.ts";

/** The leases of one restore: known before they are taken, so that whoever cleans up finds them. */
type HeldTargets = NonNullable<Held["targets"]>;

/** How many leases are looked at or given back at once. */
const concurrency = 16;

export function leasesOf(
  { storage }: Pick<Environment, "storage">,
  execution: ExecutionRef,
  targets: readonly CollectionName[],
): HeldTargets {
  const layout = targetsLayout(storage.rootPath);
  // In one order for all: of two restores that want the same ones, one gets them all.
  const names = targets.map(qualifiedName).sort();
  return {
    pulse: layout.pulse(execution.id),
    leases: names.map((target) => ({ target, key: layout.lease(target) })),
  };
}

/**
 * Takes the leases on every target of a restore, or keeps those it has. One of an execution that is over is taken over; one that nobody
 * can ask about when it was silent for two hours. Where one is refused, Release gives the others back.
 * @returns what was restored last into each target
 * @throws AlreadyRunning naming who restores into it and until when
 */
export async function takeTargets(
  store: ObjectStore,
  held: HeldTargets,
  by: { readonly execution: ExecutionRef; readonly backupName: string },
  context: ClaimContext,
): Promise<ReadonlyMap<string, LastRestored>> {
  const { pulse, leases } = held;
  const begun = beginPulse(store, pulse, by, context);
  const last = new Map<string, LastRestored>();
  for (const lease of leases) {
    // the claim of this execution is there before a lease names it
    const found = await settleBehind(begun, readClaimAs(store, lease.key, parseTargetLease));
    const restored = await takeTarget(store, { ...lease, pulse, found }, by, context);
    if (restored) last.set(lease.target, restored);
  }
  await begun;
  return last;
}

async function beginPulse(
  store: ObjectStore,
  key: string,
  { execution, backupName }: { readonly execution: ExecutionRef; readonly backupName: string },
  context: Pick<StepContext, "clock">,
): Promise<void> {
  const claim: Claim = {
    version: 1,
    backupName,
    purpose: "restore",
    state: "writing",
    holder: execution.id,
    stateMachine: stateMachineOf(execution.id),
    startedAt: new Date(execution.startTime).toISOString(),
    heartbeatAt: context.clock.now().toISOString(),
  };
  // Its key is this execution's alone.
  await store.putText(key, `${JSON.stringify(claim, null, 2)}\n`, { contentType: "application/json" });
}

async function takeTarget(
  store: ObjectStore,
  {
    target,
    key,
    pulse,
    found,
  }: { readonly target: string; readonly key: string; readonly pulse: string; found: FoundLease | undefined },
  { execution, backupName }: { readonly execution: ExecutionRef; readonly backupName: string },
  context: ClaimContext,
): Promise<LastRestored | undefined> {
  const said = (restored: LastRestored | undefined): TargetLease => ({
    version: 1,
    target,
    state: "restoring",
    holder: execution.id,
    backupName,
    startedAt: new Date(execution.startTime).toISOString(),
    pulse,
    ...(restored && { restored }),
  });
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    if (attempt > 0) found = await readClaimAs(store, key, parseTargetLease);
    if (found === undefined) {
      // Read back by the next round: a store without conditional writes takes everybody's.
      await writeClaim(store, key, said(undefined), { ifAbsent: true });
      continue;
    }
    const { claim: lease, etag } = found;
    if (lease === undefined) throw unreadable(store, target, key);
    if (lease.state === "restoring") {
      if (lease.holder === execution.id) return lease.restored;
      const word = { state: "writing", holder: lease.holder, heartbeatAt: await lastWord(store, lease) } as const;
      const state = await isHeld(word, execution.id, context);
      if (state) throw heldBy(store, key, lease, state === "running" ? undefined : word);
      context.log.info("taking over a target from an execution that is over", { key, from: lease.holder });
    }
    // Only the version that was just read is replaced: of two executions that take over at once, one gets it.
    const taken = await writeClaim(store, key, said(lease.restored), { ifMatch: etag });
    // A holder that was only silent stops by that, also its copies and imports.
    if (taken && lease.state === "restoring" && isPulseBeside(key, lease.pulse)) await store.deleteKeys([lease.pulse]);
  }
  throw new PipelineError(
    "AlreadyRunning",
    `several executions started to restore into ${target} at once; start it again when they are over`,
    { details: { key } },
  );
}

/** What a lease names as its holder's claim is removed only where such claims lie. */
function isPulseBeside(key: string, pulse: string): boolean {
  return pulse.startsWith(`${key.slice(0, key.lastIndexOf("/") + 1)}pulse-`);
}

/** When the holder of a lease last said that it goes on, ISO 8601. */
async function lastWord(store: ObjectStore, { pulse, holder, startedAt }: TargetLease): Promise<string> {
  const claim = (await readClaim(store, pulse))?.claim;
  return claim?.holder === holder ? claim.heartbeatAt : startedAt;
}

/**
 * Makes sure that a restore still has all its targets.
 * @returns what lies there, by key
 * @throws ClaimLost naming one that it has not: nothing more may be replaced
 */
async function confirmTargets(store: ObjectStore, leases: HeldTargets["leases"], holder: string): Promise<FoundLeases> {
  const found = await settleEach(leases, concurrency, async ({ key }): Promise<[string, FoundLease]> => {
    const lease = await readClaimAs(store, key, parseTargetLease);
    if (lease === undefined || lease.claim?.holder !== holder || lease.claim.state !== "restoring") {
      throw claimLost(store, key, holder, lease?.claim);
    }
    return [key, lease];
  });
  return new Map(found);
}

type FoundLease = NonNullable<Awaited<ReturnType<typeof readClaimAs<TargetLease>>>>;
/** Leases as they were looked at, by key. */
type FoundLeases = ReadonlyMap<string, FoundLease>;

/** What a step goes on with that holds the targets of its execution; nothing to ask where Prepare Restore took none. */
export async function heldTargets(
  context: StepContext,
  layout: WorkLayout,
  environment: RegisteredEnvironment,
  { id }: Pick<ExecutionRef, "id">,
): Promise<{
  /** Looks whether it still has all of them, or a single one (`db.coll`), and says that it goes on. @throws ClaimLost */
  readonly confirm: (target?: string) => Promise<void>;
  /** The same of all of them; answers what lies there. @throws ClaimLost */
  readonly look: () => Promise<FoundLeases>;
  /** Says about once a minute that it goes on, however often it is asked. @throws ClaimLost */
  readonly watch: () => Promise<void>;
}> {
  const targets = (await readHeld(context, layout))?.targets;
  if (targets === undefined) return { confirm: async () => {}, look: async () => new Map(), watch: async () => {} };
  const store = await context.openStore(pinnedStore(environment, "milvus"));
  const watch = claimWatch(store, { key: targets.pulse, holder: id }, context);
  const confirmed = (leases: HeldTargets["leases"]) => settleBehind(watch(), confirmTargets(store, leases, id));
  const confirm = async (only?: string) => {
    await confirmed(targets.leases.filter(({ target }) => only === undefined || target === only));
  };
  return { confirm, look: () => confirmed(targets.leases), watch };
}

/**
 * Gives the targets back that the execution still has. A lease stays, free, where something is known of what was restored there.
 * @param restored what was restored now, by target; what was restored before stays known for the others
 * @param seen what was looked at a moment ago: only that very version is replaced
 */
export async function giveBackTargets(
  store: ObjectStore,
  { pulse, leases }: HeldTargets,
  holder: string,
  restored: ReadonlyMap<string, LastRestored> = new Map(),
  seen: FoundLeases = new Map(),
): Promise<void> {
  await settleEach(leases, concurrency, async ({ target, key }) => {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      // what is replaced is held to its version, what is removed is not
      const known = attempt === 0 && restored.has(target) ? seen.get(key) : undefined;
      const found = known ?? (await readClaimAs(store, key, parseTargetLease));
      if (found?.claim?.holder !== holder || found.claim.state !== "restoring") return;
      const last = restored.get(target) ?? found.claim.restored;
      if (last === undefined) return store.deleteKeys([key]);
      const free: TargetLease = { ...found.claim, state: "free", restored: last };
      if (await writeClaim(store, key, free, { ifMatch: found.etag })) return;
    }
  });
  await store.deleteKeys([pulse]);
}

/**
 * Removes the leases that an execution has or had, with what they say of what it restored: for targets that are nobody's afterwards. From then
 * on no step of it changes anything any more.
 */
export async function forgetTargets(store: ObjectStore, { pulse, leases }: HeldTargets, holder: string): Promise<void> {
  await store.deleteKeys([pulse]);
  await settleEach(leases, concurrency, async ({ key }) => {
    const found = await readClaimAs(store, key, parseTargetLease);
    if (found?.claim?.holder === holder) await store.deleteKeys([key]);
  });
}

/** @param word the last one of a holder that cannot be asked */
function heldBy(
  store: ObjectStore,
  key: string,
  { target, holder, backupName }: TargetLease,
  word: Pick<Claim, "state" | "heartbeatAt"> | undefined,
): PipelineError {
  const what = `backup ${backupName} is already being restored into ${target}`;
  const message =
    word === undefined
      ? `${what} by restore execution ${executionNameOf(holder)}: wait until it is over, or stop it`
      : `${what} by ${holder} of another deployment, which cannot be asked and said at ${word.heartbeatAt} that it goes on. Wait until it is ` +
        `over: the collection is free at ${new Date(claimedUntil(word)).toISOString()} if it says nothing more (${key} in ${store.label})`;
  return new PipelineError("AlreadyRunning", message, { details: { key, executionArn: holder } });
}

function unreadable(store: ObjectStore, target: string, key: string): PipelineError {
  return new PipelineError(
    "AlreadyRunning",
    `${key} in ${store.label} says in a way that this version does not know who restores into ${target}: choose another name; when nobody ` +
      "does, remove that object",
    { details: { key } },
  );
}
