import { hybridTimestamp } from "../../../src/core/milvus/instant.ts";
import { features } from "../../../src/core/milvus/version.ts";
import type {
  CollectionName,
  FlushedCollection,
  FlushedServer,
  Id,
  SegmentDescription,
  SegmentLogs,
} from "../../../src/ports/milvus.ts";
import type { MemoryCatalog } from "./catalog.ts";
import type { MemoryCollection, MemorySegment } from "./collection.ts";

/** Segments, and what flushes seal of those that grow. */
export class MemorySegments {
  readonly #catalog: MemoryCatalog;
  readonly #options: { readonly version: string; readonly now: () => Date };
  areFlushesHeld = () => false;

  constructor(catalog: MemoryCatalog, options: { readonly version: string; readonly now: () => Date }) {
    this.#catalog = catalog;
    this.#options = options;
  }

  list(name: CollectionName): SegmentDescription[] {
    const { segments, growing } = this.#catalog.get(name);
    return [...segments, ...growing].map(({ logs: _, ...segment }) => segment);
  }

  logsOf(name: CollectionName, segmentIds: readonly Id[]): SegmentLogs[] | undefined {
    if (!features(this.#options.version).segmentDescription) return undefined;
    return this.#catalog.get(name).segments.flatMap(({ id, logs }) => (logs && segmentIds.includes(id) ? [logs] : []));
  }

  flush(name: CollectionName): FlushedCollection {
    const collection = this.#catalog.get(name);
    const sealed = seal(collection);
    return {
      // No server names L0 segments here.
      segmentIds: collection.segments.filter(({ state, isL0 }) => state === "Flushed" && !isL0).map(({ id }) => id),
      sealedIds: sealed.map(({ id }) => id),
      timestamp: this.#timestamp(),
      channelTimestamp: "0",
      sealTime: 0,
      channelCheckpoints: {},
    };
  }

  flushAll(): FlushedServer | undefined {
    if (!features(this.#options.version).flushAll) return undefined;
    for (const collection of this.#catalog.all) seal(collection);
    const timestamp = this.#timestamp();
    const physicalChannels = [...new Set(this.#catalog.all.flatMap(({ description }) => description.physicalChannels))];
    return {
      timestamp,
      channels: Object.fromEntries(physicalChannels.map((channel) => [channel, timestamp])),
      messages: Object.fromEntries(physicalChannels.map((channel) => [channel, btoa(`flush of ${channel}`)])),
      controlChannel: "by-dev-rootcoord-dml_0_vcchan",
      physicalChannels,
    };
  }

  #timestamp(): string {
    return hybridTimestamp(BigInt(this.#options.now().getTime()));
  }
}

function seal(collection: MemoryCollection): MemorySegment[] {
  const sealed = collection.growing.map((segment) => ({ ...segment, state: "Flushed" as const }));
  collection.segments.push(...sealed);
  collection.growing = [];
  return sealed;
}
