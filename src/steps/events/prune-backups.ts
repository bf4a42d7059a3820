import { mostNames, type RetentionInput, type RetentionResult } from "../../core/deployment/events.ts";
import { planRetention, type RetentionPlan, type ScheduledBackup } from "../../core/deployment/retention.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { MadeBySchedule, ManifestIndex } from "../../core/format/manifest.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { EnvironmentRegistry, StepContext } from "../../ports/step-context.ts";
import { deleteBackup } from "../catalog/delete-backup.ts";
import { type StoredBackup, storedBackups } from "../shared/stored-backup.ts";

const concurrency = 8;

/** A backup takes at most 7 days (the machine's time limit): what has no commit record then was being deleted, or never ended. */
const longestBackupMilliseconds = 8 * 86_400_000;

export interface PruningPlan extends RetentionPlan {
  /** Backups of the schedule whose deletion was broken off, or whose last step was: no reader takes them for backups. */
  readonly leftovers: readonly string[];
}

/** What retention needs: it reads its environment once, by name. */
export interface RetentionContext extends Pick<StepContext, "openStore" | "clock" | "log"> {
  readonly environments: Pick<EnvironmentRegistry, "get">;
}

/** Which backups in a store are whose business, and by which rules. */
export interface PruningRequest {
  readonly madeBy: MadeBySchedule;
  readonly input: Pick<RetentionInput, "keep" | "timeZone">;
}

/**
 * Decides what retention would delete, and deletes nothing. Only backups whose own manifest says that this schedule of this
 * deployment made them are looked at: never by their names alone, and never a copy that somebody put under another name.
 */
export async function planPruning(
  request: PruningRequest,
  store: ObjectStore,
  rootPath: string,
  now: Date,
): Promise<PruningPlan> {
  const stored = await storedBackups(store, { rootPath });
  const found = await settleEach(stored, concurrency, (backup) => scheduledBackup(backup, request.madeBy));
  const backups = found.filter((backup) => backup !== undefined);
  const plan = planRetention(
    backups.filter(({ committed }) => committed),
    request.input.keep,
    request.input.timeZone,
  );
  const leftovers = backups
    .filter(({ committed, created }) => !committed && now.getTime() - created.getTime() > longestBackupMilliseconds)
    .map(({ name }) => name);
  return { ...plan, leftovers };
}

/**
 * Deletes what the rules of a schedule do not keep, oldest first, each with its commit record first. Running it again goes on where
 * it was. Throws what environments and stores throw.
 */
export async function pruneBackups(
  request: { readonly input: RetentionInput; readonly stateMachine: string },
  context: RetentionContext,
): Promise<RetentionResult> {
  const { input, stateMachine } = request;
  const environment = await context.environments.get(input.environment);
  const { backupStorage } = environment;
  // by version: what is deleted lies in the bucket of the root path that was read
  const store = await context.openStore(pinnedStore(environment, "backup"));
  const madeBy = { name: input.schedule, environment: input.environment, stateMachine };
  const plan = await planPruning({ madeBy, input }, store, backupStorage.rootPath, context.clock.now());
  return applyPruning(plan, store, backupStorage.rootPath, context.log);
}

/** Deletes what a plan says. */
export async function applyPruning(
  plan: PruningPlan,
  store: ObjectStore,
  rootPath: string,
  log: StepContext["log"],
): Promise<RetentionResult> {
  const removed = [...plan.leftovers, ...plan.remove.map(({ name }) => name)];
  let objects = 0;
  for (const name of removed) {
    objects += (await deleteBackup(store, rootPath, name, { incomplete: true })).objects;
    log.info("backup deleted by retention", { backupName: name });
  }
  const kept = plan.keep.map(({ name }) => name);
  return {
    kept: kept.length,
    removed: removed.length,
    objects,
    keptNames: kept.slice(0, mostNames),
    removedNames: removed.slice(0, mostNames),
  };
}

/** undefined for what this schedule did not make. */
async function scheduledBackup(
  stored: StoredBackup,
  madeBy: MadeBySchedule,
): Promise<(ScheduledBackup & { committed: boolean }) | undefined> {
  const { layout, name } = stored;
  const manifest = await manifestOf(stored);
  const { schedule } = manifest ?? {};
  const isOurs =
    schedule?.name === madeBy.name &&
    schedule.environment === madeBy.environment &&
    schedule.stateMachine === madeBy.stateMachine;
  if (manifest === undefined || !isOurs || manifest.backupName !== name) return undefined;
  const committed = await stored.committed();
  const expected = manifest.metas.find(({ key }) => layout.root + key === layout.meta.full_meta);
  return {
    name,
    created: new Date(manifest.created),
    committed: committed !== undefined,
    good: committed !== undefined && committed.size === expected?.size,
  };
}

/** undefined where there is none, or none that can be read: whose backup it is nobody knows then. */
async function manifestOf(stored: StoredBackup): Promise<ManifestIndex | undefined> {
  try {
    return await stored.readManifest();
  } catch (error) {
    if (error instanceof PipelineError && error.name === "CorruptBackup") return undefined;
    throw error;
  }
}
