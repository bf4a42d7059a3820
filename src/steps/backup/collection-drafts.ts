import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { keptOf, lostElsewhere } from "../../core/milvus/kept-attributes.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import {
  type CollectionDraft,
  collectionDraft,
  type PartialDouble,
  type PlanEntry,
  type PlannedCollection,
  plannedCollection,
  type SelectedCollection,
} from "../../core/plan/backup.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import { readWorkJson, type WorkFiles, writeWorkJson } from "../shared/work-files.ts";
import { notCarriedWarnings } from "./carried.ts";
import { type CollectionPlanner, collectionConcurrency } from "./collection-planner.ts";

/** A collection that this attempt plans, and its number in the backup. */
interface Open {
  readonly name: SelectedCollection;
  readonly index: number;
}

/** What is learned of each collection, kept in the work bucket as soon as it is known. */
export class CollectionDrafts {
  readonly #planner: CollectionPlanner;
  readonly #files: WorkFiles;
  readonly #attempt: number;

  constructor(planner: CollectionPlanner, { attempt, ...files }: WorkFiles & { attempt: number }) {
    this.#planner = planner;
    this.#files = files;
    this.#attempt = attempt;
  }

  /**
   * @param until Unix milliseconds: none is begun after it
   * @returns false where time ran out before all were planned: the step is to run again
   */
  async makeAll(open: readonly Open[], until: number): Promise<boolean> {
    const { clock } = this.#files.context;
    let left = open.length;
    await settleEach(open, collectionConcurrency, async (one) => {
      if (clock.now().getTime() >= until) return;
      await this.#make(one);
      left -= 1;
    });
    return left === 0;
  }

  async read({ index }: Open): Promise<CollectionDraft | undefined> {
    const { context, layout } = this.#files;
    const draft = await readWorkJson(context, layout.draft(this.#attempt, index), collectionDraft.nullable());
    return draft ?? undefined;
  }

  /** Where the plan of a collection that is not null lies from now on, beside its copies. */
  async keep({ index }: Open, { collection }: CollectionDraft): Promise<PlanEntry> {
    const { context, layout } = this.#files;
    await writeWorkJson(context, layout.collection(this.#attempt, index), collection);
    const { description, segments } = collection;
    return {
      id: description.id,
      name: qualifiedName(description.name),
      index,
      attempt: this.#attempt,
      segments: segments.length,
    };
  }

  async #make({ name, index }: Open): Promise<void> {
    const { context, layout } = this.#files;
    const key = layout.draft(this.#attempt, index);
    if ((await context.work.head(key)) !== undefined) return;
    await writeWorkJson(context, key, await this.#plan(name));
  }

  /** null for a collection that is gone and that nobody asked for by its name. */
  async #plan(name: SelectedCollection): Promise<CollectionDraft | null> {
    try {
      return await this.#planner.plan({ database: name.database, collection: name.collection });
    } catch (error) {
      if (!(error instanceof PipelineError) || error.name !== "CollectionNotFound") throw error;
      if (!name.named) return null;
      throw new PipelineError(
        "CollectionNotFound",
        `collection ${qualifiedName(name)} was dropped or renamed while it was backed up: nothing was committed. ${error.message}`,
        { details: { key: "collections" }, cause: error },
      );
    }
  }
}

/** Turns the drafts of an attempt into its plan: entries, the copies to make, and a warning for each collection that is gone. */
export async function collectDrafts(
  open: readonly Open[],
  drafts: CollectionDrafts,
  version: string,
  warnings: string[],
): Promise<{ entries: PlanEntry[]; segments: SizedSegment[]; rows: bigint }> {
  const entries: PlanEntry[] = [];
  const segments: SizedSegment[] = [];
  let rows = 0n;
  for (const one of open) {
    const draft = await drafts.read(one);
    if (!draft) {
      warnings.push(
        `collection ${qualifiedName(one.name)} was dropped while it was backed up: it is not in the backup`,
      );
      continue;
    }
    entries.push(await drafts.keep(one, draft));
    rows += rowsOf(draft.collection);
    for (const copy of draft.copies) segments.push(copy);
    const { flushed, instant, description } = draft.collection;
    warnings.push(...keptOf(description).map(lostElsewhere));
    warnings.push(...notCarriedWarnings(draft.collection, version));
    if (draft.unclear) warnings.push(maybeTwice(qualifiedName(description.name), draft.unclear));
    if (draft.partial) warnings.push(partlyTwice(qualifiedName(description.name), draft.partial));
    if (flushed && !instant) {
      warnings.push(
        `${qualifiedName(description.name)}: this Milvus does not tell the timestamp of a flush, so the backup is not the collection at one instant`,
      );
    }
  }
  return { entries, segments, rows };
}

function maybeTwice(name: string, segments: readonly string[]): string {
  return (
    `${name}: a clustering compaction may be under way, and nobody can tell whether its results are among these segments: ${shortList(segments)}. ` +
    "All are in the backup, which then holds rows twice: start it again when the compaction is over"
  );
}

function partlyTwice(name: string, segments: readonly PartialDouble[]): string {
  return (
    `${name}: ${shortList(segments.map(({ id, rows }) => `segment ${id} has ${rows} rows that other segments have too`))}. ` +
    "Rows of its own are not in those, so all are in the backup, which may hold rows twice"
  );
}

/** Rows of collections that an earlier attempt planned. */
export async function rowsOfKept(kept: readonly PlanEntry[], { context, layout }: WorkFiles): Promise<bigint> {
  let rows = 0n;
  for (const { attempt, index } of kept) {
    rows += rowsOf(await readWorkJson(context, layout.collection(attempt, index), plannedCollection));
  }
  return rows;
}

/** An L0 segment's rows are deletes. */
function rowsOf({ segments }: PlannedCollection): bigint {
  return segments.reduce((sum, segment) => sum + (segment.isL0 ? 0n : BigInt(segment.rows)), 0n);
}
