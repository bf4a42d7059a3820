import { createHash } from "node:crypto";
import { type CopiedLog, logsOf, type SegmentReceipt } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { type MetaFileName, metaFileNames } from "../../core/format/layout.ts";
import type { CutCollection, KeptAttributes, ManifestIndex } from "../../core/format/manifest.ts";
import type { SegmentBackup } from "../../core/format/meta.ts";
import { type MetaPiece, printMetas, type StreamedCollection } from "../../core/format/meta-files.ts";
import { keptOf } from "../../core/milvus/kept-attributes.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { notCarriedOf } from "../../core/milvus/not-carried.ts";
import type { PlannedCollection } from "../../core/plan/backup.ts";
import { type BackupHead, backupRecord, collectionRecord, segmentRecord } from "../../core/plan/backup-records.ts";
import type { TextDigest, TextUpload } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { settleCopies } from "../shared/settle-copies.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";
import { cutsOf, ManifestWriter } from "../shared/write-manifest.ts";
import type { CopiedCollection } from "./copied-collections.ts";

interface WriteBackupOptions {
  /** ISO 8601. */
  readonly created: string;
  /** How many were copied. */
  readonly objects: number;
  /** Of an incremental backup. */
  readonly incremental?: ManifestIndex["incremental"];
  /** Signs it, where the deployment signs backups: before it is committed. */
  readonly sign?: ((manifest: { readonly sha256: string; readonly loose: number }) => Promise<void>) | undefined;
  /** @throws where it must not go on; asked before anything is removed or appears */
  readonly confirm: () => Promise<void>;
}

/**
 * Writes a backup whose data is there: its metas and manifest are printed side by side, from one pass over the receipts, and every
 * object is looked for in the store; then the level metas and the manifest's index appear, and `full_meta.json` as the very last object.
 * What is held in memory does not grow with the number of objects, but for 35 bytes of each. Safe to run again, also after the commit.
 * @param collections reads the collections in the plan's order, anew with each call
 * @throws CopyMismatch where a receipt, or an object, is missing; BackupExists where somebody else wrote a backup of that name meanwhile
 */
export async function writeBackup(
  stored: StoredBackup,
  head: BackupHead,
  collections: () => AsyncIterable<CopiedCollection>,
  { created, objects, incremental, sign, confirm }: WriteBackupOptions,
  context: Pick<StepContext, "log">,
): Promise<void> {
  if ((await stored.committed()) !== undefined) {
    // written last, by an earlier run of this step: everything else is there
    if (await stored.isCommittedAs(await digestOf(printBackup(head, collections())))) return;
    throw stored.writtenByOthers();
  }
  const metas = metaFileNames.map((file) => ({ file, upload: stored.openMeta(file) }));
  const uploads = Object.fromEntries(metas.map(({ file, upload }) => [file, upload])) as Record<
    MetaFileName,
    TextUpload
  >;
  const manifest = new ManifestWriter(stored, { confirm });
  try {
    const instants: CutCollection[] = [];
    const kept: KeptAttributes[] = [];
    const notCarried: Record<string, string[]> = {};
    const noted = async function* () {
      for await (const copied of collections()) {
        instants.push(...cutsOf(copied.collection));
        const { description, indexes } = copied.collection;
        kept.push(...keptOf(description));
        const lost = notCarriedOf(description, indexes);
        if (lost.length > 0) notCarried[qualifiedName(description.name)] = lost;
        yield copied;
      }
    };
    const list = async (receipt: SegmentReceipt) => {
      await manifest.add(receipt.collectionId, logsOf(receipt));
    };
    for await (const { file, text } of printBackup(head, noted(), list)) await uploads[file].write(text);
    const { full_meta: commitRecord, ...levels } = uploads;
    // A step that outlives its execution must not touch what the next one, which has the claim, wrote or even committed.
    const confirmMine = async () => {
      await confirm();
      if ((await stored.isCommittedAs(commitRecord.written)) === false) throw stored.writtenByOthers();
    };
    const collectionIds = () => manifest.collectionIds;
    const copied = { count: objects, logs: () => copiedLogs(collections()), collectionIds };
    await settleCopies(stored, copied, { confirm: confirmMine }, context);
    await confirmMine();
    await settleAll(Object.values(levels).map((upload) => upload.finish()));
    const { layout } = stored;
    const files = metas.map(({ file, upload }) => ({ key: layout.relative(layout.meta[file]), ...upload.written }));
    await manifest.finish(head, { metas: files, instants, kept, notCarried, created, incremental });
    await sign?.({ sha256: manifest.sha256, loose: manifest.loose });
    await stored.removeOtherKinds(confirmMine);
    await confirm();
    await stored.commit(commitRecord);
  } catch (error) {
    await Promise.all([manifest.abort(), ...metas.map(({ upload }) => upload.abort())]);
    throw error;
  }
}

/** @param visit gets each receipt before its segment is printed */
function printBackup(
  head: BackupHead,
  collections: AsyncIterable<CopiedCollection>,
  visit: (receipt: SegmentReceipt) => Promise<void> = async () => undefined,
): AsyncIterable<MetaPiece> {
  const streamed = async function* (): AsyncGenerator<StreamedCollection> {
    for await (const { collection, segments } of collections) {
      const record = collectionRecord(head.backupId, collection);
      yield { record, segments: segmentRecords(collection, segments, visit) };
    }
  };
  return printMetas(backupRecord(head), streamed());
}

/** A record for every segment that was planned, and none without its receipt. */
async function* segmentRecords(
  { description, segments }: PlannedCollection,
  receipts: AsyncIterable<SegmentReceipt>,
  visit: (receipt: SegmentReceipt) => Promise<void>,
): AsyncGenerator<SegmentBackup> {
  let next = 0;
  for await (const receipt of receipts) {
    const segment = segments[next];
    if (segment?.id !== receipt.segmentId) throw notAsPlanned(segment?.id, receipt.segmentId);
    next += 1;
    await visit(receipt);
    yield segmentRecord(description.id, segment, receipt);
  }
  const missing = segments[next];
  if (missing !== undefined) throw notAsPlanned(missing.id, undefined);
}

function notAsPlanned(planned: string | undefined, copied: string | undefined): PipelineError {
  const what =
    planned === undefined
      ? `segment ${copied} was copied, but the plan does not have it there`
      : `segment ${planned} was planned, but no receipt says in its place that it was copied${copied === undefined ? "" : ` (there is that of ${copied})`}`;
  return new PipelineError("CopyMismatch", `${what}. Start the same command again: what is copied is kept`, {
    details: { segmentId: planned ?? copied ?? "" },
  });
}

async function* copiedLogs(collections: AsyncIterable<CopiedCollection>): AsyncGenerator<CopiedLog> {
  for await (const { segments } of collections) for await (const receipt of segments) yield* logsOf(receipt);
}

/** What `full_meta.json` would be. */
async function digestOf(pieces: AsyncIterable<MetaPiece>): Promise<TextDigest> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const { file, text } of pieces) {
    if (file !== "full_meta") continue;
    hash.update(text);
    size += Buffer.byteLength(text);
  }
  return { size, sha256: hash.digest("hex") };
}
