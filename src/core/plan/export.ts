import * as z from "zod";
import { copyBatch, copyReceipt } from "../execution/copy-plan.ts";
import { shortHash } from "../execution/deterministic-id.ts";
import { exportFormats } from "../execution/messages.ts";
import { backupOfRows, collectionOfRows } from "./rows-work.ts";

/** What an export is going to write; a file in the work bucket, written by Prepare Export. */
export const exportPlan = z.object({
  backupName: z.string(),
  backupId: z.string(),
  /** Which Milvus an incremental backup is of; absent for a plain one. */
  source: z.string().optional(),
  /** The file that holds the segments, and its version when it was read: while it lies there, the backup is the one that was planned. */
  record: z.object({ key: z.string(), etag: z.string() }),
  exportId: z.string(),
  format: z.enum(exportFormats),
  destination: z.object({ bucket: z.string(), prefix: z.string(), url: z.string() }),
  warnings: z.array(z.string()).readonly(),
  /** Whether logs are compared with the manifest of the backup. */
  compared: z.boolean(),
  /** What collections are exported: files of the work bucket, in the order of the metas. */
  exported: z.array(z.string()),
  /** For progress displays. */
  totals: z.object({ collections: z.number(), segments: z.number(), bytes: z.number(), rows: z.number() }),
});
export type ExportPlan = Readonly<z.infer<typeof exportPlan>>;

export const exportedCollectionFile = collectionOfRows.extend({
  /** L0 segments (`SegmentBackup`) with the checksums of their logs, by the ID of their partition, `-1` for all. */
  levelZero: z.record(z.string(), z.array(z.lazy(() => exportSegment))),
  /** As its segments say it, deleted ones included. */
  rows: z.number(),
});
export type ExportedCollectionFile = Readonly<z.infer<typeof exportedCollectionFile>>;

/** A segment whose rows are exported. */
const exportSegment = z.object({
  /** A `SegmentBackup`. */
  record: z.string(),
  /** What the manifest of the backup says of its logs, by key. */
  checksums: z.record(z.string(), z.string()),
});
export type ExportSegment = Readonly<z.infer<typeof exportSegment>>;

/** The work of one Export Segments invocation; a file in the work bucket. */
export const exportBatch = copyBatch
  .pick({ batch: true, source: true, destination: true, receiptKey: true, cancelKey: true })
  .extend({
    claim: z.object({ key: z.string(), holder: z.string() }),
    backup: backupOfRows,
    /** Where the files go, ends in `/`. */
    root: z.string(),
    exportId: z.string(),
    format: z.enum(exportFormats),
    /** Of what it writes: two batches of one hash are the same files. */
    batchHash: z.string(),
    /** Where an execution that is over may have left the receipt of the same batch. */
    earlierReceiptKey: z.string().optional(),
    /** Segments that follow each other in one partition. */
    groups: z.array(z.object({ collectionKey: z.string(), partition: z.string(), segments: z.array(exportSegment) })),
  });
export type ExportBatch = z.infer<typeof exportBatch>;

const writtenFile = z.object({
  /** `db.coll` */
  collection: z.string(),
  partition: z.string(),
  /** Relative to the export. */
  file: z.string(),
  rows: z.number(),
  bytes: z.number(),
  sha256: z.string(),
  /** Of the object, as it was written. */
  etag: z.string(),
});
export type WrittenFile = z.infer<typeof writtenFile>;

/**
 * What Export Segments leaves in the work bucket for one batch: a receipt as copies leave one, so that progress is told alike, whose objects and
 * bytes are those of its segments, with what was written.
 */
export const exportReceipt = copyReceipt.extend({
  /** Of the batch. */
  batchHash: z.string(),
  files: z.array(writtenFile),
  /** Logs that were read, of which the manifest of the backup says no checksum that can be compared. */
  uncompared: z.number(),
});
export type ExportReceipt = z.infer<typeof exportReceipt>;

export const exportLimits = {
  /** Of a batch, as stored: minutes of one Lambda. */
  batchBytes: 2 ** 30,
  /** Fewer are not worth an invocation: decoding takes longer than copying, and fills a CPU. */
  batchSegments: 16,
  /** A file is ended where its rows take so much in memory, or are so many. */
  fileBytes: 64 * 2 ** 20,
  fileRows: 1_000_000,
  /** Keys whose deletes are held at once: those of the L0 segments of a partition and of all, and of one segment. About 60 bytes each, and text keys. */
  deletes: 10_000_000,
} as const;

/** What an export is of: the same files, whoever writes them. */
export function exportIdOf(of: {
  readonly backupId: string;
  readonly metasSha256: string;
  readonly format: string;
  readonly collections: readonly string[];
}): string {
  return shortHash("export", "1", of.backupId, of.metasSha256, of.format, ...of.collections);
}
