import type { SegmentBackup } from "../format/meta.ts";
import type { ImportFiles } from "../milvus/descriptions.ts";
import type { ImportPlan } from "./imports.ts";
import type { SizedSegment } from "./segment-copies.ts";

/** What becomes of every segment of a backup in a restore; the segments themselves pass by one after another. */
export class RestoreSegments {
  /** Each once, under however many names it is restored. */
  count = 0;
  bytes = 0;
  readonly #plans: ImportPlan[] = [];
  /** The task that imports a segment, by the segment's ordinal; undefined where nothing of it is imported. */
  readonly #tasks: number[] = [];
  readonly #planOf = new Map<number, ImportPlan>();
  /** By the ordinal of an L0 segment of which no import is made (`ImportPlan.spread`). */
  readonly #spreadBy = new Map<number, ImportPlan>();

  /** @param first false where the plan reads what an earlier one has staged or verified */
  add(plan: ImportPlan, first: boolean): void {
    this.#plans.push(plan);
    if (!first) return;
    for (const { task, bytes } of plan.imports) {
      this.bytes += bytes;
      this.#planOf.set(task, plan);
      for (const { ordinal } of plan.segmentsOf(task)) {
        this.#tasks[ordinal] = task;
        this.count += 1;
      }
    }
    for (const { ordinal } of plan.spread) {
      this.#spreadBy.set(ordinal, plan);
      this.count += 1;
    }
  }

  /** What every import of Milvus's reads. */
  *importFiles(): Generator<{ task: number; files: ImportFiles[] }> {
    for (const plan of this.#plans) {
      for (const { task, kind } of plan.imports) if (kind !== "rows") yield { task, files: plan.filesOf(task) };
    }
  }

  /**
   * What to stage of a segment, or to verify where it lies; nothing for one that is not restored.
   * @param ordinal SegmentBrief.ordinal of this segment
   */
  copiesOf(segment: SegmentBackup, ordinal: number): SizedSegment[] {
    const spreadBy = this.#spreadBy.get(ordinal);
    if (spreadBy) return spreadBy.copiesOfSpread(segment);
    const task = this.#tasks[ordinal];
    const plan = task === undefined ? undefined : this.#planOf.get(task);
    return task === undefined || plan === undefined ? [] : [plan.copyOf(task, segment, ordinal)];
  }
}
