import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import {
  type ImportSegmentsResult,
  type ProgressRecord,
  progressRecord,
  type RestoreStepRequest,
} from "../../core/execution/messages.ts";
import { roundEvents } from "../../core/execution/round-events.ts";
import { roundWait } from "../../core/execution/round-wait.ts";
import { settleAll, settleBehind } from "../../core/execution/settle.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { type PlannedRestore, type RestorePlan, restorePlan } from "../../core/plan/planned-restore.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { heldTargets } from "../shared/target-leases.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";
import { EncryptionKeys } from "./encryption-keys.ts";
import { ImportLoop } from "./import-loop.ts";
import { ImportRecords } from "./import-records.ts";
import { RowInserter } from "./insert-rows.ts";
import { readInsertion } from "./insertion-files.ts";
import { isMilvusAway } from "./milvus-away.ts";
import type { PartitionSource } from "./read-partition.ts";
import { makeAnew } from "./recreate-collections.ts";

/**
 * Small restores are over in seconds: the first calls watch closely before they leave the waiting to the machine. A second in here costs a
 * seventh of a round of the machine (four transitions), so for two minutes this is the cheaper way to wait, too; each call is short, as
 * one that dies is only missed at its end.
 */
const closeWatches = 6;
const closeWatchMilliseconds = 20_000;
/** In the first minute, and then. */
const pollMilliseconds = [100, 1_000] as const;
const watchesPerMinute = 3;

/** No import is submitted after that, no collection looked at, and nothing watched: the function has 15 minutes, and one call may be waited for for five of them. */
const turnMilliseconds = 6 * 60_000;

/** Before the machine's own limit of 40 days, which would end the execution without Release. */
const longestImportMilliseconds = 28 * 24 * 3_600_000;

/** A Milvus that does not answer for so long is not coming back by itself. */
const longestAwayMilliseconds = 6 * 3_600_000;

/** The function of an execution that was stopped writes down once more what it saw, and learns then that it has lost the targets. */
const mostOvertaken = 3;

/** What the step gets beside the usual. */
export interface ImportContext extends MilvusContext {
  /** What reads the payloads of binlogs; loaded when rows are to be read. */
  payloads(): Promise<PayloadReader>;
}

/**
 * One turn of the import loop: submits what may start, looks at what runs, and answers how far it is. An import is submitted at most once:
 * what is recorded is not submitted again, and what Milvus lists with the same files is adopted. Rows of small partitions are inserted before anything
 * is imported into their collection (`RowInserter`). A Milvus that does not answer, which it
 * did earlier in this execution, is waited for over hours.
 * @throws ImportFailed with Milvus's reason, with what is known of an import that Milvus has forgotten, or after four weeks; InvalidInput where an earlier
 *   run imported something else, StoreBusy where another function goes on with it, ClaimLost, EnvironmentChanged, and what Milvus throws
 */
export async function importSegments(
  request: RestoreStepRequest,
  context: ImportContext,
): Promise<ImportSegmentsResult> {
  const began = context.clock.now().getTime();
  for (let overtaken = 0; ; overtaken += 1) {
    try {
      return await importOnce(request, context);
    } catch (error) {
      const isOvertaken = error instanceof PipelineError && error.details.overtaken === true;
      const hasTime = context.clock.now().getTime() - began < turnMilliseconds;
      if (!isOvertaken || overtaken >= mostOvertaken || !hasTime) throw error;
      // Whoever holds the targets reads what was written, and goes on.
      context.log.warn("another function of this restore wrote down imports meanwhile", { overtaken });
    }
  }
}

async function importOnce(request: RestoreStepRequest, context: ImportContext): Promise<ImportSegmentsResult> {
  const { execution, input, attempt, retries } = request;
  const events = roundEvents(retries);
  const layout = workLayout("restore", execution.name);
  const [plan, environment, earlier] = await settleAll([
    readWorkJson(context, layout.plan, restorePlan),
    pinnedEnvironment(context, layout, input.environment),
    readWorkJsonIfThere(context, layout.progress, progressRecord),
  ]);
  // A machine that asks again, of what failed in an execution within it.
  if (attempt > 0 && earlier?.phase === "importing" && earlier.failure !== undefined) {
    throw new PipelineError("ImportFailed", earlier.failure);
  }
  const { confirm, watch } = await heldTargets(context, layout, environment, execution);
  // Also while Milvus is away: the targets stay ours.
  const records = await settleBehind(watch(), ImportRecords.read(plan, context));
  const shown = new ShownProgress(earlier, (record) => writeWorkJson(context, layout.progress, record));
  const began = context.clock.now().getTime();
  const mostUntil = began + turnMilliseconds;
  let watchUntil = began + (attempt < closeWatches ? closeWatchMilliseconds : 0);
  // a second from one watch to the next
  const watchedSeconds = closeWatches * (closeWatchMilliseconds / 1_000 + 1);
  const waitSeconds = attempt < closeWatches ? 1 : roundWait(attempt - closeWatches, watchedSeconds);
  try {
    const milvus = await context.connectMilvus(environment);
    const turnUntil = began + turnMilliseconds;
    const loop = new ImportLoop(records, milvus, context, {
      inFlight: environment.parallelism.importJob,
      filesKey: layout.importFiles,
      turnUntil,
      confirm,
      encryptionKeys: new EncryptionKeys(plan, { input, layout, environment }, context),
      refusedMilliseconds: shown.last?.hybridEnd ?? false,
    });
    const inserter = new RowInserter(records, milvus, context, {
      insertionOf: ({ insertion = 0 }) => readInsertion(context, layout, insertion),
      sourceOf: ({ instant }, { fields }) => openSource(request, plan, { fields, instant }, context),
      confirm,
      makeAnew: (collection) =>
        makeAnew(collection, plan, milvus, context, () => confirm(qualifiedName(collection.target))),
      turnUntil,
    });
    for (;;) {
      await watch();
      const { cutShort, submitted, ...result } = await loop.turn();
      await shown.show({ phase: "importing", ...result, ...(loop.refusedMilliseconds && { hybridEnd: true }) });
      // Behind the turn: what is imported into other collections runs meanwhile.
      if (await inserter.insert()) continue;
      if (result.completed === result.imports) return { outcome: "imported", ...result, waitSeconds: 0, events };
      if (cutShort) return { outcome: "imports-pending", ...result, waitSeconds: 1, events };
      const now = context.clock.now().getTime();
      if (now - Date.parse(execution.startTime) > longestImportMilliseconds) throw tookTooLong();
      // what began just now, as deletes do behind the last of the rows, is not to wait for a look that is minutes away
      if (submitted) watchUntil = Math.min(now + closeWatchMilliseconds, mostUntil);
      if (now >= watchUntil) return { outcome: "imports-pending", ...result, waitSeconds, events };
      await context.clock.sleep(pollMilliseconds[attempt < watchesPerMinute ? 0 : 1]);
    }
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    const last = shown.last ?? { phase: "importing", imports: records.imports.length, completed: 0, progress: 0 };
    if (error.name === "ImportFailed") await shown.show({ ...last, failure: error.message });
    if (!isMilvusAway(error)) throw error;
    const { imports, progress, hybridEnd, awaySince = context.clock.now().toISOString() } = last;
    context.log.warn("waiting for Milvus", {
      address: environment.milvus.address,
      awaySince,
      because: error.message,
    });
    if (context.clock.now().getTime() - Date.parse(awaySince) > longestAwayMilliseconds)
      throw stayedAway(error, awaySince);
    const result = { imports, completed: records.completed, progress, awaySince };
    await shown.show({ phase: "importing", ...result, ...(hybridEnd && { hybridEnd }) });
    return { outcome: "imports-pending", ...result, waitSeconds, events };
  }
}

/** Where the rows are read from that are inserted. */
async function openSource(
  { execution, input }: RestoreStepRequest,
  { verification }: RestorePlan,
  { fields, instant }: Pick<PlannedRestore, "instant"> & Pick<PartitionSource, "fields">,
  context: ImportContext,
): Promise<PartitionSource> {
  const layout = workLayout("restore", execution.name);
  const from = await pinnedEnvironment(context, layout, input.from ?? input.environment);
  return {
    store: await context.openStore(pinnedStore(from, "backup")),
    payloads: await context.payloads(),
    fields,
    until: instant && BigInt(instant.timestamp),
    compares: verification.compares,
  };
}

type ImportingProgress = ProgressRecord & { readonly phase: "importing" };

/** `progress.json`. Polls are many and most see no change: only a change is written. */
class ShownProgress {
  #last: ImportingProgress | undefined;
  readonly #write: (record: ImportingProgress) => Promise<void>;

  constructor(earlier: ProgressRecord | undefined, write: (record: ImportingProgress) => Promise<void>) {
    this.#last = earlier?.phase === "importing" ? earlier : undefined;
    this.#write = write;
  }

  get last(): ImportingProgress | undefined {
    return this.#last;
  }

  async show(record: ImportingProgress): Promise<void> {
    if (JSON.stringify(record) === JSON.stringify(this.#last)) return;
    await this.#write(record);
    this.#last = record;
  }
}

function tookTooLong(): PipelineError {
  return new PipelineError(
    "ImportFailed",
    "Milvus did not finish the imports in four weeks: look at its import tasks, then start the same restore again, which keeps those that are " +
      "finished",
  );
}

function stayedAway(error: PipelineError, awaySince: string): PipelineError {
  return new PipelineError(
    error.name,
    `${error.message}. That has been so since ${awaySince}, and is waited for no longer: start the same restore again once Milvus answers, ` +
      "which keeps what is imported",
    { details: { ...error.details, awaySince }, cause: error },
  );
}
