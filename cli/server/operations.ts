import { randomUUID } from "node:crypto";
import { checkConfirmed } from "../../src/core/environment/protection.ts";
import { backupIdOf } from "../../src/core/execution/deterministic-id.ts";
import { checkBackupName } from "../../src/core/milvus/names.ts";
import type { ExecutionDescription } from "../../src/ports/pipeline-executions.ts";
import { listBackups } from "../../src/steps/catalog/list-backups.ts";
import { check } from "../actions/check.ts";
import { create } from "../actions/create.ts";
import { remove } from "../actions/delete.ts";
import { restore } from "../actions/restore.ts";
import { chosenEnvironment } from "../environments.ts";
import { followExecution } from "../pipeline/follow.ts";
import { failureOf } from "../pipeline/results.ts";
import { backupAnswer, codes, deleteAnswer, listAnswer, restoreAnswer } from "./answers.ts";
import type { Api, Said } from "./api.ts";
import { checkRootPath, createOptions } from "./create-options.ts";
import { failureAnswer } from "./failures.ts";
import { backupById, backupByName, checkInstantKnown, findTask, openBackups } from "./find-backup.ts";
import type { CreateRequest, RestoreRequest } from "./requests.ts";
import { restoreOptions } from "./restore-options.ts";
import { invalid } from "./selection.ts";
import { restoreTaskOf, type TaskMachine, taskName } from "./tasks.ts";

/** How long whoever asks waits. */
export interface Patience {
  /** Aborted: nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Nothing is begun after it; absent where there is time. */
  readonly until?: Date;
}

/** `POST /create` @param requestId of the header; what it starts has it as its ID */
export async function createBackup(
  api: Api,
  request: CreateRequest,
  requestId: string,
  { signal, ...limits }: Patience,
) {
  let id = requestId;
  try {
    const options = createOptions(request, await chosenEnvironment(api.context, api.shared));
    const started = await start(api, "backup", requestId, (named) =>
      api.call(create, options, { ...limits, ...named }),
    );
    id = started.id;
    const over = request.async ? undefined : await waitFor(api, started.arn, signal);
    if (over === undefined) {
      return backupAnswer.create({
        requestId: id,
        msg: "the backup is under way: get_backup tells when it is complete",
      });
    }
    if (over.status !== "succeeded") throw failureOf(over);
    return backupAnswer.create({ requestId: id, msg: "success", data: await backupById(api, id) });
  } catch (error) {
    return backupAnswer.create({ requestId: id || randomUUID(), ...failureAnswer(error) });
  }
}

/** `POST /restore` */
export async function restoreBackup(api: Api, request: RestoreRequest, { signal, ...limits }: Patience) {
  const requestId = request.requestId || randomUUID();
  let started: StartedTask | undefined;
  try {
    const environment = await chosenEnvironment(api.context, api.shared);
    const options = restoreOptions(request, environment);
    checkConfirmed(environment, request.confirm || undefined, "nothing is restored into it");
    if (request.truncateBinlogByTs) await checkInstantKnown(api, options.name);
    started = await start(api, "restore", request.id ?? "", (named) =>
      api.call(restore, options, { ...limits, ...named }),
    );
    const over = request.async ? undefined : await waitFor(api, started.arn, signal);
    if (over !== undefined && over.status !== "succeeded") throw failureOf(over);
    const msg = over === undefined ? "the restore is under way: get_restore tells when it is complete" : "success";
    return restoreAnswer.create({ requestId, msg, data: await restoreById(api, started.id) });
  } catch (error) {
    const { code, msg } = failureAnswer(error, { BackupNotFound: codes.parameterError });
    const more = started === undefined ? "" : ` (get_restore?id=${started.id} tells of it)`;
    return restoreAnswer.create({ requestId, code, msg: `${msg}${more}` });
  }
}

/** `GET /get_backup` */
export async function getBackup(
  api: Api,
  { name, id, path }: { readonly name: string; readonly id: string; readonly path: string },
  requestId: string,
) {
  try {
    checkRootPath("path", path, await chosenEnvironment(api.context, api.shared));
    if (name === "" && id === "") throw invalid("backup_name", "backup_name or backup_id is required");
    const data = id === "" ? await backupByName(api, checkBackupName(name)) : await backupById(api, id);
    if (data !== undefined) return backupAnswer.create({ requestId, msg: "success", data });
    const missing = id === "" ? `there is no backup ${name}` : `there is no backup with the ID ${id}`;
    return backupAnswer.create({ requestId, code: id === "" ? codes.notFound : codes.fail, msg: missing });
  } catch (error) {
    return backupAnswer.create({ requestId, ...failureAnswer(error) });
  }
}

/** `GET /get_restore` */
export async function getRestore(api: Api, id: string, requestId: string) {
  try {
    if (id === "") return restoreAnswer.create({ requestId, code: codes.fail, msg: "id: it is required" });
    const data = await restoreById(api, id);
    if (data !== undefined) return restoreAnswer.create({ requestId, msg: "success", data });
    return restoreAnswer.create({ requestId, code: codes.fail, msg: `there is no restore with the ID ${id}` });
  } catch (error) {
    return restoreAnswer.create({ requestId, ...failureAnswer(error) });
  }
}

/** `GET /list` */
export async function listAll(api: Api, requestId: string) {
  try {
    const { store, rootPath } = await openBackups(api);
    const found = await listBackups(store, rootPath, { instants: false });
    for (const { name, problem } of found) if (problem !== undefined) api.warn(`${name}: ${problem}`);
    const data = found
      .filter(({ state }) => state === "complete")
      .map(({ id, name, size, milvusVersion }) => ({ id, name, size, milvus_version: milvusVersion }));
    return listAnswer.create({ requestId, data });
  } catch (error) {
    return listAnswer.create({ requestId, ...failureAnswer(error) });
  }
}

/** `DELETE /delete`; goes on where an earlier one was broken off. @param confirm the environment once more, where it is protected */
export async function deleteBackup(
  api: Api,
  { name, confirm }: { readonly name: string; readonly confirm: string },
  requestId: string,
  { until }: Pick<Patience, "until">,
) {
  try {
    if (name === "") throw invalid("backup_name", "it is required");
    const options = { name, yes: true, goesOn: true, ...(confirm !== "" && { confirm }) } as const;
    await api.call(remove, options, { ...(until && { until }) });
    return deleteAnswer.create({ requestId, msg: "success" });
  } catch (error) {
    return deleteAnswer.create({ requestId, ...failureAnswer(error) });
  }
}

/** `GET /check`; where the pipeline runs its functions are asked, whose roles are meant. */
export async function checkAll(api: Api): Promise<{ readonly ok: boolean; readonly text: string }> {
  const { exitCode, text } = await api.call(check, {
    milvus: true,
    ...(api.context.connections.inPipelineNetwork && { deployed: true }),
  });
  return { ok: exitCode === 0, text };
}

interface StartedTask {
  readonly id: string;
  readonly arn: string;
}

/** @param id of the execution, where whoever asks chose one: what has it already is started by nobody again */
async function start(
  api: Api,
  machine: TaskMachine,
  id: string,
  run: (named: { readonly executionName?: string }) => Promise<Said>,
): Promise<StartedTask> {
  const taken = id === "" ? undefined : await findTask(api, machine, id);
  if (taken !== undefined) {
    const [key, ask] = machine === "backup" ? ["request_id", "get_backup?backup_id="] : ["id", "get_restore?id="];
    throw invalid(
      key,
      `${id} was started at ${taken.startedAt.toISOString()}: ${ask}${id} tells of it; use another one`,
    );
  }
  const { document } = await run(id === "" ? {} : { executionName: taskName(id) });
  if (document?.kind !== "execution") throw new Error("the verb started nothing");
  const { executionArn: arn, executionName, backupName = "" } = document;
  api.started.set(arn, { at: api.context.clock.now(), backupName });
  if (machine === "backup") api.newestOf.set(backupName, arn);
  return { id: id || (machine === "backup" ? backupIdOf(arn) : executionName), arn };
}

/** How an execution ended; undefined where nobody waits so long. */
async function waitFor(
  { context }: Api,
  executionArn: string,
  signal: AbortSignal,
): Promise<ExecutionDescription | undefined> {
  return followExecution({
    executions: await context.connections.executions(),
    reader: { read: async () => ({ copied: { segments: 0, objects: 0, bytes: 0 } }) },
    executionArn,
    clock: context.clock,
    quiet: true,
    onProgress: () => {},
    signal,
  });
}

async function restoreById(api: Api, id: string) {
  const execution = await findTask(api, "restore", id);
  if (execution === undefined) return undefined;
  const progress = await api.progressOf("restore", execution.name).read();
  return restoreTaskOf({ id, execution, progress });
}
