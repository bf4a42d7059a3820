import { PipelineError } from "../../core/execution/errors.ts";
import { settleAll, settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { allPartitions, type BackupLayout, type MilvusLayout, parseLogKey } from "../../core/format/layout.ts";
import type {
  CollectionDescription,
  CollectionName,
  FlushedCollection,
  SegmentDescription,
  SegmentLogs,
} from "../../core/milvus/descriptions.ts";
import { instantOf } from "../../core/milvus/instant.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { features } from "../../core/milvus/version.ts";
import {
  type CollectionDraft,
  estimateRowBytes,
  hasFixedWidth,
  loadStateOf,
  type PlannedCollection,
  type PlannedSegment,
  planSegmentCopies,
  selectSegments,
  tornSegments,
  unnamedSegments,
} from "../../core/plan/backup.ts";
import { inPartitionOrder } from "../../core/plan/backup-records.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { readLogHeads, timestampLogs } from "../shared/log-heads.ts";

/** Of one collection at once. */
const partitionConcurrency = 16;

/** Listings and heads of logs of one collection at once. */
const lookConcurrency = 32;

/**
 * How long is waited before a collection is flushed anew because compaction took segments between the flush and the listing, or rows of before
 * the flush are in other segments than it named. At once at first: with little to seal a flush is over quickly, which leaves compaction less time; then longer, for one that is under way to end.
 */
const waitsMilliseconds = [0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 8_000];

/** Segments that are looked at to learn how many bytes a row takes. */
const sampledSegments = 3;

interface CollectionPlannerOptions {
  readonly version: string;
  /** false: what is sealed already is taken (skip_flush), at no instant. */
  readonly flush: boolean;
  /** false: no data (meta_only). */
  readonly segments: boolean;
  /** Milvus's bucket, and where things lie in it. */
  readonly store: ObjectStore;
  readonly from: MilvusLayout;
  readonly to: BackupLayout;
  /** true: the segments of a partition come in the order of their keys, so that listings of whole partitions answer for all of them. */
  readonly byKey: boolean;
  readonly clock: Clock;
}

/** What Milvus showed of a collection's segments, all of one moment. */
interface Cut {
  readonly flushed?: FlushedCollection;
  readonly segments: readonly SegmentDescription[];
  readonly logs: ReadonlyMap<string, SegmentLogs>;
  readonly deltaLogs: ReadonlyMap<string, readonly string[]>;
}

/** Learns from Milvus all that a backup holds about one collection, and cuts it at one instant. */
export class CollectionPlanner {
  readonly #milvus: Milvus;
  readonly #options: CollectionPlannerOptions;

  constructor(milvus: Milvus, options: CollectionPlannerOptions) {
    this.#milvus = milvus;
    this.#options = options;
  }

  /**
   * Flushes the collection, and plans the copies of what was sealed then.
   * @throws CollectionNotFound, InconsistentSegments where compaction is quicker than every look, and what Milvus throws
   */
  async plan(name: CollectionName): Promise<CollectionDraft> {
    const milvus = this.#milvus;
    const { version, from, to } = this.#options;
    const description = await milvus.describeCollection(name);
    const { flushed, segments: cut, logs, deltaLogs } = await this.#cut(description);
    const [partitions, indexes, progress] = await settleAll([
      milvus.listPartitions(name),
      milvus.listIndexes(name),
      milvus.loadingProgress(name),
    ]);
    const loadState = loadStateOf(progress);
    // A partition dropped meanwhile takes its segments with it; one made meanwhile holds only rows after the flush.
    const known = new Set([allPartitions, ...partitions.map(({ id }) => id)]);
    const segments = cut
      .filter(({ partitionId }) => known.has(partitionId))
      .map(
        (segment): PlannedSegment => ({
          id: segment.id,
          partitionId: segment.partitionId,
          rows: segment.rows.toString(),
          isL0: segment.isL0,
          storageVersion: segment.storageVersion,
          virtualChannel: logs.get(segment.id)?.virtualChannel ?? "",
        }),
      );
    const instant = flushed && instantOf(flushed.timestamp);
    const collection: PlannedCollection = {
      description,
      partitions: await settleEach(partitions, partitionConcurrency, async (partition) => ({
        ...partition,
        // Single partitions can be loaded: a collection's progress is that of its loaded partitions only.
        loadState:
          loadState === "NotLoad" ? loadState : loadStateOf(await milvus.loadingProgress(name, partition.name)),
      })),
      indexes,
      loadState,
      ...(flushed && { flushed }),
      ...(instant && { instant }),
      segments: inPartitionOrder(this.#options.byKey ? segments.toSorted(byText) : segments, partitions),
    };
    const rowBytes = await this.#rowBytes(collection);
    return { collection, copies: planSegmentCopies(collection, { logs, deltaLogs, from, to, version, rowBytes }) };
  }

  /**
   * The segments and delta logs as they were at a flush. Where one of them is gone before it is listed, compaction rewrote it without the
   * rows that deletes after the flush removed: only a new flush, and so a new instant, gives a list that is whole. So does only a new flush
   * where rows up to the instant lie in segments that it did not name.
   */
  async #cut({ name, id }: CollectionDescription): Promise<Cut> {
    const { milvus, clock } = { milvus: this.#milvus, clock: this.#options.clock };
    if (!this.#options.segments) {
      return { ...(await this.#flushed(name)), segments: [], logs: new Map(), deltaLogs: new Map() };
    }
    let torn: string[] = [];
    for (const wait of [undefined, ...waitsMilliseconds]) {
      if (wait !== undefined) await clock.sleep(wait);
      const { flushed } = await this.#flushed(name);
      const listed = await milvus.listSegments(name);
      torn = flushed ? tornSegments(listed, flushed.segmentIds) : [];
      if (torn.length > 0) continue;
      const segments = selectSegments(listed, flushed && new Set(flushed.segmentIds));
      // Behind the list of segments: deletes that compaction moves from an L0 segment to others meanwhile leave that one missing.
      const [described, overlooked] = await settleAll([
        this.#describeLogs(name, id, segments),
        flushed ? this.#overlooked(listed, flushed) : Promise.resolve([]),
      ]);
      torn = overlooked;
      if (torn.length > 0) continue;
      torn = described ? segments.flatMap((segment) => (described.has(segment.id) ? [] : [segment.id])) : [];
      if (torn.length > 0) continue;
      const deltaLogs = described ? new Map<string, string[]>() : await this.#listDeltaLogs(id);
      torn = described ? [] : segments.flatMap((it) => (it.isL0 && !deltaLogs.has(it.id) ? [it.id] : []));
      if (torn.length > 0) continue;
      return { ...(flushed && { flushed }), segments, logs: described ?? new Map(), deltaLogs };
    }
    throw new PipelineError(
      "InconsistentSegments",
      `${qualifiedName(name)} is compacted, or imported into, faster than its segments can be listed: of ${waitsMilliseconds.length + 1} flushes, each ` +
        `was followed by segments that were gone, or held earlier rows without being part of it (${shortList(torn)}). Start the same command again when that has settled`,
      { details: { collection: qualifiedName(name) } },
    );
  }

  async #flushed(name: CollectionName): Promise<{ flushed?: FlushedCollection }> {
    return this.#options.flush ? { flushed: await this.#milvus.flush(name) } : {};
  }

  /**
   * Segments with rows of up to the flush's timestamp that it did not name. Milvus up to 2.5 stamps a row before it chooses a segment for it: a
   * flush that comes between the two closes the segments there are, and the row lands in a new one (seen in 2.3.5 on a busy machine). When
   * the flush is over, all such rows are in logs. Which tell no time where writers of 2.4 and later wrote them.
   */
  async #overlooked(listed: readonly SegmentDescription[], flushed: FlushedCollection): Promise<string[]> {
    const { store, from } = this.#options;
    const instant = BigInt(flushed.timestamp);
    const unnamed = unnamedSegments(listed, new Set(flushed.segmentIds));
    const early = await settleEach(unnamed, lookConcurrency, async ({ collectionId, partitionId, id, state, rows }) => {
      const heads = await readLogHeads(
        store,
        timestampLogs(from.insertLogs({ collectionId, partitionId, segmentId: id })),
      );
      // A flushed one without any was compacted away since it was listed: nobody knows what was in it.
      const gone = state === "Flushed" && rows > 0n && heads.length === 0;
      return gone || heads.some((head) => head !== undefined && head.from <= instant) ? [id] : [];
    });
    return early.flat();
  }

  /** undefined where the server cannot tell the logs of a segment (before 2.5.8). */
  async #describeLogs(
    name: CollectionName,
    collectionId: string,
    segments: readonly SegmentDescription[],
  ): Promise<ReadonlyMap<string, SegmentLogs> | undefined> {
    if (!features(this.#options.version).segmentDescription) return undefined;
    if (segments.length === 0) return new Map();
    const ids = segments.map(({ id }) => id);
    const logs = await this.#milvus.describeSegmentLogs(name, collectionId, ids);
    return logs && new Map(logs.map((segment) => [segment.segmentId, segment]));
  }

  /** Log IDs below each segment of the collection that has any. */
  async #listDeltaLogs(collectionId: string): Promise<Map<string, string[]>> {
    const { store, from } = this.#options;
    const found = new Map<string, string[]>();
    for await (const { key } of store.list(from.collectionDeltaLogs(collectionId))) {
      const log = parseLogKey(key);
      if (log?.kind !== "delta") continue;
      const ofSegment = found.get(log.segmentId);
      if (ofSegment) ofSegment.push(log.logId);
      else found.set(log.segmentId, [log.logId]);
    }
    return found;
  }

  /** About how many bytes a row takes: by its types, or measured where they do not tell. */
  async #rowBytes({ description, segments }: PlannedCollection): Promise<number> {
    const { schema, id: collectionId } = description;
    const estimated = estimateRowBytes(schema.fields);
    if (hasFixedWidth(schema)) return estimated;
    const sampled = segments
      .filter(({ isL0 }) => !isL0)
      .toSorted((a, b) => Number(BigInt(b.rows) - BigInt(a.rows)))
      .slice(0, sampledSegments);
    let bytes = 0;
    let rows = 0;
    for (const segment of sampled) {
      const path = { collectionId, partitionId: segment.partitionId, segmentId: segment.id };
      for await (const { size } of this.#options.store.list(this.#options.from.insertLogs(path))) bytes += size;
      rows += Number(segment.rows);
    }
    return bytes > 0 && rows > 0 ? bytes / rows : estimated;
  }
}

/** As keys are sorted, by their characters. */
function byText(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
