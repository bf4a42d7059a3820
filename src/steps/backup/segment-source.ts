import { PipelineError } from "../../core/execution/errors.ts";
import { shortList } from "../../core/execution/short-list.ts";
import type { CollectionDescription } from "../../core/milvus/descriptions.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { tornSegments } from "../../core/plan/backup.ts";
import type { ServerFlush } from "../../core/plan/server-flush.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import type { StepLog } from "../../ports/step-context.ts";
import type { SegmentPlaces } from "../shared/milvus-data.ts";
import { ClusteringDoubles } from "./clustering-doubles.ts";
import type { Cut, SegmentSource } from "./cut.ts";
import { FlushedTogether } from "./flushed-together.ts";
import { SegmentLooks } from "./segment-looks.ts";

/**
 * What a backup takes of a collection:
 * - `nothing` of its segments (meta_only)
 * - what is `sealed` already, at no instant (skip_flush)
 * - what is sealed once it is `flushed`
 */
type Taken = "nothing" | "sealed" | "flushed";

interface SourceOptions {
  readonly taken: Taken;
  /** A flush of the whole server that holds for the collection too; absent where each is flushed by itself. */
  readonly serverFlush?: ServerFlush | undefined;
  /** Of the source. */
  readonly version: string;
  readonly places: SegmentPlaces;
  /** Asked for where rows have to be looked at. */
  readonly payloads: () => Promise<PayloadReader>;
  readonly clock: Clock;
  readonly log: StepLog;
}

/** The one place that chooses how segments are found. */
export function segmentSourceOf(milvus: Milvus, options: SourceOptions): SegmentSource {
  const { taken, serverFlush, version, places, payloads, clock, log } = options;
  if (taken === "nothing") return { cut: async () => ({ segments: [], logs: new Map(), deltaLogs: new Map() }) };
  const looks = new SegmentLooks(milvus, {
    version,
    places,
    doubles: new ClusteringDoubles({ version, places, payloads, clock }),
  });
  const alone = new Repeated(milvus, looks, { flushes: taken === "flushed", clock });
  return serverFlush === undefined ? alone : new FlushedTogether(milvus, looks, { flush: serverFlush, alone, log });
}

/**
 * How long is waited before a collection is flushed anew because compaction took segments between the flush and the listing, or rows of before
 * the flush are in other segments than it named. At once at first: with little to seal a flush is over quickly, which leaves compaction less time; then longer, for one that is under way to end.
 */
const waitsMilliseconds = [0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 8_000];

/**
 * The segments and delta logs of one collection, as they were at its own flush where it is flushed. Where one of them is gone before it is listed,
 * compaction rewrote it without the rows that deletes after the flush removed: only a new flush, and so a new instant, gives a list that is whole. So
 * does only a new flush where rows up to the instant lie in segments that it did not name.
 */
class Repeated implements SegmentSource {
  readonly #milvus: Milvus;
  readonly #looks: SegmentLooks;
  readonly #options: { readonly flushes: boolean; readonly clock: Clock };

  constructor(milvus: Milvus, looks: SegmentLooks, options: { readonly flushes: boolean; readonly clock: Clock }) {
    this.#milvus = milvus;
    this.#looks = looks;
    this.#options = options;
  }

  async cut(collection: CollectionDescription): Promise<Cut> {
    const { name } = collection;
    let torn: readonly string[] = [];
    for (const wait of [undefined, ...waitsMilliseconds]) {
      if (wait !== undefined) await this.#options.clock.sleep(wait);
      const flushed = this.#options.flushes ? await this.#milvus.flush(name) : undefined;
      const listed = await this.#milvus.listSegments(name);
      torn = flushed ? tornSegments(listed, flushed.segmentIds) : [];
      if (torn.length > 0) continue;
      const looked = await this.#looks.look(collection, listed, flushed);
      if ("cut" in looked) return looked.cut;
      torn = looked.torn;
    }
    throw new PipelineError(
      "InconsistentSegments",
      `${qualifiedName(name)} is compacted, or imported into, faster than its segments can be listed: of ${waitsMilliseconds.length + 1} flushes, each ` +
        `was followed by segments that were gone, or held earlier rows without being part of it (${shortList(torn)}). Start the same command again when that has settled`,
      { details: { collection: qualifiedName(name) } },
    );
  }
}
