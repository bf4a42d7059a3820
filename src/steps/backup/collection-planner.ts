import pLimit from "p-limit";
import { allPartitions } from "../../core/format/layout.ts";
import type {
  CollectionDescription,
  CollectionName,
  FlushedCollection,
  SegmentLogs,
} from "../../core/milvus/descriptions.ts";
import type { Features } from "../../core/milvus/version.ts";
import {
  type BackupPlan,
  loadStateOf,
  type PlannedCollection,
  type PlannedSegment,
  selectSegments,
} from "../../core/plan/backup.ts";
import { inPartitionOrder } from "../../core/plan/backup-records.ts";
import type { Milvus } from "../../ports/milvus.ts";

/** Of one collection at once. */
const partitionConcurrency = 16;

/** Learns from Milvus all that a backup holds about one collection. */
export class CollectionPlanner {
  readonly #milvus: Milvus;
  readonly #features: Features;
  readonly #options: { flush: boolean; segments: boolean; earlier: BackupPlan | undefined };

  constructor(
    milvus: Milvus,
    serverFeatures: Features,
    options: { flush: boolean; segments: boolean; earlier: BackupPlan | undefined },
  ) {
    this.#milvus = milvus;
    this.#features = serverFeatures;
    this.#options = options;
  }

  async plan(name: CollectionName): Promise<{ collection: PlannedCollection; logs: ReadonlyMap<string, SegmentLogs> }> {
    const milvus = this.#milvus;
    const description = await milvus.describeCollection(name);
    const flushed = await this.#flush(description);
    const [partitions, indexes, progress] = await Promise.all([
      milvus.listPartitions(name),
      milvus.listIndexes(name),
      milvus.loadingProgress(name),
    ]);
    const loadState = loadStateOf(progress);
    const listed = this.#options.segments ? await milvus.listSegments(name) : [];
    // A partition dropped meanwhile takes its segments with it; one made meanwhile holds only rows after the flush.
    const known = new Set([allPartitions, ...partitions.map(({ id }) => id)]);
    const selected = selectSegments(listed, new Set(flushed?.segmentIds ?? [])).filter(({ partitionId }) =>
      known.has(partitionId),
    );
    const logs = await this.#describeLogs(
      name,
      description.id,
      selected.map(({ id }) => id),
    );
    const segments: PlannedSegment[] = selected.map((segment) => ({
      id: segment.id,
      partitionId: segment.partitionId,
      rows: segment.rows.toString(),
      isL0: segment.isL0,
      storageVersion: segment.storageVersion,
      virtualChannel: logs.get(segment.id)?.virtualChannel ?? "",
    }));
    const limit = pLimit(partitionConcurrency);
    const collection: PlannedCollection = {
      description,
      partitions: await Promise.all(
        partitions.map((partition) =>
          limit(async () => ({
            ...partition,
            // Single partitions can be loaded: a collection's progress is that of its loaded partitions only.
            loadState:
              loadState === "NotLoad" ? loadState : loadStateOf(await milvus.loadingProgress(name, partition.name)),
          })),
        ),
      ),
      indexes,
      loadState,
      ...(flushed && { flushed }),
      segments: inPartitionOrder(segments, partitions),
    };
    return { collection, logs };
  }

  /** By ID: a collection that was dropped and made again under its name since was never flushed. */
  async #flush({ id, name }: CollectionDescription): Promise<FlushedCollection | undefined> {
    if (!this.#options.flush) return undefined;
    const earlier = this.#options.earlier?.collections.find(({ description }) => description.id === id)?.flushed;
    return earlier ?? this.#milvus.flush(name);
  }

  async #describeLogs(
    name: CollectionName,
    collectionId: string,
    segmentIds: readonly string[],
  ): Promise<ReadonlyMap<string, SegmentLogs>> {
    if (!this.#features.segmentDescription || segmentIds.length === 0) return new Map();
    const logs = await this.#milvus.describeSegmentLogs(name, collectionId, segmentIds);
    return new Map((logs ?? []).map((segment) => [segment.segmentId, segment]));
  }
}
