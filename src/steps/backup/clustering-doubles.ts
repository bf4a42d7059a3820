import { isBinlogFault } from "../../core/binlog/corrupt.ts";
import { rowIdField, timestampField } from "../../core/binlog/row-fields.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { Id, SegmentDescription, SegmentLogs } from "../../core/milvus/descriptions.ts";
import { features } from "../../core/milvus/version.ts";
import { type PossibleDouble, possibleDoubles } from "../../core/plan/clustering.ts";
import { compareLogNames } from "../../core/plan/segment-copies.ts";
import type { Clock } from "../../ports/clock.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import { isObjectNotFound } from "../rows/count-rows.ts";
import { openLog } from "../rows/field-log.ts";
import { isStorageRead, rowKeys } from "../rows/segment-rows.ts";
import type { SegmentPlaces } from "../shared/milvus-data.ts";

/** Segments read at once, one log after another: of each log its bytes and a window of it are in memory. */
const segmentsAtOnce = 4;

/** So long is looked in one invocation, which has to plan all the collections too. A CPU reads three million rows in a second (measured). */
const lookMilliseconds = 180_000;

/** So many rows of a segment are looked for. A result's rows come from all of its inputs, so one of them soon shows some. */
const sampledRows = 64;

/** So many rows of a segment are looked for at once where all of them are: about 100 MB. */
const rowsAtOnce = 1_000_000;

/** The same row in any segment: compaction changes neither. */
interface RowIdentity {
  readonly rowId: bigint;
  readonly timestamp: bigint;
}

/** A row of a segment that is looked for in others. */
interface Sought extends RowIdentity {
  /** The other segment where it lies too. */
  foundIn?: Id;
}

/** The pair of logs of one batch of rows. */
interface BatchLogs {
  readonly rowIds: string;
  readonly timestamps: string;
  readonly bytes: number;
}

/** What was found out about L2 segments. */
interface Doubles {
  /** All rows of these lie in other segments too, which are taken. */
  readonly doubles: ReadonlySet<Id>;
  /** Those other segments. */
  readonly holders: ReadonlySet<Id>;
  /** Their rows lie in others too, or may do so, and nobody can tell which of them to leave out. */
  readonly unclear: readonly Id[];
  /** Their logs are gone. */
  readonly torn: readonly Id[];
}

/**
 * Finds the segments whose rows lie in others of the same list: what a clustering compaction made that is not over. A row is the same where its row ID
 * and its timestamp are. All rows of a segment have to be found, in segments with smaller IDs that are no doubles themselves: a backup that was imported
 * twice repeats rows, and where rows are drawn from a clustered segment they may be those alone. Milvus 2.4 leaves it open which segments are the results, so there none is left out.
 */
export class ClusteringDoubles {
  readonly #places: SegmentPlaces;
  readonly #payloads: () => Promise<PayloadReader>;
  readonly #clock: Clock;
  readonly #ordered: boolean;
  /** One collection at a time: what is read of it fills memory and keeps the processor busy. */
  #before: Promise<unknown> = Promise.resolve();
  #left = lookMilliseconds;

  /** @param options.payloads asked for where there is something to read */
  constructor(options: {
    version: string;
    places: SegmentPlaces;
    payloads: () => Promise<PayloadReader>;
    clock: Clock;
  }) {
    this.#places = options.places;
    this.#payloads = options.payloads;
    this.#clock = options.clock;
    this.#ordered = features(options.version).orderedClustering;
  }

  /**
   * @param segments that a backup would take
   * @param logs the exact logs of segments, where Milvus names them
   * @throws what the store throws
   */
  async find(segments: readonly SegmentDescription[], logs: ReadonlyMap<Id, SegmentLogs>): Promise<Doubles> {
    const possible = possibleDoubles(segments, {
      channelOf: (id) => logs.get(id)?.virtualChannel ?? "",
      ordered: this.#ordered,
    });
    if (possible.length === 0) return { doubles: new Set(), holders: new Set(), unclear: [], torn: [] };
    const looked = this.#before.then(async () => {
      const start = this.#clock.now().getTime();
      try {
        return await this.#look(possible, logs, start + this.#left);
      } finally {
        this.#left -= this.#clock.now().getTime() - start;
      }
    });
    this.#before = looked.catch(() => undefined);
    return looked;
  }

  async #look(
    possible: readonly PossibleDouble[],
    logs: ReadonlyMap<Id, SegmentLogs>,
    until: number,
  ): Promise<Doubles> {
    const [doubles, holders, unclear] = [new Set<Id>(), new Set<Id>(), new Set<Id>()];
    const isLate = () => this.#clock.now().getTime() >= until;
    const reading = new Reading(this.#places, { payloads: await this.#payloads(), logs, isLate });
    const drawn = await settleEach(possible, segmentsAtOnce, async ({ result, inputs }) => ({
      ...{ result, inputs },
      sought: (await reading.some(result)) ?? [],
    }));
    const pairs = drawn.flatMap(({ inputs, sought }) => inputs.map((input) => ({ input, sought })));
    const byInput = [...Map.groupBy(pairs, ({ input }) => input)];
    await settleEach(byInput, segmentsAtOnce, async ([input, of]) => {
      const rows = of.flatMap(({ sought }) => sought);
      await reading.seek(input, rows);
    });
    // in the order of their IDs: what rows lie in is decided before
    for (const { result, inputs, sought } of drawn) {
      const places = new Set(sought.flatMap(({ foundIn }) => foundIn ?? []));
      const all = sought.length > 0 && sought.every(({ foundIn }) => foundIn !== undefined);
      const others = inputs.filter(({ id }) => !doubles.has(id));
      const first = (input: SegmentDescription) => (places.has(input.id) ? 0 : 1);
      const held =
        all && this.#ordered
          ? await reading.holdersOf(
              result,
              others.toSorted((a, b) => first(a) - first(b)),
            )
          : undefined;
      if (held) {
        doubles.add(result.id);
        for (const place of held) holders.add(place);
      } else if (
        (all && others.length < inputs.length) ||
        (!this.#ordered && places.size > 0) ||
        reading.isUnread(result) ||
        inputs.some((input) => reading.isUnread(input))
      ) {
        unclear.add(result.id);
      }
    }
    return { doubles, holders, unclear: [...unclear], torn: reading.torn };
  }
}

/** Row IDs and timestamps of segments. */
class Reading {
  readonly #places: SegmentPlaces;
  readonly #payloads: PayloadReader;
  readonly #logs: ReadonlyMap<Id, SegmentLogs>;
  readonly #isLate: () => boolean;
  readonly #unread = new Set<Id>();
  readonly #torn = new Set<Id>();

  constructor(
    places: SegmentPlaces,
    options: { payloads: PayloadReader; logs: ReadonlyMap<Id, SegmentLogs>; isLate: () => boolean },
  ) {
    this.#places = places;
    this.#payloads = options.payloads;
    this.#logs = options.logs;
    this.#isLate = options.isLate;
  }

  get torn(): Id[] {
    return [...this.#torn];
  }

  /** Whether somebody tried to read it, and could not, or not to its end in time. */
  isUnread({ id }: SegmentDescription): boolean {
    return this.#unread.has(id);
  }

  /** Rows of a segment, of its smallest logs; undefined where they cannot be read. */
  async some(segment: SegmentDescription): Promise<Sought[] | undefined> {
    return this.#guarded(segment, async (batches) => {
      const drawn: Sought[] = [];
      for (const batch of batches.toSorted((a, b) => a.bytes - b.bytes)) {
        for (const row of await this.#rows(batch)) {
          drawn.push(row);
          if (drawn.length === sampledRows) return drawn;
        }
      }
      return drawn;
    });
  }

  /** Looks for rows of others in a segment, until all of them are found. */
  async seek(segment: SegmentDescription, rows: readonly Sought[]): Promise<void> {
    const missingNow = () => rows.filter(({ foundIn }) => foundIn === undefined);
    if (missingNow().length === 0) return;
    await this.#guarded(segment, async (batches) => {
      for (const batch of batches) {
        const missing = missingNow();
        if (missing.length === 0) return;
        if (this.#isLate()) return void this.#unread.add(segment.id);
        const byRowId = Map.groupBy(missing, ({ rowId }) => rowId);
        for (const { rowId, timestamp } of await this.#rows(batch)) {
          for (const one of byRowId.get(rowId) ?? []) if (one.timestamp === timestamp) one.foundIn ??= segment.id;
        }
      }
    });
  }

  /** The segments among others where all the rows of one lie; undefined where some of them do not, or were not found in time. */
  async holdersOf(
    segment: SegmentDescription,
    others: readonly SegmentDescription[],
  ): Promise<ReadonlySet<Id> | undefined> {
    const holders = new Set<Id>();
    const areHeld = await this.#guarded(segment, async (batches) => {
      const rows = new Map<bigint, bigint>();
      for (const batch of batches) {
        for (const { rowId, timestamp } of await this.#rows(batch)) {
          const other = rows.get(rowId);
          if (other !== undefined && other !== timestamp) return false;
          rows.set(rowId, timestamp);
          if (rows.size >= rowsAtOnce && !(await this.#strike(rows, others, holders))) return false;
        }
      }
      return this.#strike(rows, others, holders);
    });
    return areHeld ? holders : undefined;
  }

  /** Takes the rows away that lie in segments, and notes in which. @returns whether none is left */
  async #strike(
    rows: Map<bigint, bigint>,
    segments: readonly SegmentDescription[],
    holders: Set<Id>,
  ): Promise<boolean> {
    for (const segment of segments) {
      if (rows.size === 0) break;
      await this.#guarded(segment, async (batches) => {
        for (const batch of batches) {
          if (rows.size === 0) return;
          if (this.#isLate()) return void this.#unread.add(segment.id);
          for (const { rowId, timestamp } of await this.#rows(batch)) {
            if (rows.get(rowId) !== timestamp) continue;
            rows.delete(rowId);
            holders.add(segment.id);
          }
        }
      });
    }
    return rows.size === 0;
  }

  async #guarded<T>(
    segment: SegmentDescription,
    read: (batches: readonly BatchLogs[]) => Promise<T>,
  ): Promise<T | undefined> {
    if (this.#isLate() || !isStorageRead({ storage_version: BigInt(segment.storageVersion) })) {
      this.#unread.add(segment.id);
      return undefined;
    }
    try {
      const batches = await this.#batches(segment);
      if (batches === undefined) this.#unread.add(segment.id);
      else if (batches.length === 0) this.#torn.add(segment.id);
      else return await read(batches);
    } catch (error) {
      if (!isBinlogFault(error)) throw error;
      (isObjectNotFound(error.cause) ? this.#torn : this.#unread).add(segment.id);
    }
    return undefined;
  }

  /** In the order of its rows; none where it is gone, undefined where its logs do not belong together. */
  async #batches(segment: SegmentDescription): Promise<BatchLogs[] | undefined> {
    const [rowIds, timestamps] = [
      await this.#logsOf(segment, rowIdField.id),
      await this.#logsOf(segment, timestampField.id),
    ];
    if (rowIds.length !== timestamps.length) return undefined;
    return rowIds.map(({ key, size }, index) => ({
      rowIds: key,
      timestamps: timestamps[index]?.key ?? "",
      bytes: size,
    }));
  }

  async #logsOf(
    { collectionId, partitionId, id }: SegmentDescription,
    field: bigint,
  ): Promise<{ key: string; size: number }[]> {
    const { store, from } = this.#places;
    const directory = `${from.insertLogs({ collectionId, partitionId, segmentId: id })}${field}/`;
    const named = this.#logs.get(id)?.insertLogs.find(({ fieldId }) => fieldId === String(field))?.logIds;
    const found: { key: string; size: number }[] = [];
    for await (const { key, size } of store.list(directory)) {
      if (named === undefined || named.includes(key.slice(directory.length))) found.push({ key, size });
    }
    // what Milvus names is gone
    if (named !== undefined && found.length < named.length) return [];
    return found.sort((a, b) => compareLogNames(a.key, b.key));
  }

  async #rows({ rowIds, timestamps }: BatchLogs): Promise<Generator<RowIdentity>> {
    const { store } = this.#places;
    const logs = { keys: await openLog(store, rowIds), timestamps: await openLog(store, timestamps) };
    return identities(rowKeys(logs, rowIdField, this.#payloads));
  }
}

function* identities(rows: ReturnType<typeof rowKeys>): Generator<RowIdentity> {
  for (const { key, timestamp } of rows) yield { rowId: key as bigint, timestamp };
}
