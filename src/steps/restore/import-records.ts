import * as z from "zod";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { PlannedImport, PlannedRestore, RestorePlan } from "../../core/plan/planned-restore.ts";
import {
  type CollectionRecord,
  collectionRecord,
  type ImportRecord,
  importRecord,
  recordOf,
  restoreWorkLayout,
} from "../../core/plan/restore-work.ts";
import type { Id } from "../../ports/milvus.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readWorkJson, readWorkJsonIfThere } from "../shared/work-files.ts";

type Compared = NonNullable<ImportRecord["compared"]>;
const strength: Readonly<Record<Compared, number>> = { nothing: 0, sizes: 1, contents: 2 };

/** A planned import and the collection it goes into. */
export interface Import {
  readonly collection: PlannedRestore;
  readonly planned: PlannedImport;
}

function isInserted({ planned }: Import): boolean {
  return planned.kind === "rows";
}

/** What was submitted to Milvus and what became of it, as it is kept in the work bucket beyond one execution. */
export class ImportRecords {
  readonly imports: readonly Import[];
  readonly #context: StepContext;
  readonly #key: string;
  readonly #made: Map<PlannedRestore, CollectionRecord>;
  readonly #compares: Compared;
  /** By the number of the import. */
  readonly #records = new Map<number, ImportRecord>();
  readonly #ids = new Set<Id>();
  /** Of collections that this plan is not about: a run with other options may go on with them. */
  readonly #others: readonly ImportRecord[];
  /** One write after the other: each has all records. */
  #writing: Promise<void> = Promise.resolve();
  /** Of the file as this one has read or written it; undefined where there was none. */
  #etag: string | undefined;
  #completed = 0;

  private constructor(
    plan: RestorePlan,
    context: StepContext,
    made: Map<PlannedRestore, CollectionRecord>,
    { etag, records }: { readonly etag: string | undefined; readonly records: readonly ImportRecord[] },
  ) {
    this.#context = context;
    this.#etag = etag;
    this.#key = restoreWorkLayout(plan.restoreId).imports;
    this.#made = made;
    this.#compares = plan.verification.compares;
    this.imports = plan.collections.flatMap((collection) =>
      collection.imports.map((planned) => ({ collection, planned })),
    );
    const current = new Set([...made.values()].map(({ id }) => id));
    this.#take(records.filter(({ collectionId }) => current.has(collectionId)));
    this.#others = records.filter(({ collectionId }) => !current.has(collectionId));
  }

  /** @throws InvalidInput where an earlier run imported something else into the same collections */
  static async read(plan: RestorePlan, context: StepContext): Promise<ImportRecords> {
    const layout = restoreWorkLayout(plan.restoreId);
    // Looked at before it is read: what is written in between is not taken for what was read.
    const seen = await context.work.head(layout.imports);
    const [collections, records] = await settleAll([
      readWorkJson(context, layout.collections, z.array(collectionRecord)),
      readWorkJsonIfThere(context, layout.imports, z.array(importRecord)),
    ]);
    const made = new Map<PlannedRestore, CollectionRecord>();
    for (const collection of plan.collections) {
      const record = recordOf(collections, collection);
      if (!record) throw new Error(`no record of the collection made for ${qualifiedName(collection.target)}`);
      made.set(collection, record);
    }
    return new ImportRecords(plan, context, made, { etag: seen?.etag, records: records ?? [] });
  }

  get completed(): number {
    return this.#completed;
  }

  /**
   * Writes all of them down, in place of those that were read or written here before and of no others: of two functions that take each other for dead
   * neither goes on with what it does not know of.
   * @throws StoreBusy where another function has written meanwhile: whoever runs again reads what that did
   */
  async write(): Promise<void> {
    const written = this.#writing.then(() => this.#replace());
    this.#writing = written.catch(() => undefined);
    await written;
  }

  async #replace(): Promise<void> {
    const { work } = this.#context;
    const body = JSON.stringify([...this.#others, ...this.#records.values()]);
    const condition = this.#etag === undefined ? { ifAbsent: true } : { ifMatch: this.#etag };
    const isWritten = await work.putText(this.#key, body, { ...condition, contentType: "application/json" });
    // Its ETag is that of the next function where that has written in between.
    const found = isWritten ? await work.getVersionIfPresent(this.#key) : undefined;
    if (found?.text !== body) {
      throw new PipelineError(
        "StoreBusy",
        `${this.#key} in ${work.label} was written by another function of this restore meanwhile: nothing more is begun by this one`,
        { details: { key: this.#key, overtaken: true } },
      );
    }
    this.#etag = found.etag;
  }

  of({ planned }: Import): ImportRecord | undefined {
    return this.#records.get(planned.task);
  }

  /** @returns whether that is worth a write: rows are, as what an import reported tells it from others once it is forgotten */
  set(
    item: Import,
    state: Pick<ImportRecord, "id" | "state" | "rows" | "missedSince" | "again" | "askedAt" | "asked">,
  ): boolean {
    const known = this.of(item);
    if (known) this.#uncount(known);
    const { task, fingerprint } = item.planned;
    // Where it goes on it was compared as the run did that submitted it.
    const compared = known?.compared ?? this.#compares;
    this.#add({ ...state, compared, collectionId: this.made(item.collection).id, task, planned: fingerprint });
    const { id, rows, missedSince } = state;
    return known?.id !== id || known.state !== state.state || known.rows !== rows || known.missedSince !== missedSince;
  }

  /** So that it is submitted anew. @returns what was known of it */
  drop(item: Import): ImportRecord | undefined {
    const known = this.of(item);
    if (!known) return undefined;
    this.#records.delete(known.task);
    this.#uncount(known);
    return known;
  }

  /** A collection was dropped and made again: nothing is in it. */
  remade(collection: PlannedRestore, record: CollectionRecord): void {
    for (const item of this.imports) if (item.collection === collection) this.drop(item);
    this.#made.set(collection, record);
  }

  isComplete(item: Import): boolean {
    return this.of(item)?.state === "completed";
  }

  /** Collections whose rows are to be inserted and are not known to be, each with all that is inserted into it. */
  toInsert(): { readonly collection: PlannedRestore; readonly items: readonly Import[] }[] {
    const byCollection = Map.groupBy(this.imports.filter(isInserted), ({ collection }) => collection);
    return [...byCollection].flatMap(([collection, items]) =>
      items.every((item) => this.isComplete(item)) ? [] : [{ collection, items }],
    );
  }

  /** Submitted, and not known to be complete. */
  unfinished(): Import[] {
    return this.imports.filter((item) => this.of(item)?.state === "submitted");
  }

  /** About to be submitted when they were last heard of: nobody knows whether they were. */
  unanswered(): Import[] {
    return this.imports.filter((item) => this.of(item)?.state === "submitting" && !isInserted(item));
  }

  /**
   * Imports that are not known to be submitted, of the earliest phase of their collection that is not complete; none of a collection whose rows
   * are still to be inserted.
   */
  startable(): Import[] {
    const inserting = new Set(this.toInsert().map(({ collection }) => collection));
    const phases = new Map<PlannedRestore, number>();
    for (const item of this.imports) {
      if (this.isComplete(item)) continue;
      const { collection, planned } = item;
      phases.set(collection, Math.min(planned.phase, phases.get(collection) ?? planned.phase));
    }
    const isOpen = (item: Import) => [undefined, "submitting"].includes(this.of(item)?.state);
    return this.imports.filter(
      (item) => isOpen(item) && item.planned.phase === phases.get(item.collection) && !inserting.has(item.collection),
    );
  }

  /** IDs of imports that were submitted into a collection and are not known to be complete. */
  openOf(collection: PlannedRestore): ReadonlySet<Id> {
    const open = collection.imports.flatMap(({ task }) => this.#records.get(task) ?? []);
    return new Set(open.filter(({ state }) => state === "submitted").map(({ id }) => id));
  }

  /** Whether anything of a collection is still to be submitted, or may have been without anybody knowing its ID. */
  hasUnsubmitted({ imports }: PlannedRestore): boolean {
    return imports.some(({ task, kind }) => {
      const state = this.#records.get(task)?.state;
      return kind !== "rows" && state !== "submitted" && state !== "completed";
    });
  }

  /** IDs of Milvus that are an import of this restore each. */
  get ids(): ReadonlySet<Id> {
    return this.#ids;
  }

  /** What Milvus need not be asked about: what was there before the restore began is never ours, what is complete stays so. */
  settledOf(collection: PlannedRestore): ReadonlySet<Id> {
    const complete = this.#completeOf(collection).map(({ id }) => id);
    return new Set([...this.made(collection).importsBefore, ...complete]);
  }

  /** Rows of everything that is recorded as complete. */
  completedRows(collection: PlannedRestore): bigint {
    const deletes = new Set(collection.imports.filter(({ kind }) => kind === "l0").map(({ task }) => task));
    const data = this.#completeOf(collection).filter(({ task }) => !deletes.has(task));
    return data.reduce((sum, { rows }) => sum + BigInt(rows), 0n);
  }

  made(collection: PlannedRestore): CollectionRecord {
    const record = this.#made.get(collection);
    if (!record) throw new Error(`${qualifiedName(collection.target)} is none of this restore`);
    return record;
  }

  #completeOf({ imports }: PlannedRestore): ImportRecord[] {
    return imports.flatMap(({ task }) => {
      const record = this.#records.get(task);
      return record?.state === "completed" ? [record] : [];
    });
  }

  /** Takes over the records of earlier runs about the collections that stand now. */
  #take(records: readonly ImportRecord[]): void {
    const planned = new Map(this.imports.map((item) => [item.planned.task, item]));
    for (const record of records) {
      const item = planned.get(record.task);
      if (
        !item ||
        this.#made.get(item.collection)?.id !== record.collectionId ||
        item.planned.fingerprint !== record.planned
      ) {
        throw new PipelineError(
          "InvalidInput",
          "an earlier run of this restore has already imported other files into the same collections (it ran with other options, " +
            "or the target was another version then, or its REST interface was not as much in reach as it is now): start it as it was, or with discard (restore --discard) and then anew",
          { details: { key: "discard" } },
        );
      }
      if (strength[record.compared ?? "contents"] < strength[this.#compares]) {
        throw new PipelineError(
          "InvalidInput",
          `an earlier run of this restore has already imported files of which it compared ${record.compared}, and verify asks for ${this.#compares}: ` +
            "start it as it was, or with discard (restore --discard) and then anew",
          { details: { key: "verify" } },
        );
      }
      this.#add(record);
    }
  }

  #uncount({ id, state }: ImportRecord): void {
    this.#ids.delete(id);
    if (state === "completed") this.#completed -= 1;
  }

  #add(record: ImportRecord): void {
    this.#records.set(record.task, record);
    if (record.state !== "submitting") this.#ids.add(record.id);
    if (record.state === "completed") this.#completed += 1;
  }
}
