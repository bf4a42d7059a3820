import type { RowField } from "../../core/binlog/row-fields.ts";
import { primaryKeyOf } from "../../core/binlog/row-fields.ts";
import type { StoredValue } from "../../core/binlog/stored-column.ts";
import { countOf } from "../../core/execution/count-of.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach, settleStream } from "../../core/execution/settle.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { keyPartitionName, partitionOfKey } from "../../core/milvus/partition-key.ts";
import type { PlannedRestore } from "../../core/plan/planned-restore.ts";
import type { CollectionRecord } from "../../core/plan/restore-work.ts";
import type { InsertedRows, Milvus } from "../../ports/milvus.ts";
import type { StepContext } from "../../ports/step-context.ts";
import type { StoredRow } from "../rows/segment-rows.ts";
import { checkStillThere } from "./check-still-there.ts";
import type { Import, ImportRecords } from "./import-records.ts";
import type { Insertion } from "./insertion-files.ts";
import { type PartitionSource, readPartition } from "./read-partition.ts";

/** Collections that are inserted into side by side: most of the time goes into flushes. */
const collectionsAtOnce = 4;
/** Partitions that are read while the rows of others are inserted; each is in memory whole. */
const partitionsAhead = 8;
/** Milvus takes messages of 64 MB (`proxy.grpc.serverMaxRecvSize`), and its log of less. */
const batchBytes = 4 * 2 ** 20;
const batchRows = 8_192;
/** Segments are listed as they were for a moment while Milvus compacts. */
const countAttempts = 20;
const countPollMilliseconds = 250;

/** What a value takes beside its bytes, or is. */
const valueBytes = 8;

interface InserterOptions {
  readonly insertionOf: (collection: PlannedRestore) => Promise<Insertion>;
  readonly sourceOf: (collection: PlannedRestore, insertion: Insertion) => Promise<PartitionSource>;
  /** Looks whether the restore still has a target (`db.coll`). @throws ClaimLost */
  readonly confirm: (target: string) => Promise<void>;
  /** Drops the working collection and makes it again; recorded when this is over. @throws what Recreate Collections throws */
  readonly makeAnew: (collection: PlannedRestore) => Promise<CollectionRecord>;
  /** Unix milliseconds: nothing is begun after that. */
  readonly turnUntil: number;
}

/**
 * Inserts the rows of small partitions. An insert has no identity by which Milvus would know it again, and a key that is inserted twice is there twice. So
 * nothing is imported into a collection before its rows are inserted; that they are begun is written down before the first of them, that they are
 * complete when Milvus has flushed and counted them. Whoever finds them begun and not complete cannot know what is there: the collection, which has a
 * name of the restore's own and holds nothing else, is dropped and made anew, under another ID, so that an insert that comes late finds none.
 */
export class RowInserter {
  readonly #records: ImportRecords;
  readonly #milvus: Milvus;
  readonly #context: StepContext;
  readonly #options: InserterOptions;

  constructor(records: ImportRecords, milvus: Milvus, context: StepContext, options: InserterOptions) {
    this.#records = records;
    this.#milvus = milvus;
    this.#context = context;
    this.#options = options;
  }

  /**
   * Inserts what is planned to be inserted and is not yet, as long as there is time to begin with a collection.
   * @returns whether anything was
   * @throws ImportFailed naming a row that Milvus refuses, RowCountMismatch, CorruptBackup, ClaimLost, and what Milvus and the store throw
   */
  async insert(): Promise<boolean> {
    let any = false;
    const begun = this.#records.toInsert().filter(({ items }) => items.some((item) => this.#records.of(item)));
    // One after the other: each writes down all collections.
    for (const { collection } of begun) if (this.#hasTime()) await this.#makeAnew(collection);
    const fresh = this.#records.toInsert().filter(({ items }) => items.every((item) => !this.#records.of(item)));
    await settleEach(fresh, collectionsAtOnce, async ({ collection, items }) => {
      if (!this.#hasTime()) return;
      any = true;
      await this.#insertInto(collection, items);
    });
    return any;
  }

  #hasTime(): boolean {
    return this.#context.clock.now().getTime() < this.#options.turnUntil;
  }

  async #makeAnew(collection: PlannedRestore): Promise<void> {
    const target = qualifiedName(collection.target);
    this.#context.log.warn("nobody knows which rows are inserted: the collection is made anew", { target });
    this.#records.remade(collection, await this.#options.makeAnew(collection));
  }

  async #insertInto(collection: PlannedRestore, items: readonly Import[]): Promise<void> {
    const target = qualifiedName(collection.target);
    await this.#options.confirm(target);
    const insertion = await this.#options.insertionOf(collection);
    const source = await this.#options.sourceOf(collection, insertion);
    await checkStillThere(this.#milvus, this.#records, collection);
    const askedAt = this.#context.clock.now().toISOString();
    for (const item of items) this.#records.set(item, { id: "", state: "submitting", rows: "0", askedAt });
    await this.#records.write();

    const batches = new Batches(collection, insertion, (batch) => this.#send(collection, batch));
    const rows = new Map<Import, number>();
    const read = settleStream(items, partitionsAhead, async (item) => {
      const segments = insertion.segmentsOf.get(item.planned.partition) ?? [];
      return { item, found: await readPartition(segments, source) };
    });
    for await (const { item, found } of read) {
      await batches.add(item.planned.partition, found);
      rows.set(item, found.length);
    }
    await batches.end();
    await this.#milvus.flush(collection.working);
    await this.#count(collection, rows);
    // Counted by name: whoever was taken for dead meanwhile has counted another one, and would write over what is known of that.
    await checkStillThere(this.#milvus, this.#records, collection);
    for (const [item, count] of rows)
      this.#records.set(item, { id: insertedId, state: "completed", rows: String(count) });
    await this.#records.write();
    this.#context.log.info("rows inserted", { target, partitions: rows.size, rows: sumOf(rows.values()) });
  }

  async #send(collection: PlannedRestore, batch: Batch): Promise<void> {
    await this.#options.confirm(qualifiedName(collection.target));
    await checkStillThere(this.#milvus, this.#records, collection);
    try {
      await this.#milvus.insertRows(collection.working, insertedRows(batch));
    } catch (error) {
      if (!(error instanceof PipelineError) || error.name !== "MilvusFailed") throw error;
      throw await this.#refusal(collection, batch, error);
    }
  }

  /** Which row it is that Milvus refuses: found by halves, as whatever is inserted now is made anew anyway. */
  async #refusal(collection: PlannedRestore, batch: Batch, refused: PipelineError): Promise<PipelineError> {
    let [rows, because] = [batch.rows, refused];
    for (let half = halfOf(rows); rows.length > 1; half = halfOf(rows)) {
      const others = rows.slice(half.length);
      const problem = await this.#refusedBy(collection, { ...batch, rows: half });
      const reason = problem ?? (await this.#refusedBy(collection, { ...batch, rows: others }));
      // Not the rows by themselves.
      if (reason === undefined) break;
      [rows, because] = [problem ? half : others, reason];
    }
    const [{ partition, row } = { partition: "", row: undefined }] = rows;
    const key = String(row?.stored(primaryKeyOf(batch.insertion.fields)));
    const what = rows.length > 1 ? `${rows.length} rows` : `the row with the key ${JSON.stringify(key)}`;
    const message =
      `${qualifiedName(collection.target)}: Milvus refuses ${what} of partition ${partition}: ${because.message}. ` +
      `Discard this restore (restore --discard), then start it with smallPartitions: import (--small-partitions import), which inserts nothing`;
    return new PipelineError("ImportFailed", message, { details: { partition, key }, cause: because });
  }

  async #refusedBy(collection: PlannedRestore, batch: Batch): Promise<PipelineError | undefined> {
    try {
      await this.#milvus.insertRows(collection.working, insertedRows(batch));
      return undefined;
    } catch (error) {
      if (error instanceof PipelineError && error.name === "MilvusFailed") return error;
      throw error;
    }
  }

  /** Whether every partition holds what was inserted into it, and nothing else. @throws RowCountMismatch */
  async #count(collection: PlannedRestore, rows: ReadonlyMap<Import, number>): Promise<void> {
    const { working } = collection;
    for (let attempt = 1; ; attempt += 1) {
      const [partitions, segments] = [
        await this.#milvus.listPartitions(working),
        await this.#milvus.listSegments(working),
      ];
      const wrong = [...rows].flatMap(([{ planned }, inserted]) => {
        const id = partitions.find(({ name }) => name === planned.partition)?.id;
        const own = segments.filter(({ partitionId, state }) => partitionId === id && state !== "Dropped");
        const counted = own.reduce((sum, segment) => sum + segment.rows, 0n);
        return counted === BigInt(inserted) ? [] : [`${planned.partition} (${inserted} inserted, ${counted} counted)`];
      });
      const [first] = wrong;
      if (first === undefined) return;
      if (attempt >= countAttempts) {
        throw new PipelineError(
          "RowCountMismatch",
          `${qualifiedName(collection.target)}: Milvus does not count what was inserted into ${countOf(wrong.length, "partition")}, the first of them ${first}. ` +
            "The same restore started again makes the collection anew and inserts once more",
        );
      }
      await this.#context.clock.sleep(countPollMilliseconds);
    }
  }
}

/** Milvus gives an insert none. */
const insertedId = "inserted";

interface PlacedRow {
  readonly partition: string;
  readonly row: StoredRow;
}

/** Rows that are inserted with one call. */
interface Batch {
  readonly insertion: Insertion;
  readonly rows: readonly PlacedRow[];
}

/**
 * Puts rows into batches, in their order. All rows of a call get one timestamp, and of several rows of a key Milvus shows the latest: a
 * key that comes again begins a batch.
 */
class Batches {
  readonly #collection: PlannedRestore;
  readonly #insertion: Insertion;
  readonly #send: (batch: Batch) => Promise<void>;
  readonly #primaryKey: RowField;
  #rows: PlacedRow[] = [];
  #keys = new Set<StoredValue | null>();
  #bytes = 0;

  constructor(collection: PlannedRestore, insertion: Insertion, send: (batch: Batch) => Promise<void>) {
    this.#collection = collection;
    this.#insertion = insertion;
    this.#send = send;
    this.#primaryKey = primaryKeyOf(insertion.fields);
  }

  async add(partition: string, rows: readonly StoredRow[]): Promise<void> {
    for (const row of rows) {
      this.#checkPlace(partition, row);
      const key = row.stored(this.#primaryKey);
      const bytes = bytesOf(row, this.#insertion.fields);
      const isFull = this.#rows.length >= batchRows || this.#bytes + bytes > batchBytes;
      if (isFull || this.#keys.has(key)) await this.end();
      this.#rows.push({ partition, row });
      this.#keys.add(key);
      this.#bytes += bytes;
    }
    // Without a partition key a call is about one partition.
    if (this.#insertion.partitionKey === undefined) await this.end();
  }

  async end(): Promise<void> {
    if (this.#rows.length === 0) return;
    const rows = this.#rows;
    this.#rows = [];
    this.#keys = new Set();
    this.#bytes = 0;
    await this.#send({ insertion: this.#insertion, rows });
  }

  /** @throws ImportFailed where Milvus would put it into another partition than it is in */
  #checkPlace(partition: string, row: StoredRow): void {
    const { partitionKey } = this.#insertion;
    if (partitionKey === undefined) return;
    const key = row.stored(partitionKey) as bigint | string;
    const chosen = keyPartitionName(partitionOfKey(key, this.#collection.create?.partitionCount ?? 0));
    if (chosen === partition) return;
    throw new PipelineError(
      "ImportFailed",
      `${qualifiedName(this.#collection.source)}: the backup has rows whose ${partitionKey.name} is ${JSON.stringify(String(key))} in partition ${partition}, and Milvus ` +
        `would put them into ${chosen}. Discard this restore (restore --discard), then start it with smallPartitions: import (--small-partitions import), ` +
        "which keeps them where they are",
    );
  }
}

function insertedRows({ insertion: { fields, partitionKey }, rows }: Batch): InsertedRows {
  const [first] = rows;
  return {
    ...(partitionKey === undefined && first !== undefined && { partition: first.partition }),
    rows: rows.length,
    columns: fields.map((field) => ({ field, values: rows.map((placed) => insertedValue(placed, field, fields)) })),
  };
}

/** What a row has in the dynamic field that was written without one. */
const absent = Buffer.from("{}");

/** @throws CorruptBackup where a row has no value of a field that needs one, as all others do (insertions.ts) */
function insertedValue({ partition, row }: PlacedRow, field: RowField, fields: readonly RowField[]): StoredValue {
  const value = row.stored(field) ?? (field.isDynamic ? absent : undefined);
  if (value !== undefined) return value;
  const key = String(row.stored(primaryKeyOf(fields)));
  throw new PipelineError(
    "CorruptBackup",
    `partition ${partition} of the backup: the row with the key ${JSON.stringify(key)} has no value of ${field.name}, which needs one. Restore another backup`,
    { details: { partition, key } },
  );
}

function bytesOf(row: StoredRow, fields: readonly RowField[]): number {
  return fields.reduce((sum, field) => {
    const value = row.stored(field);
    return sum + valueBytes + (value instanceof Uint8Array || typeof value === "string" ? value.length : 0);
  }, 0);
}

function halfOf<T>(rows: readonly T[]): readonly T[] {
  return rows.slice(0, Math.ceil(rows.length / 2));
}

function sumOf(numbers: Iterable<number>): number {
  let sum = 0;
  for (const number of numbers) sum += number;
  return sum;
}
