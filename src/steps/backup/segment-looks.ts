import { settleAll, settleEach } from "../../core/execution/settle.ts";
import { parseLogKey } from "../../core/format/layout.ts";
import type {
  CollectionDescription,
  CollectionName,
  FlushedCollection,
  SegmentDescription,
  SegmentLogs,
} from "../../core/milvus/descriptions.ts";
import { features } from "../../core/milvus/version.ts";
import { selectSegments, tornSegments, unnamedSegments } from "../../core/plan/backup.ts";
import type { Milvus } from "../../ports/milvus.ts";
import { readLogHeads, timestampLogs } from "../shared/log-heads.ts";
import type { SegmentPlaces } from "../shared/milvus-data.ts";
import type { ClusteringDoubles } from "./clustering-doubles.ts";
import type { Cut } from "./cut.ts";

/** Listings and heads of logs of one collection at once. */
const lookConcurrency = 32;

/** The logs of the segments that a list of Milvus's shows: named by Milvus, or listed where they lie. */
export class SegmentLooks {
  readonly #milvus: Milvus;
  readonly #version: string;
  readonly #places: SegmentPlaces;
  readonly #doubles: ClusteringDoubles;

  constructor(
    milvus: Milvus,
    { version, places, doubles }: { version: string; places: SegmentPlaces; doubles: ClusteringDoubles },
  ) {
    this.#milvus = milvus;
    this.#version = version;
    this.#places = places;
    this.#doubles = doubles;
  }

  /**
   * @param flushed absent where nothing was flushed
   * @returns the cut, or the IDs of segments by which it is torn
   */
  async look(
    { name, id }: CollectionDescription,
    listed: readonly SegmentDescription[],
    flushed: FlushedCollection | undefined,
  ): Promise<{ readonly cut: Cut } | { readonly torn: readonly string[] }> {
    const segments = selectSegments(listed, flushed && new Set(flushed.segmentIds));
    // Behind the list of segments: deletes that compaction moves from an L0 segment to others meanwhile leave that one missing.
    const [described, overlooked] = await settleAll([
      this.#describeLogs(name, id, segments),
      flushed ? this.#overlooked(listed, flushed) : Promise.resolve([]),
    ]);
    if (overlooked.length > 0) return { torn: overlooked };
    const deltaLogs = described ? new Map<string, string[]>() : await this.#listDeltaLogs(id);
    const torn = described
      ? segments.filter((segment) => !described.has(segment.id))
      : segments.filter((segment) => segment.isL0 && !deltaLogs.has(segment.id));
    if (torn.length > 0) return { torn: torn.map((segment) => segment.id) };
    const logs = described ?? new Map<string, SegmentLogs>();
    const { doubles, holders, partial, unclear, ...found } = await this.#doubles.find(segments, logs);
    if (found.torn.length > 0) return { torn: found.torn };
    if (doubles.size > 0) {
      // A compaction that ended under the first list may have left some of its inputs out of it: they go together.
      const ended = tornSegments(await this.#milvus.listSegments(name), [...holders]);
      if (ended.length > 0) return { torn: ended };
    }
    return {
      cut: {
        ...(flushed && { flushed }),
        segments: segments.filter((segment) => !doubles.has(segment.id)),
        ...{ logs, deltaLogs },
        ...(unclear.length > 0 && { unclear }),
        ...(partial.length > 0 && { partial }),
      },
    };
  }

  /**
   * Segments with rows of up to the flush's timestamp that it did not name. Milvus up to 2.5 stamps a row before it chooses a segment for it: a
   * flush that comes between the two closes the segments there are, and the row lands in a new one (seen in 2.3.5 on a busy machine). When
   * the flush is over, all such rows are in logs. Which tell no time where writers of 2.4 and later wrote them.
   */
  async #overlooked(listed: readonly SegmentDescription[], flushed: FlushedCollection): Promise<string[]> {
    const { store, from } = this.#places;
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
    if (!features(this.#version).segmentDescription) return undefined;
    if (segments.length === 0) return new Map();
    const ids = segments.map(({ id }) => id);
    const logs = await this.#milvus.describeSegmentLogs(name, collectionId, ids);
    return logs && new Map(logs.map((segment) => [segment.segmentId, segment]));
  }

  /** Log IDs below each segment of the collection that has any. */
  async #listDeltaLogs(collectionId: string): Promise<Map<string, string[]>> {
    const { store, from } = this.#places;
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
}
