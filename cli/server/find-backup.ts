import { backupIdOf } from "../../src/core/execution/deterministic-id.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import { executionArnOf, stateMachineOf } from "../../src/core/execution/state-machine-arn.ts";
import type { Claim } from "../../src/core/format/claim.ts";
import { withoutSecrets } from "../../src/core/format/meta.ts";
import { checkBackupName } from "../../src/core/milvus/names.ts";
import type { ObjectStore } from "../../src/ports/object-store.ts";
import type { ExecutionDescription } from "../../src/ports/pipeline-executions.ts";
import { outlineBackup } from "../../src/steps/catalog/get-backup.ts";
import { listBackups } from "../../src/steps/catalog/list-backups.ts";
import { findUnfinished, unfinishedState } from "../../src/steps/catalog/unfinished-backup.ts";
import { findBackup } from "../../src/steps/shared/find-backup.ts";
import { chosenEnvironment } from "../environments.ts";
import { backupOf } from "../pipeline/execution-input.ts";
import { executionNameOf } from "../pipeline/execution-name.ts";
import { newestAbout } from "../pipeline/find-execution.ts";
import { machineArn } from "../pipeline/stack.ts";
import { type BackupBrief, backupBrief, describeMetas, stateCodes } from "./answers.ts";
import type { Api } from "./api.ts";
import { invalid } from "./selection.ts";
import { backupTask, type TaskMachine, taskName } from "./tasks.ts";

/** An execution by the ID that whoever started it got or chose; undefined where there is none. */
export async function findTask(api: Api, machine: TaskMachine, id: string): Promise<ExecutionDescription | undefined> {
  return describe(api, executionArnOf(machineArn(await api.pipeline(), machine), taskName(id)));
}

/** What Step Functions tells of an execution; one that was started just now, and that it does not tell of yet, runs. */
async function describe(api: Api, arn: string): Promise<ExecutionDescription | undefined> {
  const executions = await api.context.connections.executions();
  const found = await executions.describe(arn);
  const started = api.started.get(arn);
  if (found !== undefined || started === undefined) return found;
  const { at: startedAt, backupName } = started;
  const about = { stateMachineArn: stateMachineOf(arn), input: JSON.stringify({ backupName }) };
  return { arn, name: executionNameOf(arn), status: "running", startedAt, ...about };
}

/** A backup by the ID that its execution was started with, or by the one of its metas, as `list` tells it; undefined for neither. */
export async function backupById(api: Api, id: string): Promise<BackupBrief | undefined> {
  const execution = (await findTask(api, "backup", id)) ?? (await executionOf(api, id));
  if (execution !== undefined) return briefOfExecution(api, id, execution);
  const { store, rootPath } = await openBackups(api);
  const listed = (await listBackups(store, rootPath, { instants: false })).find((backup) => backup.id === id);
  return listed && stored(api, listed.name);
}

/** The newest backup whose metas have this ID, or will have it. */
async function executionOf(api: Api, id: string): Promise<ExecutionDescription | undefined> {
  const executions = await api.context.connections.executions();
  const listed = await executions.list(machineArn(await api.pipeline(), "backup"), listedExecutions);
  const arn = [...api.started.keys(), ...listed.map((execution) => execution.arn)].find(
    (one) => backupIdOf(one) === id,
  );
  return arn === undefined ? undefined : describe(api, arn);
}

/** What one request lists. */
const listedExecutions = 1_000;

/** A backup by its name: as it lies there, or else as whoever makes it says. */
export async function backupByName(api: Api, name: string): Promise<BackupBrief | undefined> {
  const { store, rootPath, environment } = await openBackups(api);
  const unfinished = await findUnfinished(store, { rootPath }, checkBackupName(name));
  const complete = unfinished === undefined ? await stored(api, name) : undefined;
  if (complete !== undefined) return complete;
  const execution = await executionAbout(api, environment, name, unfinished?.claim);
  // of one that has succeeded either the backup is there, or it was deleted since
  if (execution?.status === "succeeded") return stored(api, name);
  if (execution !== undefined) return briefOfExecution(api, backupIdOf(execution.arn), execution);
  return unfinished && briefOfUnfinished(api, name, unfinished.claim);
}

/**
 * Whoever has the claim comes first: of two that were started for one backup it is the one that makes it. Without a claim the newest, which may be one
 * that Step Functions does not list yet.
 */
async function executionAbout(
  api: Api,
  environment: string,
  name: string,
  claim: Claim | undefined,
): Promise<ExecutionDescription | undefined> {
  const pipeline = await api.pipeline();
  const executions = await api.context.connections.executions();
  if (claim !== undefined) {
    return claim.stateMachine === machineArn(pipeline, "backup") ? describe(api, claim.holder) : undefined;
  }
  const started = api.newestOf.get(name);
  const own = started === undefined ? undefined : await describe(api, started);
  const found = await newestAbout(executions, pipeline, name, { machines: ["backup"], environment });
  const newest = [own, found?.execution].filter((one) => one !== undefined);
  return newest.sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())[0];
}

/** undefined for a backup that was made, and is there no more. */
async function briefOfExecution(
  api: Api,
  id: string,
  execution: ExecutionDescription,
): Promise<BackupBrief | undefined> {
  const name = backupOf(execution, "backup") ?? "";
  if (execution.status !== "succeeded") {
    const progress = await api.progressOf("backup", execution.name).read();
    return backupBrief.create(backupTask({ id, execution, progress }, name));
  }
  const metas = await stored(api, name);
  if (metas?.id !== backupIdOf(execution.arn)) return undefined;
  return { ...metas, ...backupTask({ id, execution, progress: { copied: nothing } }, name) };
}

const nothing = { segments: 0, objects: 0, bytes: 0 };

/** Another deployment's, or somebody else's. */
function briefOfUnfinished(api: Api, name: string, claim: Claim | undefined): BackupBrief {
  const state = unfinishedState(claim, api.context.clock.now());
  if (state === "writing") return backupBrief.create({ name, state_code: stateCodes.executing, progress: 1 });
  const errorMessage =
    state === "deleting"
      ? "it is being deleted"
      : "it is not complete, and nobody works on it: milvus-backup delete --incomplete removes what is there";
  return backupBrief.create({ name, state_code: stateCodes.fail, errorMessage });
}

/** A complete backup as it lies there; undefined where there is none. */
async function stored(api: Api, name: string): Promise<BackupBrief | undefined> {
  const { store, rootPath } = await openBackups(api);
  try {
    const { backup, begunAt, warnings } = await outlineBackup(store, rootPath, name);
    for (const warning of warnings) api.warn(warning);
    return backupBrief.create({
      ...describeMetas(withoutSecrets(backup)),
      state_code: stateCodes.success,
      progress: 100,
      ...(begunAt !== undefined && { start_time: BigInt(Math.floor(Date.parse(begunAt) / 1000)) }),
      meta_size: await metaBytes(store, rootPath, name),
    });
  } catch (error) {
    if (error instanceof PipelineError && error.name === "BackupNotFound") return undefined;
    throw error;
  }
}

/**
 * What a restore is asked to leave out by time, it must know the time of.
 * @throws InvalidInput for a backup of which some collection tells no instant, BackupNotFound
 */
export async function checkInstantKnown(api: Api, name: string): Promise<void> {
  const { store, rootPath } = await openBackups(api);
  const { backup, instants } = await outlineBackup(store, rootPath, name);
  if (backup.collection_backups.every(({ collection_id }) => instants.has(collection_id.toString()))) return;
  throw invalid(
    "truncateBinlogByTs",
    `${name} does not say at which instant it was taken (milvus-backup wrote it, or nothing was flushed), so nothing can be left out by time. Without the key it is restored as it is`,
  );
}

async function metaBytes(store: ObjectStore, rootPath: string, name: string): Promise<bigint> {
  const { layout } = await findBackup(store, { rootPath }, name);
  let bytes = 0n;
  for await (const { size } of store.list(layout.metas)) bytes += BigInt(size);
  return bytes;
}

/** Where the backups of the server's environment lie, and what it is called. */
export async function openBackups({
  context,
  shared,
}: Api): Promise<{ readonly store: ObjectStore; readonly rootPath: string; readonly environment: string }> {
  const environment = await chosenEnvironment(context, shared);
  const store = await context.connections.openStore(environment, "backup");
  return { store, rootPath: environment.backupStorage.rootPath, environment: environment.name };
}
