import { KeyEntries } from "../../core/binlog/key-entries.ts";
import { primaryKeyOf, type RowField, rowFields } from "../../core/binlog/row-fields.ts";
import type { ObjectProblem, SegmentReceipt } from "../../core/execution/copy-plan.ts";
import type { CopySegmentsRequest, CopySegmentsResult } from "../../core/execution/messages.ts";
import { type WorkLayout, workLayout } from "../../core/execution/work-layout.ts";
import { allPartitions, type BackupLayout, backupLayout } from "../../core/format/layout.ts";
import { collectionSchema, type SegmentBackup, segmentBackup } from "../../core/format/meta.ts";
import { parseFile } from "../../core/format/meta-codec.ts";
import { segmentPath } from "../../core/plan/segment-copies.ts";
import {
  type CountedSegment,
  type KeyRun,
  type RowBatch,
  type RowCollection,
  type RowReceipt,
  rowBatch,
  rowCollection,
  rowReceipt,
  rowsAttempt,
} from "../../core/plan/verify-rows.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { countSegment, problemOf } from "../rows/count-rows.ts";
import { addDeletes, Deletes, type DeltaSource } from "../rows/deletes.ts";
import { segmentRows } from "../rows/segment-rows.ts";
import { cancelWatch } from "../shared/cancel-watch.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";
import { writePieces } from "../shared/write-pieces.ts";

/** What Read Rows needs from outside. */
export interface RowsContext extends Pick<StepContext, "work" | "openStore" | "clock" | "log"> {
  payloads(): Promise<PayloadReader>;
}

/** Keys whose deletes are held at once: those of the L0 segments of a partition and of all, and of one segment. About 60 bytes each, and text keys. */
const mostDeletes = 10_000_000;

/**
 * Reads the rows of one batch's segments to their ends, and leaves a receipt: what is wrong, how many rows there are and live, and their keys in files
 * beside it. One whose function `died` before reads a log at a time. Safe to run again: it writes the same, and a batch whose receipt is there is not looked at again. In memory are binlogs of one
 * segment, the deletes that apply to it, and 8 MB of keys, however many collections the batch is of.
 * @returns `copied` where nothing is wrong, as copies of batches say it
 * @throws UnsupportedData where more deletes apply than are held, and what the stores throw: a fault is no problem of the backup
 */
export async function readRows(
  { execution, batchKey, died }: CopySegmentsRequest,
  context: RowsContext,
): Promise<CopySegmentsResult> {
  const batch = await readWorkJson(context, batchKey, rowBatch);
  const { receiptKey } = batch;
  const before = await readWorkJsonIfThere(context, receiptKey, rowReceipt);
  if (before !== undefined && before.outcome !== "cancelled") return { outcome: before.outcome, receiptKey };
  const store = await context.openStore(batch.source);
  const receipt = await new BatchReader(batch, { execution, gently: died !== undefined }, store, context).run(
    await context.payloads(),
  );
  await writeWorkJson(context, receiptKey, rowReceipt.parse(receipt));
  const { outcome, segments, objects, bytes } = receipt;
  context.log.info("rows read", { batch: batch.batch, outcome, segments: segments.length, objects, bytes });
  return { outcome, receiptKey };
}

/** A collection as its segments need it. */
interface KnownCollection {
  readonly fields: readonly RowField[];
  readonly source: DeltaSource;
  readonly file: RowCollection;
  readonly entries: KeyEntries;
  /** The deletes of the L0 segments of all partitions, and of the one that is read, by its ID. */
  readonly levelZero: Map<string, { readonly deletes: Deletes; readonly problems: readonly ObjectProblem[] }>;
}

class BatchReader {
  readonly #batch: RowBatch;
  readonly #work: WorkLayout;
  readonly #store: ObjectStore;
  readonly #context: RowsContext;
  readonly #layout: BackupLayout;
  readonly #gently: boolean;
  /** The one whose segments are read: those of one follow each other. */
  #open: { readonly number: number; readonly collection: KnownCollection } | undefined;
  readonly #runs: KeyRun[] = [];

  constructor(
    batch: RowBatch,
    { execution, gently }: { readonly execution: string; readonly gently: boolean },
    store: ObjectStore,
    context: RowsContext,
  ) {
    this.#batch = batch;
    this.#gently = gently;
    this.#work = workLayout("verify", execution);
    this.#store = store;
    this.#context = context;
    const { rootPath, name, source } = batch.backup;
    this.#layout = backupLayout(rootPath, name, source);
  }

  async run(payloads: PayloadReader): Promise<RowReceipt> {
    const { batch, cancelKey, segments: planned } = this.#batch;
    const isCancelled = cancelWatch(this.#context, cancelKey);
    const receipts: SegmentReceipt[] = [];
    const counted: CountedSegment[] = [];
    const sums = { objects: 0, bytes: 0 };
    for (const one of planned) {
      if (await isCancelled()) break;
      const segment = parseFile(segmentBackup, one.record, "a segment of the batch").value;
      const collection = await this.#collectionOf(one.collection, payloads);
      const { problems, ...counts } = await this.#segment(segment, collection, one);
      receipts.push(receiptOf(segment, problems));
      counted.push({ number: one.number, collection: one.collection, ...counts });
      sums.objects += segment.binlogs.reduce((sum, { binlogs }) => sum + binlogs.length, 0);
      sums.bytes += Number(segment.size);
    }
    await this.#close();
    const isWhole = receipts.length === planned.length;
    const isGood = receipts.every(({ outcome }) => outcome === "copied");
    const outcome = isWhole ? (isGood ? "copied" : "source-changed") : "cancelled";
    return { batch, outcome, ...sums, skippedObjects: 0, segments: receipts, counted, runs: this.#runs };
  }

  async #segment(
    segment: SegmentBackup,
    collection: KnownCollection,
    { number, collection: of }: { readonly number: number; readonly collection: number },
  ) {
    const { fields, source } = collection;
    const path = segmentPath(segment);
    const about = { segmentId: path.segmentId, directory: this.#layout.insertLogs(path) };
    const { rows, problems } = await countSegment(segment, fields, source, { gently: this.#gently });
    // what cannot be read cannot be told living from dead either
    if (problems.some(({ kind }) => kind !== "inconsistent") || rows === 0)
      return { ...about, rows, living: 0, problems };
    const ofPartitions = [
      await this.#levelZero(collection, path.partitionId),
      await this.#levelZero(collection, allPartitions),
    ];
    const found = [...problems, ...ofPartitions.flatMap((one) => one.problems)];
    let living = 0;
    let keyless = 0;
    try {
      const own = new Deletes(mostDeletes);
      await addDeletes(own, segment, source);
      const deletes = [own, ...ofPartitions.map((one) => one.deletes)];
      for await (const row of segmentRows(segment, { ...source, deletes }, { fields: [source.primaryKey] })) {
        const key = row.stored(source.primaryKey);
        if (typeof key !== "bigint" && typeof key !== "string") {
          keyless += 1;
          continue;
        }
        living += 1;
        collection.entries.add(key, number);
        if (collection.entries.isFull) await this.#writeRun(of, collection.entries);
      }
    } catch (error) {
      const problem = problemOf(error, about.directory);
      if (!found.some(({ key }) => key === problem.key)) found.push(problem);
    }
    if (keyless > 0) found.push(lacksKeys(source.primaryKey, keyless, about.directory));
    return { ...about, rows, living, problems: found };
  }

  async #collectionOf(number: number, payloads: PayloadReader): Promise<KnownCollection> {
    if (this.#open?.number === number) return this.#open.collection;
    await this.#close();
    const file = await readWorkJson(this.#context, this.#work.collection(rowsAttempt, number), rowCollection);
    const fields = rowFields(parseFile(collectionSchema, file.schema, file.collection).value);
    const until = file.instant && BigInt(file.instant.timestamp);
    const source = { store: this.#store, layout: this.#layout, payloads, primaryKey: primaryKeyOf(fields), until };
    const opened = { fields, source, file, entries: new KeyEntries(), levelZero: new Map() };
    this.#open = { number, collection: opened };
    return opened;
  }

  /** Writes the keys that are held: a batch may have segments of two hundred collections. */
  async #close(): Promise<void> {
    if (this.#open) await this.#writeRun(this.#open.number, this.#open.collection.entries);
    this.#open = undefined;
  }

  /** The deletes of the L0 segments of a partition, read once for all of its segments. Those of the partition before are not held any more. */
  async #levelZero({ levelZero, file, source }: KnownCollection, partition: string) {
    const known = levelZero.get(partition);
    if (known) return known;
    if (partition !== allPartitions) {
      for (const other of [...levelZero.keys()]) if (other !== allPartitions) levelZero.delete(other);
    }
    const deletes = new Deletes(mostDeletes);
    const problems: ObjectProblem[] = [];
    for (const record of file.levelZero[partition] ?? []) {
      const segment = parseFile(segmentBackup, record, "an L0 segment of the batch").value;
      try {
        await addDeletes(deletes, segment, source);
      } catch (error) {
        problems.push(problemOf(error, this.#layout.deltaLogs(segmentPath(segment))));
      }
    }
    const read = { deletes, problems };
    levelZero.set(partition, read);
    return read;
  }

  async #writeRun(collection: number, entries: KeyEntries): Promise<void> {
    if (entries.size === 0) return;
    const { bytes, counts } = entries.take();
    const key = this.#work.keyRun(this.#batch.batch, this.#runs.length);
    const { work } = this.#context;
    await writePieces(work, key, [bytes], { contentType: "application/octet-stream" });
    const written = await work.head(key);
    this.#runs.push({ collection, key, etag: written?.etag ?? "", counts: [...counts] });
  }
}

function lacksKeys({ name, id }: RowField, rows: number, directory: string): ObjectProblem {
  const detail = `field ${name} (${id}): of ${rows} ${rows === 1 ? "row" : "rows"} there is no value, and each needs one`;
  return { key: `${directory}${id}/`, kind: "inconsistent", detail };
}

function receiptOf(segment: SegmentBackup, problems: readonly ObjectProblem[]): SegmentReceipt {
  const { collectionId, partitionId, segmentId } = segmentPath(segment);
  const about = { collectionId, partitionId, segmentId, insertLogs: [], deltaLogs: [] };
  return problems.length === 0
    ? { ...about, outcome: "copied" }
    : { ...about, outcome: "mismatch", problems: [...problems] };
}
