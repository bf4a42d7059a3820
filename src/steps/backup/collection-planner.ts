import { settleAll, settleEach } from "../../core/execution/settle.ts";
import { allPartitions, type BackupLayout } from "../../core/format/layout.ts";
import type { CollectionDescription, CollectionName } from "../../core/milvus/descriptions.ts";
import { instantOf } from "../../core/milvus/instant.ts";
import {
  type CollectionDraft,
  estimateRowBytes,
  hasFixedWidth,
  loadStateOf,
  type PlannedCollection,
  type PlannedSegment,
  planSegmentCopies,
} from "../../core/plan/backup.ts";
import { inPartitionOrder } from "../../core/plan/backup-records.ts";
import type { Milvus } from "../../ports/milvus.ts";
import { findRows, type SegmentPlaces } from "../shared/milvus-data.ts";
import type { SegmentSource } from "./cut.ts";

/** Milvus's proxies answer quickly; more than a few collections at once only queue there. */
export const collectionConcurrency = 8;

/** Of one collection at once. */
const partitionConcurrency = 16;

/** Segments that are looked at to learn how many bytes a row takes. */
const sampledSegments = 3;

interface CollectionPlannerOptions {
  readonly version: string;
  readonly source: SegmentSource;
  readonly places: SegmentPlaces;
  readonly to: BackupLayout;
  /** true: the segments of a partition come in the order of their keys, so that listings of whole partitions answer for all of them. */
  readonly byKey: boolean;
}

/** Learns from Milvus all that a backup holds about one collection, and cuts it at one instant. */
export class CollectionPlanner {
  readonly #milvus: Milvus;
  readonly #options: CollectionPlannerOptions;
  /** Whether rows were seen where the environment says that they lie: those of one collection tell it. */
  #seen = false;

  constructor(milvus: Milvus, options: CollectionPlannerOptions) {
    this.#milvus = milvus;
    this.#options = options;
  }

  /**
   * Finds the collection's segments, and plans their copies.
   * @throws CollectionNotFound, InvalidEnvironment where the rows are not in this bucket, InconsistentSegments where compaction is quicker than every look, and what Milvus throws
   */
  async plan(name: CollectionName): Promise<CollectionDraft> {
    const milvus = this.#milvus;
    const { version, source, places, to } = this.#options;
    const { from } = places;
    const description = await milvus.describeCollection(name);
    const { flushed, segments: cut, logs, deltaLogs, unclear, partial } = await source.cut(description);
    if (!this.#seen) this.#seen = (await findRows(milvus, description, cut, places)) !== undefined;
    const [partitions, indexes, progress] = await settleAll([
      milvus.listPartitions(name),
      milvus.listIndexes(name),
      milvus.loadingProgress(name),
    ]);
    const loadState = loadStateOf(progress);
    const beyond = await milvus.beyondSchema(name, loadState !== "NotLoad");
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
      description: beyond.length === 0 ? description : withBeyond(description, beyond),
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
    const copies = planSegmentCopies(collection, { logs, deltaLogs, from, to, version, rowBytes });
    return { collection, copies, ...(unclear && { unclear }), ...(partial && { partial }) };
  }

  /** About how many bytes a row takes: by its types, or measured where they do not tell. */
  async #rowBytes({ description, segments }: PlannedCollection): Promise<number> {
    const { schema, id: collectionId } = description;
    const { store, from } = this.#options.places;
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
      for await (const { size } of store.list(from.insertLogs(path))) bytes += size;
      rows += Number(segment.rows);
    }
    return bytes > 0 && rows > 0 ? bytes / rows : estimated;
  }
}

function withBeyond(description: CollectionDescription, beyond: readonly string[]): CollectionDescription {
  return { ...description, notCarried: [...(description.notCarried ?? []), ...beyond] };
}

/** As keys are sorted, by their characters. */
function byText(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
