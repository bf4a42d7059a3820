import type { DeletesApart } from "../execution/copy-plan.ts";
import { PipelineError } from "../execution/errors.ts";
import type { BackupLayout } from "../format/layout.ts";
import type { PartitionWith, SegmentBackup } from "../format/meta.ts";
import type { SegmentBrief } from "../format/outline.ts";
import type { ImportFiles } from "../milvus/descriptions.ts";
import { hybridTimestamp, type Instant, physicalMilliseconds } from "../milvus/instant.ts";
import type { Features } from "../milvus/version.ts";
import {
  chunkByBytes,
  chunkWithin,
  type Group,
  groupsOf,
  singleSegments,
  totalBytes,
  worthStaging,
  worthTasks,
} from "./import-groups.ts";
import { ImportPlaces, type PlacesContext, type StagedImport, type Staging } from "./import-places.ts";
import { dataSegments, partitionsToInsert, type SmallPartitions } from "./insertions.ts";
import { type Merge, mergeIdOf, planMerges, savedObjects } from "./merges.ts";
import type { PlannedImport } from "./planned-restore.ts";
import { directoriesOf, fingerprintOf } from "./restore-work.ts";
import { copyOutOfBackup, type SizedSegment } from "./segment-copies.ts";
import { hasDeletes, type KnownRows, leastRows } from "./segment-rows.ts";
import { concerns, SpreadDeletes } from "./spread-deletes.ts";

export interface ImportPlan {
  readonly imports: readonly PlannedImport[];
  /** Whether logs are put together, or rows inserted: what comes behind may have had other numbers in another plan. */
  readonly isRenumbered: boolean;
  /** The number under which it is written what is inserted; absent where nothing is. */
  readonly insertion?: number | undefined;
  /** The segments that an import brings; those without anything to import are in none. */
  segmentsOf(task: number): readonly SegmentBrief[];
  /** What an import reads. */
  filesOf(task: number): ImportFiles[];
  /**
   * What to stage of a segment of an import, or (with no prefix that has a `to`) only to verify, before the target is touched.
   * @param ordinal SegmentBrief.ordinal of this segment
   */
  copyOf(task: number, segment: SegmentBackup, ordinal: number): SizedSegment;
  /** L0 segments of which no import is made, and that delete rows of others (`SpreadDeletes`). */
  readonly spread: readonly SegmentBrief[];
  /** What to stage of one of them: one copy for so many of the segments whose rows it deletes that many of these are not the work of one function. */
  copiesOfSpread(segment: SegmentBackup): SizedSegment[];
}

/** An import as long as its segments are at hand. */
interface DraftedImport
  extends StagedImport,
    Omit<PlannedImport, "task" | "fingerprint" | "directories" | "minimumRows" | "bytes"> {
  /** Of segments that are side by side. */
  readonly merges: readonly Merge[];
}

/** An import and what is found of it again and again. */
interface IndexedImport extends DraftedImport {
  /** By the ordinals of the segments that share one. */
  readonly mergeOf: ReadonlyMap<number, Merge>;
}

/** A segment whose rows an L0 segment deletes, and the number of its import. */
interface Taker {
  readonly task: number;
  readonly taker: SegmentBrief;
}

/** How a target Milvus takes imports of a backup, which decides how they look. */
export interface ImportTerms {
  readonly backup: BackupLayout;
  /** ImportWay.pairsPerJob */
  readonly pairsPerJob: number;
  /** Whether the target Milvus can read the backup where it lies: same object store, same bucket. */
  readonly readsInPlace: boolean;
  /** Whether bytes of the backup may pass through here: logs are put together, and rows inserted, only then. */
  readonly mayStream: boolean;
}

interface PlanContext extends ImportTerms, PlacesContext {
  readonly features: Features;
  readonly smallPartitions?: SmallPartitions | undefined;
  /** Whether the collection is the restore's own until it is complete. */
  readonly isOurs: boolean;
  /** Of the collection that is made. */
  readonly shards: number;
  /** What the collection was cut at; absent where nobody knows it. */
  readonly instant?: Instant | undefined;
  /** Segments that may hold rows from after it. */
  readonly laterRows?: ReadonlySet<string> | undefined;
  /** What the heads of their logs tell of segments with such rows, or with deletes. */
  readonly known?: ReadonlyMap<string, KnownRows> | undefined;
  /** Whether `isRenumbered` of imports with lower numbers. */
  readonly renumbered: boolean;
}

/** Beside so many segments the logs of an L0 segment are staged in one copy: with 200 of these, a batch makes 10,000, a minute's work. */
const takersPerCopy = 50;

/** With more partitions, a second job for each would come near the 1,024 jobs that Milvus 2.4+ takes at once (`maxImportJobNum`). */
const mostPartitionsApart = 256;

/** Plans the imports of one collection and the copies they need. */
export function planImports(context: PlanContext): ImportPlan {
  const plan = new CollectionImports(context);
  for (const partition of context.collection.partition_backups) plan.addPartition(partition);
  plan.addL0("", 2, context.collection.l0_segments);
  return plan;
}

class CollectionImports implements ImportPlan {
  readonly imports: PlannedImport[] = [];
  readonly #context: PlanContext;
  readonly #places: ImportPlaces;
  readonly #spread: SpreadDeletes;
  /** In the order of `imports`. */
  readonly #drafts: IndexedImport[] = [];
  readonly #inserted: ReadonlySet<PartitionWith<SegmentBrief>>;
  /** By the partition of the L0 segment; asked for when all imports are drafted. */
  readonly #takers = new Map<bigint, readonly Taker[]>();

  constructor(context: PlanContext) {
    this.#context = context;
    this.#spread = new SpreadDeletes(context.collection, context.spread);
    this.#places = new ImportPlaces(context, this.#spread);
    this.#inserted = partitionsToInsert(context.collection, { ...context, asked: context.smallPartitions });
  }

  get isRenumbered(): boolean {
    return this.#drafts.some(({ merges, kind }) => merges.length > 0 || kind === "rows");
  }

  get insertion(): number | undefined {
    return this.#inserted.size > 0 ? this.#context.stagedAs : undefined;
  }

  addPartition(partition: PartitionWith<SegmentBrief>): void {
    // Rows without logs are damage: kept here, so that the check of what lies in the backup finds it.
    const data = dataSegments(partition);
    if (this.#inserted.has(partition)) {
      this.#addRows(partition, data);
      return;
    }
    // One import takes segments of one storage version.
    for (const [storageVersion, segments] of Map.groupBy(data, ({ storage_version }) => storage_version)) {
      const groups = groupsOf(segments);
      if (this.#context.features.importApi === "grpc") this.#addTasks(partition, storageVersion, groups);
      else this.#addJobs(partition, storageVersion, groups);
    }
    const levelZero = partition.segment_backups.filter((segment) => segment.is_l0);
    this.addL0(partition.partition_name, 1, levelZero);
  }

  /** Deletes of a partition (or, with the partition "", of all) that lie in L0 segments; only Milvus 2.4+ has them. */
  addL0(partition: string, phase: 1 | 2, segments: readonly SegmentBrief[]): void {
    const perJob = this.#context.features.multiL0PerJob ? this.#context.pairsPerJob : 1;
    const imported = segments.filter((segment) => hasDeletes(segment) && !this.#spread.has(segment));
    for (const [storageVersion, members] of Map.groupBy(imported, ({ storage_version }) => storage_version)) {
      for (const chunk of chunksOf(members, perJob)) {
        this.#add({
          phase,
          partition,
          kind: "l0",
          storageVersion: storageVersion.toString(),
          rows: "0",
          hasDeletes: true,
          staging: this.#context.readsInPlace ? "in-place" : "pairs",
          partitionId: "",
          segments: chunk,
          merges: [],
          contents: [],
        });
      }
    }
  }

  segmentsOf(task: number): readonly SegmentBrief[] {
    return this.#draft(task).segments;
  }

  filesOf(task: number): ImportFiles[] {
    return this.#places.filesOf(task, this.#draft(task));
  }

  copyOf(task: number, segment: SegmentBackup, ordinal: number): SizedSegment {
    const draft = this.#draft(task);
    const { mergeOf, kind, partition } = draft;
    const merge = mergeOf.get(ordinal);
    const to = this.#places.destinationOf(task, draft, segment, merge);
    const copy = copyOutOfBackup(segment, this.#context.backup, to);
    if (kind === "rows") return { ...copy, inserted: { as: this.#context.stagedAs, partition } };
    if (!merge) return copy;
    const apart = this.#apartOf(merge);
    const into = `${task}/${mergeIdOf(merge)}`;
    return { ...copy, merge: { into, segments: merge.length, ...(apart && { apart }) } };
  }

  get spread(): readonly SegmentBrief[] {
    return this.#spread.segments.filter((segment) => this.#takersOf(segment).length > 0);
  }

  copiesOfSpread(segment: SegmentBackup): SizedSegment[] {
    const copy = copyOutOfBackup(segment, this.#context.backup, { insert: "", delta: "" });
    return chunksOf(this.#takersOf(segment), takersPerCopy).map((takers) => {
      const prefixes = takers.flatMap(({ task, taker }) => {
        const to = this.#places.spreadInto(task, taker, segment);
        return copy.segment.prefixes.map((prefix) => ({ ...prefix, to }));
      });
      return { bytes: copy.bytes * takers.length, segment: { ...copy.segment, prefixes } };
    });
  }

  /** The segments whose rows an L0 segment deletes, and the import of each. */
  #takersOf(levelZero: Pick<SegmentBrief, "partition_id">): readonly Taker[] {
    const known = this.#takers.get(levelZero.partition_id);
    if (known) return known;
    const takers = this.#drafts.flatMap(({ kind, segments }, index) =>
      kind === "l0"
        ? []
        : segments
            .filter(({ partition_id }) => concerns(levelZero, partition_id))
            .map((taker) => ({ task: this.#context.firstTask + index, taker })),
    );
    this.#takers.set(levelZero.partition_id, takers);
    return takers;
  }

  /** Milvus 2.2/2.3: a task reads one directory of segments, one task runs at a time, and reads its objects one after another. */
  #addTasks(partition: PartitionWith<SegmentBrief>, storageVersion: bigint, groups: readonly Group[]): void {
    const tasks = this.#jointTasks(groups).map((chunk) => ({
      chunk,
      merges: this.#context.mayStream
        ? planMerges(
            chunk.flatMap(({ segments }) => segments),
            this.#fields,
          )
        : [],
    }));
    const merges = tasks.flatMap((task) => task.merges);
    const saved = merges.reduce((sum, merge) => sum + savedObjects(merge, this.#fields), 0);
    const staged = { tasks: tasks.length, merges, savedObjects: saved };
    if (this.#context.readsInPlace && !worthStaging(groups, staged)) {
      for (const group of groups) this.#addData(partition, storageVersion, [group], "in-place");
      return;
    }
    for (const task of tasks) this.#addData(partition, storageVersion, task.chunk, "side-by-side", task.merges);
  }

  /** Of which a segment has logs: every field of the schema, the row ID and the timestamp. */
  get #fields(): number {
    return this.#context.collection.schema.fields.length + 2;
  }

  /**
   * Deletes of one segment meet the rows of all that share its directory. That is right in a consistent cut only, and where the server holds a delete's
   * time against the row's; otherwise they must meet none.
   * @returns what is looked at to know it; undefined where they may meet
   */
  #apartOf(merge: Merge): DeletesApart | undefined {
    const { collection, features, instant } = this.#context;
    const mayMeet = instant !== undefined && features.deletesByTime;
    if (mayMeet || merge.length < 2 || !merge.some(hasDeletes)) return undefined;
    const key = collection.schema.fields.find((field) => field.is_primary_key);
    if (!key)
      throw new PipelineError("CorruptBackup", `the schema of ${collection.collection_name} has no primary key`);
    return {
      primaryKey: { id: key.fieldID.toString(), name: key.name, dataType: key.data_type },
      byTime: features.deletesByTime,
      ...(instant && { until: hybridTimestamp(physicalMilliseconds(instant.timestamp)) }),
    };
  }

  /** Milvus 2.4+: a job reads many pairs of directories and Milvus runs them side by side. */
  #addJobs(partition: PartitionWith<SegmentBrief>, storageVersion: bigint, groups: readonly Group[]): void {
    const { pairsPerJob } = this.#context;
    const apart = this.#context.collection.partition_backups.length <= mostPartitionsApart;
    for (const alike of apart ? this.#byExactness(groups) : [groups]) {
      const { inPlace, staged } = this.#placed(alike);
      for (const chunk of inPlace) {
        for (const job of chunksOf(chunk, pairsPerJob)) this.#addData(partition, storageVersion, job, "in-place");
      }
      for (const job of chunksOf(staged, pairsPerJob)) this.#addData(partition, storageVersion, job, "pairs");
    }
  }

  /** In place a pair is a group, which Milvus breaks up into its segments: a job has no more of them than it takes. A staged pair is one segment. */
  #placed(groups: readonly Group[]): { inPlace: Group[][]; staged: Group[] } {
    const { segmentsPerJob } = this.#context.features;
    const isAlone = ({ partition_id }: SegmentBrief) => this.#spread.over(partition_id).length === 0;
    const fits = ({ segments }: Group) =>
      this.#context.readsInPlace && segments.length <= segmentsPerJob && segments.every(isAlone);
    return {
      inPlace: chunkWithin(groups.filter(fits), segmentsPerJob, ({ segments }) => segments.length),
      staged: groups.filter((group) => !fits(group)).flatMap(singleSegments),
    };
  }

  /** Groups of which every row must come are tasks of their own where the tasks that this adds are few against what staging takes. */
  #jointTasks(groups: readonly Group[]): Group[][] {
    const together = chunkByBytes(groups);
    const apart = this.#byExactness(groups).flatMap(chunkByBytes);
    return worthTasks(groups, apart.length - together.length) ? apart : together;
  }

  /** Groups of which every row must come, and others: what the others may lack hides no row that those lack. */
  #byExactness(groups: readonly Group[]): Group[][] {
    const [exact, others]: [Group[], Group[]] = [[], []];
    for (const group of groups) {
      const rows = group.segments.reduce((sum, { num_of_rows }) => sum + num_of_rows, 0n);
      (this.#minimumRows(group.segments) === rows ? exact : others).push(group);
    }
    return [exact, others].filter(({ length }) => length > 0);
  }

  /** Rows that are inserted; what they are read from is only looked at before, where it lies. */
  #addRows(partition: PartitionWith<SegmentBrief>, segments: readonly SegmentBrief[]): void {
    const groups = segments.map((segment) => ({ segments: [segment], bytes: Number(segment.size) }));
    this.#addData(partition, 0n, groups, "in-place", [], "rows");
  }

  #addData(
    { partition_name, partition_id }: PartitionWith<SegmentBrief>,
    storageVersion: bigint,
    groups: readonly Group[],
    staging: Staging,
    merges: readonly Merge[] = [],
    kind: "segments" | "rows" = "segments",
  ): void {
    const segments = groups.flatMap((group) => group.segments);
    this.#add({
      phase: 0,
      partition: partition_name,
      kind,
      storageVersion: storageVersion.toString(),
      rows: segments.reduce((sum, segment) => sum + segment.num_of_rows, 0n).toString(),
      hasDeletes: segments.some((segment) => this.#places.meetsDeletes(segment)),
      staging,
      partitionId: partition_id.toString(),
      segments,
      merges,
      contents: kind === "rows" ? [] : this.#contentsOf(segments, merges),
    });
  }

  /**
   * Names what lies in the directory of a task, where plans differ in what has its number: with logs that are put together, or rows that are inserted
   * (another target, another copyMode, an earlier version) there are fewer tasks. Milvus would import whatever the other plan left there.
   */
  #contentsOf(segments: readonly SegmentBrief[], merges: readonly Merge[]): string[] {
    if (merges.length === 0 && !this.isRenumbered && !this.#context.renumbered) return [];
    const idsOf = (of: readonly SegmentBrief[]) => of.map(({ segment_id }) => segment_id).join();
    const merged = new Set(merges.flat());
    const others = segments.filter((segment) => !merged.has(segment));
    // who shares the directory with whom is not known before the logs are read
    const named = merges.map((merge) => (this.#apartOf(merge) ? `apart ${idsOf(merge)}` : idsOf(merge)));
    return [...named, ...(others.length > 0 ? [`beside ${idsOf(others)}`] : [])];
  }

  #add(draft: DraftedImport): void {
    const task = this.#context.firstTask + this.imports.length;
    const { phase, partition, kind, storageVersion, rows, hasDeletes, segments } = draft;
    const files = this.#places.filesOf(task, draft);
    const spread = new Set(segments.flatMap((segment) => this.#spread.over(segment.partition_id)));
    const mergeOf = new Map(draft.merges.flatMap((merge) => merge.map(({ ordinal }) => [ordinal, merge] as const)));
    this.#drafts.push({ ...draft, mergeOf });
    this.imports.push({
      task,
      phase,
      partition,
      kind,
      storageVersion,
      fingerprint: fingerprintOf({
        ...{ partition, kind, storageVersion, files, instant: this.#context.instant },
        spread: kind === "l0" ? [] : [...spread].map(({ segment_id }) => segment_id.toString()),
      }),
      directories: kind === "rows" ? "" : directoriesOf(files),
      rows,
      minimumRows: kind === "l0" ? "0" : this.#minimumRows(segments).toString(),
      hasDeletes,
      bytes: totalBytes(segments),
    });
  }

  #minimumRows(segments: readonly SegmentBrief[]): bigint {
    return segments.reduce((sum, segment) => {
      const id = segment.segment_id.toString();
      const least = leastRows(segment, this.#context.known?.get(id) ?? {}, this.#mayBeLater(segment));
      const deletes = this.#spread.countOver(segment.partition_id);
      return sum + (deletes >= least ? 0n : least - deletes);
    }, 0n);
  }

  #mayBeLater({ segment_id }: SegmentBrief): boolean {
    return this.#context.laterRows?.has(segment_id.toString()) ?? false;
  }

  #draft(task: number): IndexedImport {
    const draft = this.#drafts[task - this.#context.firstTask];
    if (!draft) throw new Error(`import ${task} is none of this collection`);
    return draft;
  }
}

function chunksOf<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, index) =>
    values.slice(index * size, (index + 1) * size),
  );
}
