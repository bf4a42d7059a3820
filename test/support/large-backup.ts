import { createHash, hash } from "node:crypto";
import type { BackupLayout } from "../../src/core/format/layout.ts";
import { printManifestIndex } from "../../src/core/format/manifest.ts";
import { type CollectionSchema, collectionSchema, fieldSchema } from "../../src/core/format/meta.ts";
import type { ObjectSummary } from "../../src/ports/object-store.ts";
import { MemoryObjectStore } from "./memory-object-store.ts";

const [collectionId, partitionId] = ["470615367219150891", "470615367219150892"];
const firstSegment = 470615367219350906n;
const fields = [0, 1, 100, 101];

const schema: CollectionSchema = collectionSchema.create({
  name: "large",
  fields: [
    fieldSchema.create({ fieldID: 100n, name: "id", data_type: 5, is_primary_key: true }),
    fieldSchema.create({
      fieldID: 101n,
      name: "vector",
      data_type: 101,
      type_params: [{ key: "dim", value: "4" }],
    }),
  ],
});

/** One segment with a log for each of four fields and one with deletes, as milvus-backup prints it: about 1.6 KB. */
function segmentText(index: number): string {
  const id = firstSegment + BigInt(index);
  const path = `${collectionId}/${partitionId}/${id}`;
  const log = (kind: string) =>
    `{"entries_num":1000,"timestamp_from":451231234567890123,"timestamp_to":451231234567890999,"log_path":"files/${kind}/${id}","log_size":123456,"log_id":${id}}`;
  const binlogs = fields.map((field) => `{"fieldID":${field},"binlogs":[${log(`insert_log/${path}/${field}`)}]}`);
  return `{"segment_id":${id},"collection_id":${collectionId},"partition_id":${partitionId},"num_of_rows":1000,"binlogs":[${binlogs}],"deltalogs":[{"binlogs":[${log(`delta_log/${path}`)}]}],"size":617280,"group_id":${id},"v_channel":"by-dev-rootcoord-dml_0_${collectionId}v0"}`;
}

/** The text of a full_meta.json with one partition of so many segments, made as it is read. */
function* fullMetaText(segments: number): Generator<string> {
  const partition = `{"partition_id":${partitionId},"partition_name":"_default","collection_id":${collectionId},"segment_backups":[`;
  const printed = collectionSchema.print(schema);
  yield `{"id":"backup-id","name":"large","collection_backups":[{"collection_id":${collectionId},"collection_name":"large","schema":${printed},"partition_backups":[${partition}`;
  const perPiece = 40;
  for (let index = 0; index < segments; index += perPiece) {
    const members = Array.from({ length: Math.min(perPiece, segments - index) }, (_, at) => segmentText(index + at));
    yield `${index === 0 ? "" : ","}${members.join()}`;
  }
  yield `],"size":1}],"size":1}],"size":1,"milvus_version":"v2.3.5"}`;
}

const segmentsPerPart = 6_000;
const logsPerSegment = fields.length + 1;

/** A part of the manifest of such a backup, which lists the logs in the order of the metas; made as it is read. */
function* manifestPartText({ root, binlogs }: BackupLayout, part: number, segments: number): Generator<string> {
  const below = binlogs.slice(root.length);
  for (let index = part * segmentsPerPart; index < Math.min(segments, (part + 1) * segmentsPerPart); index += 1) {
    const id = String(firstSegment + BigInt(index));
    const path = `${collectionId}/${partitionId}/${id}/${id}`;
    const keys = [...fields.map((field) => `insert_log/${path}/${field}/${id}`), `delta_log/${path}/${id}`];
    const etag = hash("md5", id);
    yield keys
      .map((key) => `{"key":"${below}${key}","size":123456,"etag":"${etag}","checksum":"md5:${etag}"}\n`)
      .join("");
  }
}

/** A bucket with one large backup, of which nothing is in memory but its commit record's place and the index of its manifest. */
export class LargeBackupStore extends MemoryObjectStore {
  readonly #segments: number;
  readonly #layout: BackupLayout;
  readonly #key: string;

  constructor(bucket: string, layout: BackupLayout, segments: number) {
    super(bucket);
    this.#layout = layout;
    this.#key = layout.meta.full_meta;
    this.#segments = segments;
  }

  seedManifest(): void {
    const { root, manifest } = this.#layout;
    const fullMeta = createHash("sha256");
    for (const piece of fullMetaText(this.#segments)) fullMeta.update(piece);
    const parts = Array.from({ length: Math.ceil(this.#segments / segmentsPerPart) }, (_, part) => {
      const key = this.#layout.manifestPart(collectionId, part).slice(root.length);
      const members = Math.min(segmentsPerPart, this.#segments - part * segmentsPerPart);
      const sha256 = createHash("sha256");
      for (const lines of manifestPartText(this.#layout, part, this.#segments)) sha256.update(lines);
      const objects = members * logsPerSegment;
      return { key, size: 1, sha256: sha256.digest("hex"), collectionId, objects, bytes: 1 };
    });
    const metas = [{ key: this.#key.slice(root.length), size: 1, sha256: fullMeta.digest("hex") }];
    const head = { backupName: "large", backupId: "backup-id", created: "2026-11-21T11:03:07Z", pipelineVersion: "0" };
    this.seed(manifest, printManifestIndex({ ...head, instants: [], metas, parts }));
  }

  override async head(key: string): Promise<ObjectSummary | undefined> {
    if (key !== this.#key) return super.head(key);
    // nobody allocates by it
    return { key, size: 1, etag: createHash("md5").update(String(this.#segments)).digest("hex") };
  }

  override async *readText(key: string, options: { ifMatch?: string } = {}): AsyncIterable<string> {
    const part = /manifest\/\d+-(\d+)\.jsonl$/.exec(key)?.[1];
    if (part !== undefined) yield* manifestPartText(this.#layout, Number(part), this.#segments);
    else if (key === this.#key) yield* fullMetaText(this.#segments);
    else yield* super.readText(key, options);
  }
}

/** A work bucket that forgets the large files as it gets them, and counts what is in them. */
export class ForgetfulStore extends MemoryObjectStore {
  batches = 0;
  segments = 0;
  logs = 0;
  imported = 0;
  /** Logs with what a manifest says of them. */
  checksums = 0;

  override async putText(...args: Parameters<MemoryObjectStore["putText"]>): Promise<boolean> {
    const [key, body] = args;
    if (key.includes("/imports/")) {
      this.imported += JSON.parse(body).length;
      return true;
    }
    if (!key.includes("/batches/")) return super.putText(...args);
    this.batches += 1;
    this.segments += count(body, '"segmentId":');
    this.logs += count(body, '"path":');
    this.checksums += count(body, '"checksum":');
    return true;
  }
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
