import { PipelineError } from "../../core/execution/errors.ts";
import { shortList } from "../../core/execution/short-list.ts";
import type { ImportTask, ImportWay } from "../../core/milvus/descriptions.ts";
import { wantsHybridTimestamp } from "../../core/milvus/instant.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import {
  type ForgottenFacts,
  type ForgottenImport,
  judgeForgotten,
  judgeForgottenDeletes,
} from "../../core/plan/forgotten-imports.ts";
import type { PlannedRestore } from "../../core/plan/planned-restore.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { StepContext } from "../../ports/step-context.ts";
import type { EncryptionKeys } from "./encryption-keys.ts";
import type { Import, ImportRecords } from "./import-records.ts";
import { type ImportTasks, TaskLists } from "./import-tasks.ts";
import { ImportSubmitter, into } from "./submit-import.ts";

interface LoopOptions {
  /** Imports that may run at once. */
  readonly inFlight: number;
  /** Where it is said what an import reads. */
  readonly filesKey: (task: number) => string;
  /** Unix milliseconds: nothing is begun after that. */
  readonly turnUntil: number;
  /** Looks whether the restore still has a target (`db.coll`): the Lambda of an execution that was stopped goes on. @throws ClaimLost */
  readonly confirm: (target: string) => Promise<void>;
  readonly encryptionKeys: Pick<EncryptionKeys, "of" | "withoutKeys">;
  /** Whether the server has refused the end of an import in milliseconds earlier in this execution. */
  readonly refusedMilliseconds: boolean;
}

/** How far the imports are. */
interface Turn {
  readonly imports: number;
  readonly completed: number;
  /** 0 to 100 */
  readonly progress: number;
  /** Whether time ran out before everything was looked at and submitted. */
  readonly cutShort: boolean;
  /** Whether an import was submitted: it may be over in a moment. */
  readonly submitted: boolean;
}

/** Milvus remembers an import that ended for three hours (2.4+, dataCoord.import.taskRetention) or a day (2.3), unless it is told otherwise. */
const surelyRemembered = 3_600_000;

/** Of an import that was never recorded while Milvus knew it. */
const unknownId = "forgotten";

/** What a turn has seen so far. */
interface Sight {
  running: number;
  /** Percent, of the imports that are not complete. */
  progress: number;
  /** Whether the records are to be written. */
  changed: boolean;
  failure: PipelineError | undefined;
  submitted: boolean;
  /** Collections whose rows are to tell what became of an import: nothing more is submitted into them until they do. */
  readonly counting: Set<PlannedRestore>;
  /** Complete, with nobody knows how many rows. */
  readonly untold: Set<Import>;
  readonly way: ImportWay;
}

/** Brings the planned imports to their end, one turn after another. */
export class ImportLoop {
  readonly #records: ImportRecords;
  readonly #milvus: Milvus;
  readonly #context: StepContext;
  readonly #options: LoopOptions;
  readonly #submitter: ImportSubmitter;

  constructor(records: ImportRecords, milvus: Milvus, context: StepContext, options: LoopOptions) {
    this.#records = records;
    this.#milvus = milvus;
    this.#context = context;
    this.#options = options;
    this.#submitter = new ImportSubmitter(records, milvus, context, options);
  }

  /**
   * Looks at everything that is submitted and not complete, then submits what may start now.
   * @throws ImportFailed, and what Milvus throws; what was learned is recorded
   */
  async turn(): Promise<Turn> {
    const lists = new TaskLists(async (collection) => {
      const tasks = await this.#milvus.listImports(collection.working, {
        own: this.#records.openOf(collection),
        // one of nobody's may be ours only as long as something is not known to be submitted
        others: this.#records.hasUnsubmitted(collection) ? "files" : "states",
        settled: this.#records.settledOf(collection),
      });
      return this.#records.made(collection).importsUntold ? tasks.map((task) => ({ ...task, files: [] })) : tasks;
    });
    const way = await this.#milvus.importWay();
    const open = this.#records.unfinished();
    const unanswered = this.#records.unanswered();
    await lists.look(new Set([...open, ...unanswered].map(({ collection }) => collection)), () => this.#hasTime());
    const sight: Sight = {
      running: 0,
      progress: 0,
      changed: false,
      failure: undefined,
      submitted: false,
      counting: new Set(),
      untold: new Set(),
      way,
    };
    const missed: Import[] = [];
    // First, as their rows count.
    for (const item of unanswered) {
      const task = lists.seen(item.collection)?.like(item.planned);
      if (task) this.#note(item, task, sight);
    }
    for (const item of open) if (!this.#lookAt(item, lists, sight)) missed.push(item);
    for (const [collection, items] of Map.groupBy(missed, (item) => item.collection)) {
      await this.#judge(collection, items, lists, sight);
    }
    if (sight.changed) await this.#records.write();
    if (sight.failure) throw await this.#options.encryptionKeys.withoutKeys(sight.failure);
    await this.#submitAll(lists, sight);
    const { completed, imports } = this.#records;
    return {
      imports: imports.length,
      completed,
      progress: imports.length === 0 ? 100 : Math.floor((completed * 100 + sight.progress) / imports.length),
      cutShort: completed < imports.length && !this.#hasTime(),
      submitted: sight.submitted,
    };
  }

  /** Whether the server takes the end of an import as a hybrid timestamp only, as was learnt: worth remembering, as jobs tell it only when they run. */
  get refusedMilliseconds(): boolean {
    return this.#submitter.refusedMilliseconds;
  }

  #hasTime(): boolean {
    return this.#context.clock.now().getTime() < this.#options.turnUntil;
  }

  /** @returns false where Milvus has forgotten it, or does not tell what it brought */
  #lookAt(item: Import, lists: TaskLists, sight: Sight): boolean {
    const tasks = lists.seen(item.collection);
    const known = this.#records.of(item);
    if (!tasks || !known) {
      sight.running += 1;
      return true;
    }
    const task = tasks.withId(known.id);
    if (!task) return false;
    // over gRPC the first releases of 2.4 tell no rows, whatever there are
    const tellsRows = sight.way.namesFiles || task.rows > 0n || item.planned.rows === "0";
    if (task.state === "completed" && !tellsRows) {
      sight.untold.add(item);
      return false;
    }
    if (task.state !== "failed") {
      this.#note(item, task, sight);
      return true;
    }
    // Forgotten, so that the same restore started again submits it anew.
    this.#records.drop(item);
    sight.changed = true;
    // Read only when the job ran, as were others that were submitted meanwhile: from now on this server gets what it wants.
    if (wantsHybridTimestamp(task.failedReason)) this.#submitter.refusedMilliseconds = true;
    else sight.failure ??= importFailed(item, task);
    return true;
  }

  #note(item: Import, { id, state, rows, progress }: ImportTask, sight: Sight): void {
    const done = state === "completed";
    const again = this.#records.of(item)?.again;
    const record = {
      id,
      state: done ? "completed" : "submitted",
      rows: rows.toString(),
      ...(again && { again }),
    } as const;
    sight.changed = this.#records.set(item, record) || sight.changed;
    if (done) return;
    sight.running += 1;
    sight.progress += progress;
  }

  /** What became of imports that Milvus has forgotten. */
  async #judge(collection: PlannedRestore, missed: readonly Import[], lists: TaskLists, sight: Sight): Promise<void> {
    const { way } = sight;
    const now = this.#context.clock.now();
    for (const item of missed) sight.changed = this.#noteMissed(item, now) || sight.changed;
    const deletes = missed.filter(({ planned }) => planned.kind === "l0");
    for (const item of deletes) await this.#judgeDeletes(item, now, sight);
    const data = missed.filter(({ planned }) => planned.kind === "segments");
    if (data.length === 0) return;
    const othersRun = lists.seen(collection)?.anyRuns ?? true;
    const known = {
      completedRows: this.#records.completedRows(collection),
      countedRows: othersRun ? 0n : await this.#countRows(collection),
      othersRun,
      othersWrite: !collection.create,
      // one that was answered may appear as late as one that was not
      missedMilliseconds:
        now.getTime() - Math.max(...data.map((item) => this.#missedSince(item, now))) - settleMilliseconds(way),
    };
    const perhaps = this.#perhapsSubmitted(collection, way);
    const facts = {
      ...known,
      forgotten: data.map((item) => ({ ...this.#forgotten(item), complete: sight.untold.has(item) })),
      perhaps: perhaps.map((item) => this.#forgotten(item)),
    };
    const verdict = judgeForgotten(facts);
    switch (verdict.outcome) {
      case "wait":
        sight.running += data.length;
        sight.counting.add(collection);
        return;
      case "arrived":
        this.#adoptAll([...data, ...perhaps], verdict.rows, sight);
        this.#context.log.warn("Milvus forgot imports whose rows are there", {
          collection: qualifiedName(collection.working),
          imports: [...verdict.rows.keys()],
          rows: (facts.countedRows - facts.completedRows).toString(),
        });
        return;
      case "nothing":
        for (const item of data) this.#records.drop(item);
        sight.changed = true;
        sight.failure ??= this.#forgottenError(
          collection,
          facts,
          "Start the same restore again, which imports them anew",
        );
        return;
      case "unclear":
        sight.failure ??= this.#forgottenError(
          collection,
          facts,
          "The same restore started again counts once more, and goes on where all of them are there; where they are not, discard it " +
            "(restore --discard) and start it anew",
        );
    }
  }

  /**
   * Imports that were asked for without an answer so long ago that the server may have forgotten them, or of a server whose lists do not say
   * what is what: where it still remembers, and says so, one that it does not list was never submitted.
   */
  #perhapsSubmitted(collection: PlannedRestore, way: ImportWay): Import[] {
    const namesFiles = way.namesFiles && !this.#records.made(collection).importsUntold;
    const now = this.#context.clock.now().getTime();
    return this.#records.unanswered().filter((item) => {
      const askedAt = Date.parse(this.#records.of(item)?.askedAt ?? "");
      const isKnown = namesFiles && now - askedAt < surelyRemembered;
      return item.collection === collection && item.planned.kind === "segments" && !isKnown;
    });
  }

  #forgotten(item: Import): ForgottenImport {
    const { task, rows, minimumRows } = item.planned;
    const reportedRows = BigInt(this.#records.of(item)?.rows ?? "0");
    return { task, rows: BigInt(rows), minimumRows: BigInt(minimumRows), reportedRows };
  }

  #noteMissed(item: Import, now: Date): boolean {
    const known = this.#records.of(item);
    if (!known || known.missedSince !== undefined) return false;
    this.#context.log.warn("Milvus does not list an import, or does not say what it brought", {
      import: known.id,
      task: item.planned.task,
    });
    return this.#records.set(item, { ...known, missedSince: now.toISOString() });
  }

  #missedSince(item: Import, now: Date): number {
    return Date.parse(this.#records.of(item)?.missedSince ?? now.toISOString());
  }

  /** A row count tells nothing of them, and a row that is deleted twice is as gone as before. */
  async #judgeDeletes(item: Import, now: Date, sight: Sight): Promise<void> {
    const known = this.#records.of(item);
    const missedMilliseconds = now.getTime() - this.#missedSince(item, now);
    const verdict = judgeForgottenDeletes({ missedMilliseconds, again: known?.again ?? false });
    if (verdict !== "give-up") {
      sight.running += 1;
      if (verdict === "submit-again") await this.#submitter.submit(item, { again: true });
      return;
    }
    this.#records.drop(item);
    sight.changed = true;
    sight.failure ??= new PipelineError(
      "ImportFailed",
      `Milvus at ${this.#milvus.address} has forgotten import ${known?.id} of deletes into ${into(item)} before it was seen to be complete, and so ` +
        "it has a second one of the same. Start the same restore again, which imports these deletes anew",
    );
  }

  #adoptAll(items: readonly Import[], rows: ReadonlyMap<number, bigint>, sight: Sight): void {
    for (const item of items) {
      const brought = rows.get(item.planned.task);
      if (brought !== undefined) this.#adopt(item, brought, sight);
    }
  }

  #adopt(item: Import, rows: bigint, sight: Sight): void {
    const id = this.#records.of(item)?.id || unknownId;
    sight.changed = this.#records.set(item, { id, state: "completed", rows: rows.toString() }) || sight.changed;
  }

  async #countRows(collection: PlannedRestore): Promise<bigint> {
    const counted = await this.#milvus.rowCount(collection.working);
    return counted - BigInt(this.#records.made(collection).rowsBefore);
  }

  #forgottenError(
    { working, imports }: PlannedRestore,
    { forgotten, countedRows, completedRows }: ForgottenFacts,
    whatToDo: string,
  ): PipelineError {
    const named = forgotten.map(({ task, rows, minimumRows }) => {
      const partition = imports.find((planned) => planned.task === task)?.partition;
      return `import ${task} into partition ${partition} (${minimumRows === rows ? rows : `${minimumRows} to ${rows}`} rows)`;
    });
    const message =
      `Milvus at ${this.#milvus.address} no longer knows ${shortList(named)} of ${qualifiedName(working)}, and its row count does not tell that all ` +
      `arrived: it counts ${countedRows} rows that this restore brought, ${completedRows} of them from imports that are complete. ${whatToDo}`;
    const ids = forgotten.map(({ task }) => String(task));
    return new PipelineError("ImportFailed", message, { details: { imports: ids } });
  }

  /** Submits what may start now, or adopts it where a run submitted it and could not record it any more. */
  async #submitAll(lists: TaskLists, sight: Sight): Promise<void> {
    const { way } = sight;
    for (const item of this.#records.startable()) {
      if (sight.running >= this.#options.inFlight || !this.#hasTime()) return;
      if (sight.counting.has(item.collection)) continue;
      const tasks = await lists.of(item.collection);
      if (this.#records.of(item)?.state === "completed") continue;
      const adopted = tasks.like(item.planned);
      if (adopted) {
        this.#note(item, adopted, sight);
        await this.#records.write();
        continue;
      }
      if (this.#submitter.mayStillAppear(item, way)) {
        sight.running += 1;
        continue;
      }
      if (this.#mayBeUnknown(item, tasks, way) || (await this.#isThere(item, tasks, sight))) continue;
      const answered = await this.#submitter.submit(item);
      sight.running += 1;
      // whoever does not answer the one is not asked for the next: it is looked at first
      if (!answered) return;
      sight.submitted = true;
    }
  }

  /** Whether Milvus lists one that runs and may be this one. Where it never says what is what, that concerns those only that were asked for before. */
  #mayBeUnknown(item: Import, tasks: ImportTasks, { namesFiles }: ImportWay): boolean {
    const concerns = namesFiles || this.#records.of(item) !== undefined;
    return concerns && tasks.hasUnknown(this.#records.ids);
  }

  /**
   * Whether an import that an earlier run was about to submit, and that Milvus may have forgotten since, is not to be submitted now: its rows
   * are there, or something still moves the count that would tell.
   * @throws ImportFailed where rows are there that are not its rows, or fewer than came: then the count tells nothing
   */
  async #isThere(item: Import, tasks: ImportTasks, sight: Sight): Promise<boolean> {
    const { collection } = item;
    const perhaps = this.#perhapsSubmitted(collection, sight.way);
    if (!perhaps.includes(item)) return false;
    const isQuiet = !tasks.anyRuns && !this.#records.unfinished().some((open) => open.collection === collection);
    if (!isQuiet) return true;
    const [countedRows, completedRows] = [await this.#countRows(collection), this.#records.completedRows(collection)];
    if (countedRows === completedRows) return false;
    const forgotten = perhaps.map((one) => this.#forgotten(one));
    const askedAt = Date.parse(this.#records.of(item)?.askedAt ?? "");
    const facts = {
      forgotten,
      countedRows,
      completedRows,
      othersRun: false,
      othersWrite: !collection.create,
      missedMilliseconds: this.#context.clock.now().getTime() - askedAt - settleMilliseconds(sight.way),
    };
    const verdict = judgeForgotten(facts);
    if (verdict.outcome === "wait") return true;
    if (verdict.outcome !== "arrived") {
      const because =
        countedRows > completedRows
          ? "Rows are there that no record tells of"
          : "Fewer rows are there than came, as some were deleted or are past their time to live, so nobody can tell whether more came";
      throw this.#forgottenError(
        collection,
        facts,
        `${because}: discard this restore (restore --discard) and start it anew`,
      );
    }
    this.#adoptAll(perhaps, verdict.rows, sight);
    await this.#records.write();
    this.#context.log.warn("the rows of imports are there that nobody recorded", { imports: [...verdict.rows.keys()] });
    return true;
  }
}

function settleMilliseconds({ settleSeconds }: ImportWay): number {
  return settleSeconds * 1000;
}

function importFailed(item: Import, task: ImportTask): PipelineError {
  return new PipelineError(
    "ImportFailed",
    `Milvus could not import into ${into(item)}: ${task.failedReason || "no reason given"}`,
    { details: { import: task.id } },
  );
}
