import { mostNames, type RetentionInput, type RetentionResult } from "../../core/deployment/events.ts";
import {
  failedMilliseconds,
  planRetention,
  type RetentionPlan,
  type ScheduledBackup,
} from "../../core/deployment/retention.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { describeLock, objectLock } from "../../core/execution/object-lock.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { MadeBySchedule } from "../../core/format/manifest.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { EnvironmentRegistry, StepContext } from "../../ports/step-context.ts";
import { type DeleteContext, deleteBackup } from "../catalog/delete-backup.ts";
import { claimOf } from "../shared/backup-claim.ts";
import { storedBackups } from "../shared/find-backup.ts";
import { isMadeBy } from "../shared/made-by.ts";
import type { ReadPlace } from "../shared/readers.ts";
import { type FoundScheduledBackup, problemOfObjects, scheduledBackup } from "../shared/scheduled-backups.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";
import { sumOfSweeps, sweepSegments } from "../shared/sweep-segments.ts";

const concurrency = 8;

/** A backup takes at most 7 days (the machine's time limit): what has no commit record then was being deleted, or never ended. */
const longestBackupMilliseconds = 8 * 86_400_000;

interface PruningPlan extends RetentionPlan {
  /** What failed backups of the schedule left, and deletions that were broken off: no reader takes them for backups. */
  readonly leftovers: readonly string[];
  /** Sentences about backups that are complete, and not whole. */
  readonly warnings: readonly string[];
}

/** What retention needs: it reads its environment once, by name. */
export interface RetentionContext extends Pick<StepContext, "openStore" | "work" | "executions" | "clock" | "log"> {
  readonly environments: Pick<EnvironmentRegistry, "get">;
}

/** Which backups in a store are whose business, and by which rules. */
interface PruningRequest {
  readonly madeBy: MadeBySchedule;
  readonly input: Pick<RetentionInput, "keep" | "timeZone">;
}

/** Where a schedule's backups lie: the backup storage of its environment. */
type BackupsPlace = ReadPlace & { readonly rootPath: string };

/**
 * Decides what retention would delete, and deletes nothing. Only backups whose own manifest, or whose claim, says that this schedule
 * of this deployment made them are looked at: never by their names alone, and never a copy that somebody put under another name. One
 * that would be kept, so that others go, is good only if every object is there that its manifest lists.
 */
export async function planPruning(
  request: PruningRequest,
  store: ObjectStore,
  rootPath: string,
  now: Date,
): Promise<PruningPlan> {
  const { keep, timeZone } = request.input;
  const folders = await storedBackups(store, { rootPath });
  const looked = await settleEach(folders, concurrency, (it) => scheduledBackup(it, request.madeBy));
  const found = looked.filter((backup) => backup !== undefined);
  const { plan, warnings } = await planWithWholeOnes(
    found.filter(({ committed }) => committed),
    (backups) => planRetention(backups, keep, timeZone),
  );
  const complete = new Set(found.filter(({ committed }) => committed).map(({ name }) => name));
  const begun = new Map(found.map((backup) => [backup.name, backup]));
  const unfinished = folders.filter(({ name }) => !complete.has(name));
  const isLeft = await settleEach(unfinished, concurrency, (it) => isLeftover(it, begun.get(it.name), request, now));
  return { ...plan, leftovers: unfinished.filter((_, index) => isLeft[index]).map(({ name }) => name), warnings };
}

/** Looks into those that would stay, until all of them are whole: nothing goes in favour of one that is not. */
async function planWithWholeOnes(
  found: readonly FoundScheduledBackup[],
  planOf: (backups: readonly ScheduledBackup[]) => RetentionPlan,
): Promise<{ plan: RetentionPlan; warnings: string[] }> {
  const problems = new Map<string, string | undefined>(
    found.flatMap(({ name, damage }) => (damage === undefined ? [] : [[name, isDamaged(name, damage)]])),
  );
  for (;;) {
    const plan = planOf(found.map((it) => ({ ...it, good: it.good && problems.get(it.name) === undefined })));
    const kept = new Set(plan.keep.map(({ name }) => name));
    const unseen = found.filter(({ name, good }) => good && kept.has(name) && !problems.has(name));
    if (plan.remove.length === 0 || unseen.length === 0) {
      const told = [...problems.values()].filter((problem) => problem !== undefined);
      return { plan, warnings: [...told, ...keptAsVerified(plan)] };
    }
    // One after another: each is a listing of a whole backup.
    for (const backup of unseen) problems.set(backup.name, await problemOf(backup));
  }
}

/** What no rule keeps, and stays all the same. */
function keptAsVerified({ keep }: RetentionPlan): string[] {
  const only = keep.filter(({ reasons }) => reasons.every((reason) => reason === "last verified"));
  return only.map(({ name }) => `backup ${name} stays: it is the last one that was verified, and no newer one is yet`);
}

function isDamaged(name: string, damage: string): string {
  return `backup ${name} is damaged, and nothing is deleted in its favour: ${damage}`;
}

async function problemOf({ stored, manifest, name }: FoundScheduledBackup): Promise<string | undefined> {
  const problem = await problemOfObjects(stored, manifest);
  return problem && `backup ${name} is not whole, and nothing is deleted in its favour: ${problem}`;
}

/**
 * Deletes what the rules of a schedule do not keep, oldest first, each with its commit record first, and what failed backups of it left.
 * What is being written or read stays until the next time, with a warning. Running it again goes on where it was.
 * @throws what environments and stores throw
 */
export async function pruneBackups(
  request: { readonly input: RetentionInput; readonly stateMachine: string; readonly execution: string },
  context: RetentionContext,
): Promise<RetentionResult> {
  const { input, stateMachine } = request;
  const environment = await context.environments.get(input.environment);
  const { backupStorage } = environment;
  // by version: what is deleted lies in the bucket of the root path that was read
  const store = await context.openStore(pinnedStore(environment, "backup"));
  const madeBy = { name: input.schedule, environment: input.environment, stateMachine };
  const plan = await planPruning({ madeBy, input }, store, backupStorage.rootPath, context.clock.now());
  const holder = `retention after ${request.execution}`;
  return applyPruning(plan, { store, place: backupStorage, madeBy, holder }, context);
}

/** Deletes what a plan says. */
export async function applyPruning(
  plan: PruningPlan,
  where: { store: ObjectStore; place: BackupsPlace; madeBy: MadeBySchedule; holder: string },
  context: DeleteContext,
): Promise<RetentionResult> {
  const { store, place, madeBy, holder } = where;
  const leftovers = new Set(plan.leftovers);
  const going = new Set([...leftovers, ...plan.remove.map(({ name }) => name)]);
  const request = { place, holder, deployment: madeBy.stateMachine, schedule: madeBy, incomplete: true };
  const removed: string[] = [];
  const locked: string[] = [];
  const warnings = [...plan.warnings];
  let objects = 0;
  // As they were found, not made from their names.
  const folders = new Map((await storedBackups(store, place)).map((stored) => [stored.name, stored]));
  for (const name of going) {
    const stored = folders.get(name);
    if (stored === undefined) continue;
    try {
      const neverComplete = leftovers.has(name);
      objects += (await deleteBackup(stored, { ...request, neverComplete }, context)).objects;
      removed.push(name);
      context.log.info("backup deleted by retention", { backupName: name });
    } catch (error) {
      if (!(error instanceof PipelineError) || !staysForNow.has(error.name)) throw error;
      const lock = objectLock.safeParse(error.details).data;
      if (error.name === "BackupLocked" && lock) locked.push(`${name} is ${describeLock(lock)}`);
      else warnings.push(error.message);
    }
  }
  const swept = removed.length > 0 ? await sweep(where, context, warnings) : undefined;
  if (locked.length > 0) context.log.info("locked backups stay until their time is over", { locked });
  for (const warning of warnings) context.log.warn("retention leaves something alone", { reason: warning });
  const kept = plan.keep.map(({ name }) => name);
  return {
    kept: kept.length,
    removed: removed.length,
    objects,
    ...(swept && { swept }),
    ...(locked.length > 0 && { locked: locked.length, lockedNames: locked.slice(0, mostNames) }),
    keptNames: kept.slice(0, mostNames),
    removedNames: removed.slice(0, mostNames),
    warnings: warnings.slice(0, mostWarnings),
  };
}

/** Removes the segments that nothing names any more; what keeps it from that is a warning, and the next time's work. */
async function sweep(
  { store, place, madeBy, holder }: Parameters<typeof applyPruning>[1],
  context: DeleteContext,
  warnings: string[],
): Promise<RetentionResult["swept"]> {
  try {
    const sources = await sweepSegments(store, place, { holder, deployment: madeBy.stateMachine }, context);
    if (sources.length === 0) return undefined;
    const { skipped, locked, ...swept } = sumOfSweeps(sources);
    if (locked !== undefined) context.log.info(locked);
    if (skipped !== undefined) warnings.push(skipped);
    return swept;
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name !== "CorruptBackup") throw error;
    warnings.push(error.message);
    return undefined;
  }
}

/** What an event has room for beside the names. */
const mostWarnings = 50;

/** Why one backup stays while the others go. */
const staysForNow: ReadonlySet<string> = new Set([
  "BackupInUse",
  "BackupLocked",
  "AlreadyRunning",
  "ForeignObjects",
  "BackupNotFound",
]);

/**
 * Whether a failed backup of the schedule, or a deletion that was broken off, left a folder long enough ago; whether it is still being
 * written is found out when it is deleted.
 * @param begun what its manifest says, where it has one
 */
async function isLeftover(
  stored: StoredBackup,
  begun: FoundScheduledBackup | undefined,
  { madeBy, input }: PruningRequest,
  now: Date,
): Promise<boolean> {
  const claim = await claimOf(stored);
  if (claim === undefined) {
    return begun !== undefined && now.getTime() - begun.created.getTime() > longestBackupMilliseconds;
  }
  if (!isMadeBy(claim.schedule, madeBy) || claim.backupName !== stored.name) return false;
  if (now.getTime() - Date.parse(claim.heartbeatAt) <= failedMilliseconds(input.keep)) return false;
  // One that is complete, and whose manifest cannot be read: whose it is a claim alone does not say.
  return (await stored.committed()) === undefined;
}
