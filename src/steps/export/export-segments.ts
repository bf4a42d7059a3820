import { JsonLines } from "../../core/binlog/json-lines.ts";
import { primaryKeyOf, type RowField, rowFields } from "../../core/binlog/row-fields.ts";
import { columnType, type TableFile } from "../../core/binlog/table-file.ts";
import { logsOf, type SegmentReceipt } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { CopySegmentsRequest, ExportFormat, ExportSegmentsResult } from "../../core/execution/messages.ts";
import { settleAll, settleEach } from "../../core/execution/settle.ts";
import { exportFileName, partitionFolder } from "../../core/format/export-layout.ts";
import { allPartitions, type BackupLayout, backupLayout } from "../../core/format/layout.ts";
import { type Binlog, collectionSchema, type SegmentBackup, segmentBackup } from "../../core/format/meta.ts";
import { parseFile } from "../../core/format/meta-codec.ts";
import {
  type ExportBatch,
  type ExportedCollectionFile,
  type ExportReceipt,
  type ExportSegment,
  exportBatch,
  exportedCollectionFile,
  exportLimits,
  exportReceipt,
  type WrittenFile,
} from "../../core/plan/export.ts";
import { logName, segmentPath } from "../../core/plan/segment-copies.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import type { StepContext } from "../../ports/step-context.ts";
import type { TableFiles } from "../../ports/table-files.ts";
import { addDeletes, Deletes, type DeltaSource } from "../rows/deletes.ts";
import { segmentRows } from "../rows/segment-rows.ts";
import { cancelWatch } from "../shared/cancel-watch.ts";
import { claimWatch, confirmClaim } from "../shared/claim.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";
import { writePieces } from "../shared/write-pieces.ts";
import { ComparedLogs } from "./compared-logs.ts";

export interface ExportContext extends Pick<StepContext, "work" | "openStore" | "clock" | "log"> {
  payloads(): Promise<PayloadReader>;
  tables(): Promise<TableFiles>;
}

const { fileBytes } = exportLimits;
/** Where the function was killed before: a file takes several times its bytes while it is finished. */
const gentleFileBytes = fileBytes / 4;

/** As many objects are looked at side by side. */
const looks = 16;

/**
 * Writes the living rows of one batch's segments into files, and leaves a receipt. Safe to run again: the same batch is the same files, and one whose
 * receipt is there is not looked at again, nor one that an execution before wrote where its files are still what it wrote. In memory is what
 * `segmentRows` reads, a file, and the deletes that apply.
 * @throws CorruptBackup, also where a segment has not the rows that the metas say, UnsupportedData where more deletes apply than are held, ClaimLost,
 *   and what the stores throw
 */
export async function exportSegments(
  { batchKey, died }: CopySegmentsRequest,
  context: ExportContext,
): Promise<ExportSegmentsResult> {
  const batch = await readWorkJson(context, batchKey, exportBatch);
  const { receiptKey } = batch;
  if ((await context.work.head(receiptKey)) !== undefined) {
    const { outcome } = await readWorkJson(context, receiptKey, exportReceipt);
    if (outcome === "copied") return { outcome: "exported", receiptKey };
  }
  const [source, destination] = await settleAll([
    context.openStore(batch.source),
    context.openStore(batch.destination),
  ]);
  const earlier = await earlierReceipt(batch, destination, context);
  const receipt =
    earlier ??
    (await new BatchExport(batch, { source, destination }, context, died ? gentleFileBytes : fileBytes).run());
  await writeWorkJson(context, receiptKey, receipt);
  const { objects, bytes, files } = receipt;
  context.log.info("batch exported", { batch: batch.batch, objects, bytes, files: files.length });
  return { outcome: receipt.outcome === "cancelled" ? "cancelled" : "exported", receiptKey };
}

/** What an execution that is over left of the same batch, where its files lie there as it wrote them. */
async function earlierReceipt(
  { batch, batchHash, earlierReceiptKey, root }: ExportBatch,
  destination: ObjectStore,
  context: Pick<StepContext, "work">,
): Promise<ExportReceipt | undefined> {
  if (earlierReceiptKey === undefined) return undefined;
  const receipt = await readWorkJsonIfThere(context, earlierReceiptKey, exportReceipt);
  if (receipt?.outcome !== "copied" || receipt.batchHash !== batchHash || receipt.batch !== batch) return undefined;
  const there = await settleEach(receipt.files, looks, async ({ file, bytes, etag }) => {
    const found = await destination.head(root + file);
    return found?.size === bytes && found.etag === etag;
  });
  return there.every(Boolean) ? { ...receipt, skippedObjects: receipt.objects } : undefined;
}

/** A file that is being filled, and where it belongs. */
interface OpenFile {
  readonly collection: string;
  readonly partition: string;
  readonly table: TableFile;
}

/** A collection as its batches need it. */
interface KnownCollection {
  readonly key: string;
  readonly file: ExportedCollectionFile;
  readonly fields: readonly RowField[];
  readonly wanted: readonly RowField[];
  /** Of L0 segments of all partitions. */
  readonly ofAll: Deletes;
}

class BatchExport {
  readonly #batch: ExportBatch;
  readonly #destination: ObjectStore;
  readonly #context: ExportContext;
  readonly #logs: ComparedLogs;
  readonly #layout: BackupLayout;
  readonly #confirm: () => Promise<void>;
  /** A file is ended where its rows take so much. */
  readonly #fileBytes: number;
  readonly #files: WrittenFile[] = [];
  #open: OpenFile | undefined;
  #collection: KnownCollection | undefined;

  constructor(
    batch: ExportBatch,
    { source, destination }: { readonly source: ObjectStore; readonly destination: ObjectStore },
    context: ExportContext,
    fileBytes: number,
  ) {
    this.#fileBytes = fileBytes;
    this.#batch = batch;
    this.#destination = destination;
    this.#context = context;
    this.#logs = new ComparedLogs(source);
    const { rootPath, name, source: from } = batch.backup;
    this.#layout = backupLayout(rootPath, name, from);
    this.#confirm = claimWatch(destination, batch.claim, context);
  }

  async run(): Promise<ExportReceipt> {
    const isCancelled = cancelWatch(this.#context, this.#batch.cancelKey);
    const done: SegmentReceipt[] = [];
    let cancelled = false;
    for (const group of this.#batch.groups) {
      const collection = await this.#collectionOf(group.collectionKey);
      const ofPartition = await this.#levelZero(collection, group.segments);
      for (const segment of group.segments) {
        cancelled = await isCancelled();
        if (cancelled) break;
        await this.#confirm();
        const record = recordOf(segment);
        await this.#segment(segment, record, collection, { partition: group.partition, ofPartition });
        done.push(this.#receiptOf(record));
      }
      // what follows belongs into another folder
      if (!cancelled) await this.#end();
      if (cancelled) break;
    }
    const { batch, batchHash } = this.#batch;
    const logs = done.flatMap(logsOf);
    const outcome = cancelled ? "cancelled" : "copied";
    const bytes = logs.reduce((sum, { size }) => sum + size, 0);
    const counts = { objects: logs.length, bytes, skippedObjects: 0, uncompared: this.#logs.uncompared };
    return { batch, batchHash, outcome, ...counts, segments: done, files: this.#files };
  }

  async #segment(
    { checksums }: ExportSegment,
    record: SegmentBackup,
    collection: KnownCollection,
    { partition, ofPartition }: { readonly partition: string; readonly ofPartition: Deletes },
  ): Promise<void> {
    this.#logs.expect(checksums);
    const source = await this.#source(collection);
    const held = collection.ofAll.size + ofPartition.size;
    const own = new Deletes(Math.max(0, exportLimits.deletes - held));
    await addDeletes(own, record, source);
    const deletes = [own, ofPartition, collection.ofAll];
    const selection = { fields: collection.wanted, whole: true };
    for await (const row of segmentRows(record, { ...source, deletes }, selection)) {
      const { table } = await this.#fileFor(collection, partition);
      table.add(row);
      if (table.bytes >= this.#fileBytes || table.rows >= exportLimits.fileRows) await this.#end();
    }
  }

  /** As a copy tells it, so that progress is told alike: the logs that it has. */
  #receiptOf(record: SegmentBackup): SegmentReceipt {
    const path = segmentPath(record);
    const { collectionId, partitionId, segmentId } = path;
    const log = (directory: string) => (of: Binlog) => {
      const key = directory + logName(of);
      return { from: key, key, size: Number(of.log_size), etag: "" };
    };
    const inserts = this.#layout.insertLogs(path);
    const insertLogs = record.binlogs.flatMap(({ fieldID, binlogs }) => binlogs.map(log(`${inserts}${fieldID}/`)));
    const deltaLogs = record.deltalogs.flatMap(({ binlogs }) => binlogs.map(log(this.#layout.deltaLogs(path))));
    return { collectionId, partitionId, segmentId, outcome: "copied", insertLogs, deltaLogs };
  }

  async #collectionOf(key: string): Promise<KnownCollection> {
    if (this.#collection?.key === key) return this.#collection;
    const file = await readWorkJson(this.#context, key, exportedCollectionFile);
    const fields = rowFields(parseFile(collectionSchema, file.schema, key).value);
    const wanted = fields.filter((field) => columnType(field) !== undefined);
    const collection = { key, file, fields, wanted, ofAll: new Deletes(exportLimits.deletes) };
    await this.#addLevelZero(collection.ofAll, collection, allPartitions);
    this.#collection = collection;
    return collection;
  }

  /** The deletes of the L0 segments of the partition that these segments are of. */
  async #levelZero(collection: KnownCollection, [first]: readonly ExportSegment[]): Promise<Deletes> {
    const deletes = new Deletes(Math.max(0, exportLimits.deletes - collection.ofAll.size));
    if (first) await this.#addLevelZero(deletes, collection, recordOf(first).partition_id.toString());
    return deletes;
  }

  async #addLevelZero(
    deletes: Deletes,
    collection: Pick<KnownCollection, "file" | "fields">,
    partitionId: string,
  ): Promise<void> {
    const source = await this.#source(collection);
    for (const segment of collection.file.levelZero[partitionId] ?? []) {
      this.#logs.expect(segment.checksums);
      await addDeletes(deletes, recordOf(segment), source);
    }
  }

  async #source({ file, fields }: Pick<KnownCollection, "file" | "fields">): Promise<DeltaSource> {
    return {
      store: this.#logs,
      layout: this.#layout,
      payloads: await this.#context.payloads(),
      primaryKey: primaryKeyOf(fields),
      until: file.instant && BigInt(file.instant.timestamp),
    };
  }

  async #fileFor({ file: { collection }, fields, wanted }: KnownCollection, partition: string): Promise<OpenFile> {
    if (this.#open) return this.#open;
    const { format } = this.#batch;
    const table = format === "jsonl" ? new JsonLines(fields) : (await this.#context.tables()).open(format, wanted);
    this.#open = { collection, partition, table };
    return this.#open;
  }

  /** Writes the file that is open, if one is. */
  async #end(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    const { collection, partition, table } = open;
    const { batch, claim, exportId, format, root } = this.#batch;
    const name = exportFileName(exportId, batch, this.#files.length, format);
    const file = partitionFolder(collection, partition) + name;
    const content = table.finish();
    // Asked anew, at the last moment: what another execution has taken over may be complete within the minute for which an answer counts.
    const confirm = () => confirmClaim(this.#destination, claim, this.#context);
    const written = await write(this.#destination, root + file, content, {
      contentType: contentTypes[format],
      confirm,
    });
    this.#files.push({ collection, partition, file, rows: table.rows, ...written });
  }
}

const contentTypes: Readonly<Record<ExportFormat, string>> = {
  parquet: "application/vnd.apache.parquet",
  arrow: "application/vnd.apache.arrow.file",
  jsonl: "application/jsonl",
};

async function write(
  store: ObjectStore,
  key: string,
  content: Uint8Array,
  options: { readonly contentType: string; readonly confirm: () => Promise<void> },
): Promise<Pick<WrittenFile, "bytes" | "sha256" | "etag">> {
  const written = await writePieces(store, key, [content], options);
  const found = await store.head(key);
  if (written === undefined || found?.size !== written.size) {
    throw new PipelineError(
      "CopyMismatch",
      `${key} in ${store.label} is not what was just written there: somebody else writes there too`,
      {
        details: { key },
      },
    );
  }
  return { bytes: written.size, sha256: written.sha256, etag: found.etag };
}

function recordOf({ record }: ExportSegment): SegmentBackup {
  return parseFile(segmentBackup, record, "a segment of the batch").value;
}
