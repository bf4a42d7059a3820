import { isBinlogFault } from "../../core/binlog/corrupt.ts";
import { rowIdField, timestampField } from "../../core/binlog/row-fields.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { Id, SegmentDescription, SegmentLogs } from "../../core/milvus/descriptions.ts";
import { features } from "../../core/milvus/version.ts";
import type { PartialDouble } from "../../core/plan/backup.ts";
import { type PossibleDouble, possibleDoubles, provenTogether } from "../../core/plan/clustering.ts";

import { compareLogNames } from "../../core/plan/segment-copies.ts";
import type { Clock } from "../../ports/clock.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import { isObjectNotFound } from "../rows/count-rows.ts";
import { openLog } from "../rows/field-log.ts";
import { isStorageRead, rowKeys } from "../rows/segment-rows.ts";
import type { SegmentPlaces } from "../shared/milvus-data.ts";
import { type RowIdentity, RowsLeft } from "./rows-left.ts";

/** Segments read at once, one log after another: of each log its bytes and a window of it are in memory. */
const segmentsAtOnce = 4;

/** So long is looked in one invocation, which has to plan all the collections too. A CPU reads three million rows in a second, and strikes out as many (measured). */
const lookMilliseconds = 180_000;

/** So many rows of a segment are looked for first: they show at little cost that it is no result. */
const sampledRows = 64;

/** So many rows are looked for at once when all are: 240 MB of memory. */
const mostRowsAtOnce = 8_000_000;

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

/** A segment all rows of which are looked for in others. */
interface Proof extends PossibleDouble {
  readonly rows: RowsLeft;
  /** Where some were found. */
  readonly holders: Set<Id>;
}

/** What was found out about L2 segments. */
interface Doubles {
  /** All rows of these lie in other segments too, which are taken. */
  readonly doubles: ReadonlySet<Id>;
  /** Those other segments. */
  readonly holders: ReadonlySet<Id>;
  /** So many rows of these lie in segments that are taken, and others do not. */
  readonly partial: readonly PartialDouble[];
  /** Their rows lie in others too, or may do so, and nobody can tell which of them to leave out. */
  readonly unclear: readonly Id[];
  /** Their logs are gone. */
  readonly torn: readonly Id[];
}

/**
 * Finds the segments whose rows lie in others of the same list: what a clustering compaction made that is not over. A row is the same where its row ID
 * and its timestamp are. Every row of a segment has to be found, in segments with smaller IDs that are no doubles themselves: a backup that was
 * imported twice may repeat some rows. Milvus 2.4 leaves it open which segments are the results, so there none is left out.
 */
export class ClusteringDoubles {
  readonly #places: SegmentPlaces;
  readonly #payloads: () => Promise<PayloadReader>;
  readonly #clock: Clock;
  readonly #ordered: boolean;
  readonly #mostRows: number;
  /** One collection at a time: what is read of it fills memory and keeps the processor busy. */
  #before: Promise<unknown> = Promise.resolve();
  #left = lookMilliseconds;

  /**
   * @param options.payloads asked for where there is something to read
   * @param options.mostRows how many rows are kept in memory at once; of a segment with more nothing is proven
   */
  constructor(options: {
    version: string;
    places: SegmentPlaces;
    payloads: () => Promise<PayloadReader>;
    clock: Clock;
    mostRows?: number;
  }) {
    this.#places = options.places;
    this.#payloads = options.payloads;
    this.#clock = options.clock;
    this.#ordered = features(options.version).orderedClustering;
    this.#mostRows = options.mostRows ?? mostRowsAtOnce;
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
    if (possible.length === 0) return { doubles: new Set(), holders: new Set(), partial: [], unclear: [], torn: [] };
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
    const isLate = () => this.#clock.now().getTime() >= until;
    const reading = new Reading(this.#places, { payloads: await this.#payloads(), logs, isLate });
    const unclear = new Set<Id>();
    const suspects: PossibleDouble[] = [];
    for (const { result, inputs, sought } of await drawnRows(possible, reading)) {
      const found = sought.filter(({ foundIn }) => foundIn !== undefined).length;
      const isUnread = [result, ...inputs].some((segment) => reading.isUnread(segment));
      const isSuspect = found > 0 && (!this.#ordered || found === sought.length);
      if (isSuspect && this.#ordered && result.rows <= this.#mostRows) suspects.push({ result, inputs });
      else if (isSuspect || isUnread) unclear.add(result.id);
    }
    const [doubles, holders, partial] = [new Set<Id>(), new Set<Id>(), [] as PartialDouble[]];
    for (const group of provenTogether(suspects, this.#mostRows)) {
      const proofs = await proofsOf(group, reading);
      await strikeOutside(proofs, doubles, reading);
      // in the order of their IDs: whether the ones before are taken is decided
      for (const [index, proof] of proofs.entries()) {
        const { result, inputs, rows } = proof;
        if (!rows.isWhole) {
          unclear.add(result.id);
          continue;
        }
        const taken = group.slice(0, index).filter((one) => inputs.includes(one.result) && !doubles.has(one.result.id));
        for (const one of taken) await reading.strike(one.result, [proof]);
        if (rows.left === 0) {
          doubles.add(result.id);
          for (const holder of proof.holders) holders.add(holder);
        } else if (inputs.some((input) => reading.isUnread(input))) unclear.add(result.id);
        else partial.push({ id: result.id, rows: String(result.rows - BigInt(rows.left)) });
      }
    }
    return { doubles, holders, partial, unclear: [...unclear], torn: reading.torn };
  }
}

/** Some rows of each, and where they lie too. */
async function drawnRows(
  possible: readonly PossibleDouble[],
  reading: Reading,
): Promise<(PossibleDouble & { readonly sought: readonly Sought[] })[]> {
  const drawn = await settleEach(possible, segmentsAtOnce, async ({ result, inputs }) => ({
    ...{ result, inputs },
    sought: (await reading.some(result)) ?? [],
  }));
  await settleEach(byInput(drawn), segmentsAtOnce, async ([input, of]) => {
    const rows = of.flatMap(({ sought }) => sought);
    await reading.seek(input, rows);
  });
  return drawn;
}

/** All rows of each, as far as they can be read. */
async function proofsOf(group: readonly PossibleDouble[], reading: Reading): Promise<Proof[]> {
  const proofs = group.map((one) => ({ ...one, rows: new RowsLeft(Number(one.result.rows)), holders: new Set<Id>() }));
  await settleEach(proofs, segmentsAtOnce, async ({ result, rows }) => reading.all(result, rows));
  return proofs;
}

/** Strikes out what lies in segments that are taken, whatever comes of those that are looked for together. */
async function strikeOutside(proofs: readonly Proof[], doubles: ReadonlySet<Id>, reading: Reading): Promise<void> {
  const whole = proofs.filter(({ rows }) => rows.isWhole);
  const open = new Set(proofs.map(({ result }) => result.id));
  const outside = byInput(whole).filter(([{ id }]) => !open.has(id) && !doubles.has(id));
  await settleEach(outside, segmentsAtOnce, async ([input, of]) => reading.strike(input, of));
}

/** Each segment is read once for all that may be made of it. */
function byInput<T extends PossibleDouble>(all: readonly T[]): [SegmentDescription, T[]][] {
  const pairs = all.flatMap((of) => of.inputs.map((input) => ({ input, of })));
  return [...Map.groupBy(pairs, ({ input }) => input)].map(([input, found]) => [input, found.map(({ of }) => of)]);
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
    const missing = () => rows.filter(({ foundIn }) => foundIn === undefined);
    await this.#whileOpen(segment, missing, (open) => {
      const byRowId = Map.groupBy(open, ({ rowId }) => rowId);
      return ({ rowId, timestamp }) => {
        for (const one of byRowId.get(rowId) ?? []) if (one.timestamp === timestamp) one.foundIn ??= segment.id;
      };
    });
  }

  /** Reads a segment to its end, where there is time. */
  async all(segment: SegmentDescription, into: RowsLeft): Promise<void> {
    await this.#guarded(segment, async (batches) => {
      for (const batch of batches) {
        if (this.#isLate()) return;
        for (const row of await this.#rows(batch)) into.add(row);
      }
    });
  }

  /** Strikes out the rows that lie in a segment, until none is left. */
  async strike(segment: SegmentDescription, proofs: readonly Proof[]): Promise<void> {
    const unproven = () => proofs.filter(({ rows }) => rows.left > 0);
    await this.#whileOpen(segment, unproven, (open) => (row) => {
      for (const { rows, holders } of open) if (rows.strike(row)) holders.add(segment.id);
    });
  }

  /**
   * Reads a segment, a pair of logs at a time, while something is open.
   * @param takerOf takes the rows of a pair of logs, given what is open before them
   */
  async #whileOpen<T>(
    segment: SegmentDescription,
    openNow: () => readonly T[],
    takerOf: (open: readonly T[]) => (row: RowIdentity) => void,
  ): Promise<void> {
    if (openNow().length === 0) return;
    await this.#guarded(segment, async (batches) => {
      for (const batch of batches) {
        const open = openNow();
        if (open.length === 0) return;
        if (this.#isLate()) return void this.#unread.add(segment.id);
        const take = takerOf(open);
        for (const row of await this.#rows(batch)) take(row);
      }
    });
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
