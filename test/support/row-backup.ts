import { backupLayout } from "../../src/core/format/layout.ts";
import { manifestFileOf, printManifestIndex } from "../../src/core/format/manifest.ts";
import {
  backupInfo,
  binlog,
  collectionBackup,
  collectionSchema,
  deltaLogsOf,
  fieldBinlog,
  fieldSchema,
  partitionBackup,
  type SegmentBackup,
  segmentBackup,
} from "../../src/core/format/meta.ts";
import { instantOf } from "../../src/core/milvus/instant.ts";
import { StoredBackup } from "../../src/steps/shared/stored-backup.ts";
import { ManifestWriter } from "../../src/steps/shared/write-manifest.ts";
import { binlogOf, type Column, payloadOf } from "./binlog-writer.ts";
import type { MemoryObjectStore } from "./memory-object-store.ts";

/** A timestamp of a Milvus: so many ticks after a moment of 2026. */
export function tick(ticks: number): bigint {
  return (BigInt(Date.UTC(2026, 10, 21)) << 18n) + BigInt(ticks);
}

/** A row: its key, a text and when it was written, in ticks. */
export interface SeededRow {
  readonly id: number;
  readonly text?: string | undefined;
  readonly at: number;
}

/** A delete: the key, and when, in ticks. */
export type SeededDelete = readonly [id: number, at: number];

export interface SeededSegment {
  readonly id: number;
  readonly partition?: string;
  /** Each batch is one binlog of every field. */
  readonly batches?: readonly (readonly SeededRow[])[];
  readonly deletes?: readonly SeededDelete[];
  /** Holds deletes of its partition, or with `all` of all. */
  readonly isL0?: boolean | "all";
  readonly storageVersion?: number;
  /** The segment was written before the field `text` was added. */
  readonly withoutText?: boolean;
  /** What the metas say of its rows; as many as there are where absent. */
  readonly claimedRows?: number;
}

export interface SeededCollection {
  readonly segments: readonly SeededSegment[];
  /** Its instant, in ticks; absent as in a backup of another tool. */
  readonly until?: number;
  readonly textNullable?: boolean;
  readonly deltaFormat?: "lines" | "columns" | "old";
  /** Milvus gives the keys out. */
  readonly autoID?: boolean;
}

const collectionId = 100n;
const fieldTypes = { 1: { dataType: 5 }, 100: { dataType: 5 }, 101: { dataType: 21 } } as const;

/** Lays down a backup of one collection, `coll`, with a key `id` and a VarChar `text`. */
export function seedRows(store: MemoryObjectStore, name: string, collection: SeededCollection): void {
  const layout = backupLayout("backup", name);
  const partitions = [...new Set(["_default", ...collection.segments.flatMap(({ partition }) => partition ?? [])])];
  const partitionId = (of: SeededSegment) =>
    of.isL0 === "all" ? -1n : 200n + BigInt(partitions.indexOf(of.partition ?? "_default"));
  const record = (segment: SeededSegment): SegmentBackup => {
    const path = {
      collectionId: collectionId.toString(),
      partitionId: partitionId(segment).toString(),
      groupId: segment.id.toString(),
      segmentId: segment.id.toString(),
    };
    const { batches = [], deletes = [] } = segment;
    const log = (id: number, key: string) => {
      const log_size = BigInt(store.bytes(key)?.length ?? 0);
      return binlog.create({ log_id: BigInt(id), log_path: `files/${id}`, log_size });
    };
    const keyOf = (field: number, index: number) => `${layout.insertLogs(path)}${field}/${900 + index * 100}`;
    const deltaKey = `${layout.deltaLogs(path)}5000`;
    const fields = segment.withoutText ? ([1, 100] as const) : ([1, 100, 101] as const);
    for (const field of fields) {
      for (const [index, rows] of batches.entries()) {
        const bytes = binlogOf([payloadOf(columnOf(field, rows))], { fieldId: BigInt(field), ...fieldTypes[field] });
        store.seed(keyOf(field, index), bytes);
      }
    }
    if (deletes.length > 0) store.seed(deltaKey, deltaLog(deletes, collection.deltaFormat));
    return segmentBackup.create({
      segment_id: BigInt(segment.id),
      collection_id: collectionId,
      partition_id: partitionId(segment),
      group_id: BigInt(segment.id),
      num_of_rows: BigInt(segment.claimedRows ?? batches.flat().length),
      is_l0: segment.isL0 !== undefined && segment.isL0 !== false,
      storage_version: BigInt(segment.storageVersion ?? 0),
      binlogs: segment.isL0
        ? []
        : fields.map((field) =>
            fieldBinlog.create({
              fieldID: BigInt(field),
              // In no order, as Milvus lists them.
              binlogs: batches.map((_, index) => log(900 + index * 100, keyOf(field, index))).reverse(),
            }),
          ),
      deltalogs: deltaLogsOf(deletes.length > 0 ? [log(5000, deltaKey)] : []),
    });
  };
  const info = backupInfo.create({
    id: `id of ${name}`,
    name,
    collection_backups: [
      collectionBackup.create({
        collection_id: collectionId,
        db_name: "default",
        collection_name: "coll",
        backup_timestamp: collection.until === undefined ? 0n : tick(collection.until),
        schema: collectionSchema.create({
          name: "coll",
          fields: [
            fieldSchema.create({
              fieldID: 100n,
              name: "id",
              data_type: 5,
              is_primary_key: true,
              autoID: collection.autoID ?? false,
            }),
            fieldSchema.create({
              fieldID: 101n,
              name: "text",
              data_type: 21,
              nullable: collection.textNullable ?? false,
            }),
          ],
        }),
        partition_backups: partitions.map((partition, index) =>
          partitionBackup.create({
            partition_id: 200n + BigInt(index),
            partition_name: partition,
            segment_backups: collection.segments
              .filter((segment) => segment.isL0 !== "all" && (segment.partition ?? "_default") === partition)
              .map(record),
          }),
        ),
        l0_segments: collection.segments.filter(({ isL0 }) => isL0 === "all").map(record),
      }),
    ],
  });
  const text = backupInfo.print(info);
  store.seed(layout.meta.full_meta, text);
  if (collection.until !== undefined) store.seed(layout.manifest, manifestOf(name, text, tick(collection.until)));
}

function columnOf(field: 1 | 100 | 101, rows: readonly SeededRow[]): Column {
  if (field === 101) return { type: "text", values: rows.map(({ id, text }) => text ?? `text ${id}`) };
  return { type: "int64", values: rows.map(({ id, at }) => (field === 1 ? tick(at) : BigInt(id))) };
}

export function deltaLog(deletes: readonly SeededDelete[], format: SeededCollection["deltaFormat"] = "lines"): Buffer {
  const options = { fieldId: -1n, dataType: 20, type: "delete" } as const;
  if (format === "columns") {
    const keys: Column = { type: "int64", values: deletes.map(([id]) => BigInt(id)) };
    const timestamps: Column = { type: "int64", values: deletes.map(([, at]) => tick(at)) };
    const extra = { original_size: "1", version: "MULTI_FIELD" };
    return binlogOf([payloadOf(keys, timestamps)], { ...options, extra });
  }
  const line = ([id, at]: SeededDelete) =>
    format === "old" ? `${id},${tick(at)}` : `{"pk":${id},"ts":${tick(at)},"pkType":5}`;
  return binlogOf([payloadOf({ type: "text", values: deletes.map(line) })], options);
}

function manifestOf(name: string, fullMeta: string, until: bigint): string {
  const instant = instantOf(until.toString());
  if (instant === undefined) throw new Error("no instant");
  return printManifestIndex({
    backupName: name,
    backupId: `id of ${name}`,
    created: instant.time,
    pipelineVersion: "0.0.0",
    instants: [{ collectionId: collectionId.toString(), collection: "default.coll", ...instant, laterRows: [] }],
    metas: [manifestFileOf("meta/full_meta.json", fullMeta)],
    parts: [],
  });
}

/** Puts a whole manifest in the place of that one, as a backup that is made has it. */
export async function sealRows(store: MemoryObjectStore, name: string, until: number): Promise<void> {
  const stored = new StoredBackup(store, { rootPath: "backup" }, name);
  const instant = instantOf(tick(until).toString());
  if (instant === undefined) throw new Error("no instant");
  const manifest = new ManifestWriter(stored, { confirm: async () => undefined });
  for (const key of store.keys(stored.layout.binlogs)) {
    const { size = 0, etag = "" } = (await store.head(key)) ?? {};
    await manifest.add(collectionId.toString(), [{ from: key, key, size, etag, checksum: `md5:${etag}` }]);
  }
  const text = store.read(stored.layout.meta.full_meta) ?? "";
  const metas = [manifestFileOf("meta/full_meta.json", text)];
  const cut = { collectionId: collectionId.toString(), collection: "default.coll", ...instant, laterRows: [] };
  const head = { backupName: name, backupId: `id of ${name}` };
  await manifest.finish(head, { metas, instants: [cut], kept: [], created: instant.time });
}
