import { primaryKeyOf, rowFields } from "../../core/binlog/row-fields.ts";
import { type PinnedStoreRef, planBatches } from "../../core/execution/copy-plan.ts";
import type { PreparedCopies } from "../../core/execution/messages.ts";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import { collectionSchema, segmentBackup, segmentsOf } from "../../core/format/meta.ts";
import type { BackupOutline, CollectionOutline } from "../../core/format/outline.ts";
import { isKeptEncrypted } from "../../core/milvus/encryption.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { RowsPlan } from "../../core/plan/verify.ts";
import {
  type RowBatch,
  type RowCollection,
  rowLimits,
  rowsAttempt,
  sampledSegments,
} from "../../core/plan/verify-rows.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { isStorageRead } from "../rows/segment-rows.ts";
import type { Instants, StoredBackup } from "../shared/stored-backup.ts";
import type { StreamedMetas } from "../shared/streamed-metas.ts";
import { parallelBatches, writeBatches, writeWorkJson } from "../shared/work-files.ts";

/** Of a collection whose clients may give keys that Milvus gives out otherwise (2.6). */
const givenAutoIds = "allow_insert_auto_id";

/** Which rows a verification reads. */
export interface ChosenRows {
  readonly plan: RowsPlan;
  /** Numbers of the segments, among all of the backup. */
  readonly segments: ReadonlySet<number>;
}

/**
 * Chooses the segments whose rows are read: all that can be, or a random sample.
 * @throws CorruptBackup where a schema has no primary key
 */
export function chooseRows(
  outline: BackupOutline,
  instants: Instants,
  { percent, execution }: { readonly percent: number; readonly execution: string },
): ChosenRows {
  const all = outline.collection_backups.flatMap((collection) => segmentsOf(collection)).filter(({ is_l0 }) => !is_l0);
  const readable = outline.collection_backups
    .filter((collection) => !isKeptEncrypted(outline, collection))
    .flatMap((collection) => segmentsOf(collection))
    .filter((segment) => !segment.is_l0 && isStorageRead(segment));
  const segments = sampledSegments(readable, percent, execution);
  const plan: RowsPlan = {
    percent,
    ofRows: all.reduce((sum, { num_of_rows }) => sum + Number(num_of_rows), 0),
    segments: segments.size,
    unread: all.length - readable.length,
    collections: outline.collection_backups.map((collection) => {
      const { name, id } = primaryKeyOf(rowFields(collection.schema));
      return {
        collection: nameOf(collection),
        isCut: instants.has(collection.collection_id.toString()),
        givesKeys: givesKeys(collection),
        primaryKey: { name, id: id.toString() },
      };
    }),
  };
  return { plan, segments };
}

/**
 * Writes the batches of the rows that were chosen, and what they need to know of each collection.
 * @throws CopyMismatch where the metas were replaced meanwhile
 */
export async function writeRowBatches(
  context: StepContext,
  layout: WorkLayout,
  rows: Pick<ChosenRows, "segments"> & {
    readonly stored: StoredBackup;
    readonly metas: StreamedMetas;
    readonly outline: BackupOutline;
    readonly instants: Instants;
  },
  common: { readonly source: PinnedStoreRef; readonly rootPath: string },
): Promise<PreparedCopies> {
  const { stored, metas, outline, instants, segments: chosen } = rows;
  const levelZero = new Map<number, Record<string, string[]>>();
  const { source, rootPath } = common;
  const planned = planBatches(
    { segments: chosenSegments(metas, chosen, levelZero), count: chosen.size },
    ({ bytes }) => bytes,
    { parallel: parallelBatches, bytes: rowLimits.batchBytes },
  );
  const written = await writeBatches(context, layout, rowsAttempt, planned, async (members, name) => {
    const batch: RowBatch = {
      batch: name,
      source,
      receiptKey: layout.receipt(name),
      cancelKey: layout.cancel,
      backup: { rootPath, name: stored.name, ...(stored.layout.source && { source: stored.layout.source }) },
      segments: members.map(({ segment }) => segment),
    };
    await writeWorkJson(context, layout.batch(name), batch);
    return { isDone: false, segments: members.length };
  });
  for (const [number, collection] of outline.collection_backups.entries()) {
    const cut = instants.get(collection.collection_id.toString())?.instant;
    const file: RowCollection = {
      collection: nameOf(collection),
      schema: collectionSchema.print(collection.schema),
      ...(cut && { instant: cut }),
      levelZero: levelZero.get(number) ?? {},
    };
    await writeWorkJson(context, layout.collection(rowsAttempt, number), file);
  }
  return written;
}

/** The segments that were chosen, with their logs; L0 segments are gathered as they pass by. */
async function* chosenSegments(
  metas: StreamedMetas,
  chosen: ReadonlySet<number>,
  levelZero: Map<number, Record<string, string[]>>,
): AsyncGenerator<{ segment: RowBatch["segments"][number]; bytes: number }> {
  let ordinal = -1;
  let number = -1;
  for await (const { segment, collection } of metas.segments()) {
    ordinal += 1;
    if (segment.is_l0) {
      const byPartition = levelZero.get(collection) ?? {};
      levelZero.set(collection, byPartition);
      const partition = segment.partition_id.toString();
      const records = byPartition[partition] ?? [];
      byPartition[partition] = records;
      records.push(segmentBackup.print(segment));
      continue;
    }
    if (!chosen.has(ordinal)) continue;
    number += 1;
    const bytes = Math.max(Number(segment.size), Number(segment.num_of_rows) * rowLimits.bytesPerRow);
    yield { segment: { number, collection, record: segmentBackup.print(segment) }, bytes };
  }
}

function nameOf({ db_name, collection_name }: CollectionOutline): string {
  return qualifiedName({ database: db_name, collection: collection_name });
}

/** Whether every key is one that Milvus gave out: none of them is there twice then. */
function givesKeys({ schema, properties }: CollectionOutline): boolean {
  const isAutoId = schema.fields.some(({ is_primary_key, autoID }) => is_primary_key && (autoID || schema.autoID));
  const mayBeGiven = [...properties, ...schema.properties].some(
    ({ key, value }) => key === givenAutoIds && value !== "false",
  );
  return isAutoId && !mayBeGiven;
}
