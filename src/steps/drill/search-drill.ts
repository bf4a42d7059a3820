import * as z from "zod";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import {
  type DrilledCollection,
  type DrillStepRequest,
  drilledCollection,
  finishRestoreResult,
  type SearchDrillResult,
} from "../../core/execution/messages.ts";
import { roundEvents } from "../../core/execution/round-events.ts";
import { roundWait } from "../../core/execution/round-wait.ts";
import { settleAll, settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { type DrillRecord, drillRecord } from "../../core/plan/drill.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { CollectionRows } from "../rows/collection-rows.ts";
import { findBackup } from "../shared/find-backup.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";
import { examineCollection, isAnswering, lookAtMade, type MadeCollection } from "./examine-collection.ts";

/** Loading is watched closely for a while, so that the time until it is searchable is told to the second; then the machine waits. */
const closeWatchMilliseconds = 60_000;
const pollMilliseconds = 250;
/** An invocation takes 15 minutes at most; a collection that is begun needs its time. */
const roundMilliseconds = 8 * 60_000;
const concurrency = 8;

/** What a step of a drill gets that reads rows of the backup. */
export interface SearchDrillContext extends MilvusContext {
  payloads(): Promise<PayloadReader>;
}

/** When everything answered a search for the first time; the first run that saw it counts. */
const searchableRecord = z.object({ at: z.iso.datetime() });
const examined = z.object({ drilled: drilledCollection, problems: z.array(z.string()) });

/**
 * Loads what was restored, counts, compares a sample of rows with the backup and searches for their vectors. Answers `searching` while
 * collections load, and where a round is over before all of them are looked at; what was found out of one is kept.
 * @throws DrillFailed naming what is wrong in which collection; TargetExists where another collection has a name of the drill's;
 *   MilvusFailed with Milvus's reason where a collection is not loaded; CorruptBackup, EnvironmentChanged and what stores and Milvus throw
 */
export async function searchDrill(request: DrillStepRequest, context: SearchDrillContext): Promise<SearchDrillResult> {
  const { execution, input, attempt, retries } = request;
  const layout = workLayout("drill", execution.name);
  const began = context.clock.now().getTime();
  const record = await readWorkJson(context, layout.plan, drillRecord);
  const restoring = workLayout("restore", record.restoreExecution);
  const [{ collections, warnings }, target, source] = await settleAll([
    readWorkJson(context, restoring.result, finishRestoreResult),
    pinnedEnvironment(context, layout, input.environment),
    pinnedEnvironment(context, layout, record.from),
  ]);
  const milvus = await context.connectMilvus(target);
  const made = await settleEach(collections, concurrency, (restored) => lookAtMade(milvus, restored));
  const loadable = made.filter(({ withoutIndex }) => withoutIndex.length === 0);
  const searching: SearchDrillResult = {
    ...{ outcome: "searching", backupName: record.backupName, environment: record.environment },
    ...{ collections: [], warnings: [], waitSeconds: roundWait(attempt), events: roundEvents(retries) },
  };
  if (!(await loadAll(milvus, loadable, attempt > 0, context))) return searching;
  await settleEach(loadable, concurrency, (collection) => isAnswering(milvus, collection));
  const searchable = await noteSearchable(layout.searchable, context);

  const store = await context.openStore(pinnedStore(source, "backup"));
  const stored = await findBackup(store, source.backupStorage, record.backupName);
  const opened = await CollectionRows.openEach(
    stored,
    await context.payloads(),
    made.map(({ restored }) => restored.from),
  );
  const drilled: DrilledCollection[] = [];
  const problems: string[] = [];
  for (const [index, collection] of made.entries()) {
    const key = layout.draft(0, index);
    let one = await readWorkJsonIfThere(context, key, examined);
    const rows = opened.collections[index];
    if (one === undefined && rows !== undefined) {
      if (context.clock.now().getTime() - began > roundMilliseconds) return { ...searching, waitSeconds: 1 };
      const { drilled: seen, problems: found } = await examineCollection(milvus, collection, rows, execution.id);
      one = { drilled: seen, problems: [...found] };
      await writeWorkJson(context, key, one);
    }
    if (one === undefined) throw new RangeError(`no rows of ${collection.restored.from}`);
    drilled.push(one.drilled);
    problems.push(...one.problems);
  }
  if (problems.length > 0) throw failed(problems, record, milvus);
  const result: SearchDrillResult = {
    outcome: "searched",
    backupName: record.backupName,
    environment: record.environment,
    ...timesOf(record, searchable),
    collections: drilled,
    warnings: [...new Set([...warnings, ...opened.warnings])],
    waitSeconds: 0,
  };
  await writeWorkJson(context, layout.result, result);
  context.log.info("drill searched", { backupName: record.backupName, collections: drilled.length });
  return { ...result, collections: [], warnings: [] };
}

/**
 * Loads every collection whole, each once.
 * @param isAsked an earlier round has asked for it: one that does not load then was given up
 * @returns false where some of them load still
 * @throws MilvusFailed with Milvus's reason where it gives one up: memory, nodes
 */
async function loadAll(
  milvus: Milvus,
  made: readonly MadeCollection[],
  isAsked: boolean,
  context: MilvusContext,
): Promise<boolean> {
  const deadline = context.clock.now().getTime() + closeWatchMilliseconds;
  let loading = made;
  let asked = isAsked;
  for (;;) {
    const states = await settleEach(loading, concurrency, async ({ description: { name }, restored }) => {
      if ((await milvus.loadingProgress(name)) >= 100) return true;
      if (await milvus.isLoaded(name)) return false;
      const reason = asked ? await milvus.loadProblem(name) : undefined;
      if (reason !== undefined) {
        throw new PipelineError(
          "MilvusFailed",
          `Milvus at ${milvus.address} does not load ${restored.to} (for ${restored.from}): ${reason}`,
        );
      }
      await milvus.load(name);
      return false;
    });
    asked = true;
    loading = loading.filter((_, index) => !states[index]);
    if (loading.length === 0) return true;
    if (context.clock.now().getTime() >= deadline) return false;
    await context.clock.sleep(pollMilliseconds);
  }
}

/** ISO 8601. Of two runs of the step the first one is believed. */
async function noteSearchable(key: string, context: MilvusContext): Promise<string> {
  const at = context.clock.now().toISOString();
  await context.work.putText(key, JSON.stringify({ at }), { ifAbsent: true, contentType: "application/json" });
  return (await readWorkJson(context, key, searchableRecord)).at;
}

function timesOf({ startedAt, instant }: DrillRecord, searchable: string) {
  const seconds = (from: string, to: string) => Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
  return {
    rtoSeconds: seconds(startedAt, searchable),
    ...(instant !== undefined && { rpoSeconds: seconds(instant, startedAt) }),
  };
}

function failed(problems: readonly string[], { backupName, environment }: DrillRecord, milvus: Milvus): PipelineError {
  return new PipelineError(
    "DrillFailed",
    `backup ${backupName} was restored into ${environment} (Milvus at ${milvus.address}), and is not what was backed up: ` +
      `${shortList(problems, { separator: "; " })}. "milvus-backup peek" shows rows of the backup`,
    { details: { backupName } },
  );
}
