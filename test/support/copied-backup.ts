import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { connectS3 } from "../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../src/adapters/s3/object-store.ts";
import { type CopiedLog, type CopyReceipt, logsOf, type SegmentReceipt } from "../../src/core/execution/copy-plan.ts";
import { workLayout } from "../../src/core/execution/work-layout.ts";
import type { Claim } from "../../src/core/format/claim.ts";
import { backupLayout } from "../../src/core/format/layout.ts";
import {
  type ManifestPart,
  manifestPartObjects,
  printManifestIndex,
  printManifestObject,
} from "../../src/core/format/manifest.ts";
import type { BackupPlan, PlannedCollection } from "../../src/core/plan/backup.ts";
import type { TransferPlan } from "../../src/core/plan/transfer.ts";
import type { CopiedObject, ObjectStore, ObjectSummary, TextVersion } from "../../src/ports/object-store.ts";
import { collectionDescription } from "./collection-description.ts";

/**
 * A backup of millions of objects that lies nowhere: plan, receipts, listings and manifest are made up as they are read, and what is
 * written is sent by the real adapter and dropped behind it.
 */
export class CopiedBackup {
  readonly objects: number;
  readonly #segments: number;
  readonly #partitions = 50;
  /** As `insert_log` and `delta_log` of one segment sort. */
  readonly #insertPaths = ["0", "1", ...Array.from({ length: 16 }, (_, field) => String(100 + field))].map(
    (field) => `${field}/4906153672195510${field}`,
  );
  readonly #deltaPaths = ["490615367219551000", "490615367219551001"];
  readonly #collection = "470615367219551002";
  readonly #layout = backupLayout("backup", "large");
  readonly #segmentsPerBatch = 64;
  /** Bytes and SHA-256 of a source's `full_meta.json`, which nobody parses. */
  readonly #fullMetaPieces = 300;
  readonly #piece = "full_meta ".repeat(100_000);

  readonly #isCopyOfBackup: boolean;

  constructor(segments: number, machine: "backup" | "transfer") {
    this.#segments = segments;
    this.#isCopyOfBackup = machine === "transfer";
    this.objects = segments * (this.#insertPaths.length + this.#deltaPaths.length);
  }

  /** The work bucket of an execution that has copied everything. */
  work(execution: string): ObjectStore {
    const machine = this.#isCopyOfBackup ? "transfer" : "backup";
    const layout = workLayout(machine, execution);
    const batches = Math.ceil(this.#segments / this.#segmentsPerBatch);
    return new DroppingStore("work", (key) => {
      if (key === layout.plan) return JSON.stringify(machine === "backup" ? this.#plan() : this.#transferPlan());
      if (key === layout.collection(0, 0)) return JSON.stringify(this.#planned());
      if (key === layout.environments) return JSON.stringify({ from: { version: "1" }, to: { version: "1" } });
      if (key === layout.items(0)) return JSON.stringify(Array.from({ length: batches }, () => ({ batchKey: "b" })));
      const batch = key.startsWith(layout.receipts) ? Number.parseInt(key.slice(-11, -5), 10) : undefined;
      return batch === undefined ? undefined : JSON.stringify(this.#receipt(batch));
    });
  }

  /**
   * Where the backup is written to: its logs are there and the claim of who writes it, and nothing else.
   * @param holder ARN of the execution
   */
  destination(holder: string): ObjectStore {
    const { claim } = this.#layout;
    const now = new Date().toISOString();
    const record: Claim = {
      version: 1,
      backupName: "large",
      purpose: this.#isCopyOfBackup ? "transfer" : "backup",
      state: "writing",
      holder,
      startedAt: now,
      heartbeatAt: now,
    };
    return new DroppingStore("destination", (key) => (key === claim ? JSON.stringify(record) : undefined), {
      list: (prefix) => this.#list(prefix),
      head: (key) => (key === claim ? { key, size: 1, etag: "claim" } : undefined),
    });
  }

  /** Where a transfer reads it from, with its manifest. */
  source(): ObjectStore {
    const { meta, manifest, root } = this.#layout;
    const { parts, index } = this.#manifest();
    const textOf = (key: string) => (key === manifest ? index : undefined);
    const fullMeta = { key: meta.full_meta, size: this.#fullMetaPieces * this.#piece.length, etag: "full-20" };
    return new DroppingStore("source", textOf, {
      list: async function* () {},
      head: (key) => (key === fullMeta.key ? fullMeta : undefined),
      pieces: (key) => {
        const part = parts.findIndex((it) => root + it.key === key);
        return part < 0 ? this.#pieces() : this.#manifestLines(part);
      },
    });
  }

  async *#pieces(): AsyncGenerator<string> {
    for (let piece = 0; piece < this.#fullMetaPieces; piece += 1) yield this.#piece;
  }

  #plan(): BackupPlan {
    return {
      backupName: "large",
      backupId: "11111111-2222-8333-8444-555555555555",
      attempt: 0,
      milvusVersion: "v2.5.8",
      databases: [{ name: "default", id: "1", properties: [] }],
      collections: [{ id: this.#collection, name: "default.large", index: 0, attempt: 0, segments: this.#segments }],
      warnings: [],
      totals: { collections: 1, segments: this.#segments, rows: "1" },
    };
  }

  #planned(): PlannedCollection {
    return {
      description: collectionDescription("large", { id: this.#collection }),
      partitions: Array.from({ length: this.#partitions }, (_, place) => ({
        id: this.#partitionId(place),
        name: `p${place}`,
        loadState: "Loaded",
      })),
      indexes: [],
      loadState: "Loaded",
      segments: Array.from({ length: this.#segments }, (_, place) => ({
        ...this.#path(place),
        rows: "1000",
        isL0: false,
        storageVersion: "0",
        virtualChannel: "by-dev-rootcoord-dml_0_470615367219551002v0",
      })),
    };
  }

  #transferPlan(): TransferPlan {
    const hash = createHash("sha256");
    for (let piece = 0; piece < this.#fullMetaPieces; piece += 1) hash.update(this.#piece);
    const totals = { collections: 1, segments: this.#segments, bytes: 1 };
    return { backupName: "large", fullMetaSha256: hash.digest("hex"), alreadyThere: false, warnings: [], totals };
  }

  /** Partitions come in another order than their keys. */
  #partitionId(place: number): string {
    return String(470_615_367_219_600n + BigInt(this.#partitions - place));
  }

  #path(place: number): { id: string; partitionId: string } {
    const perPartition = Math.ceil(this.#segments / this.#partitions);
    return {
      id: String(480_615_367_219_551_000n + BigInt(place)),
      partitionId: this.#partitionId(Math.floor(place / perPartition)),
    };
  }

  #receipt(batch: number): CopyReceipt {
    const first = batch * this.#segmentsPerBatch;
    const count = Math.min(this.#segmentsPerBatch, this.#segments - first);
    const segments = Array.from({ length: count }, (_, place) => this.#segment(first + place));
    const objects = segments.length * (this.#insertPaths.length + this.#deltaPaths.length);
    return { batch: "b", outcome: "copied", objects, bytes: objects * 1000, skippedObjects: 0, segments };
  }

  /** A log's path below its segment, and the key of that segment's directory. */
  #directory(place: number, kind: "insert" | "delta"): string {
    const { id, partitionId } = this.#path(place);
    return `${this.#layout.binlogs}${kind}_log/${this.#collection}/${partitionId}/${id}/${id}/`;
  }

  #segment(place: number): SegmentReceipt {
    const { id: segmentId, partitionId } = this.#path(place);
    const logs = (kind: "insert" | "delta", paths: readonly string[]) =>
      paths.map((path): CopiedLog => {
        const object = this.#object(place, kind, path);
        const from = `files/${kind}_log/${this.#collection}/${partitionId}/${segmentId}/${path}`;
        return { from: this.#isCopyOfBackup ? object.key : from, ...object, checksum: `md5:${object.etag}` };
      });
    return {
      collectionId: this.#collection,
      partitionId,
      segmentId,
      outcome: "copied",
      insertLogs: logs("insert", this.#insertPaths),
      deltaLogs: logs("delta", this.#deltaPaths),
    };
  }

  #object(place: number, kind: "insert" | "delta", path: string): ObjectSummary {
    const etag = String(place).padStart(16, "0") + path.slice(-16).replace("/", "f").padStart(16, "0");
    return { key: this.#directory(place, kind) + path, size: 1000 + place, etag };
  }

  /** Every log in the order of its key. */
  async *#list(prefix: string): AsyncGenerator<ObjectSummary> {
    if (prefix !== this.#layout.binlogs) return;
    const perPartition = Math.ceil(this.#segments / this.#partitions);
    for (const kind of ["delta", "insert"] as const) {
      for (let partition = this.#partitions - 1; partition >= 0; partition -= 1) {
        const end = Math.min(this.#segments, (partition + 1) * perPartition);
        for (let place = partition * perPartition; place < end; place += 1) {
          for (const path of kind === "insert" ? this.#insertPaths : this.#deltaPaths) {
            yield this.#object(place, kind, path);
          }
        }
      }
    }
  }

  /** The lines of one part of the manifest, a segment's at a time. */
  *#manifestLines(part: number): Generator<string> {
    const perSegment = this.#insertPaths.length + this.#deltaPaths.length;
    const segments = manifestPartObjects / perSegment;
    for (let place = part * segments; place < Math.min(this.#segments, (part + 1) * segments); place += 1) {
      const logs = logsOf(this.#segment(place));
      yield logs.map((log) => printManifestObject(log, this.#layout)).join("");
    }
  }

  #manifest(): { parts: ManifestPart[]; index: string } {
    const collectionId = this.#collection;
    const parts = Array.from({ length: Math.ceil(this.objects / manifestPartObjects) }, (_, part): ManifestPart => {
      const hash = createHash("sha256");
      let size = 0;
      for (const lines of this.#manifestLines(part)) {
        hash.update(lines);
        size += lines.length;
      }
      const objects = Math.min(manifestPartObjects, this.objects - part * manifestPartObjects);
      return { key: `manifest/${part}.jsonl`, size, sha256: hash.digest("hex"), collectionId, objects, bytes: 1 };
    });
    const fullMeta = { key: "meta/full_meta.json", size: 1, sha256: this.#transferPlan().fullMetaSha256 };
    const head = { backupName: "large", backupId: "id", created: "2026-11-21T11:03:07Z", pipelineVersion: "0.0.0" };
    return { parts, index: printManifestIndex({ ...head, instants: [], metas: [fullMeta], parts }) };
  }
}

interface MadeUp {
  readonly list: (prefix: string) => AsyncIterable<ObjectSummary>;
  readonly head?: (key: string) => ObjectSummary | undefined;
  readonly pieces?: (key: string) => Iterable<string> | AsyncIterable<string>;
}

/** The real adapter before a store that drops what it gets; what is read from it is made up. */
class DroppingStore extends S3ObjectStore {
  readonly #text: (key: string) => string | undefined;
  readonly #madeUp: MadeUp;

  constructor(name: string, text: (key: string) => string | undefined, madeUp?: MadeUp) {
    super(droppingConnection(), name);
    this.#text = text;
    this.#madeUp = madeUp ?? { list: async function* () {} };
  }

  override async *list(prefix: string): AsyncIterable<ObjectSummary> {
    yield* this.#madeUp.list(prefix);
  }

  override async head(key: string): Promise<ObjectSummary | undefined> {
    return this.#madeUp.head?.(key);
  }

  override async getText(key: string): Promise<string> {
    const text = this.#text(key);
    if (text === undefined) throw new Error(`${key} should not be read`);
    return text;
  }

  override async getTextIfPresent(key: string): Promise<string | undefined> {
    return this.#text(key);
  }

  override async getVersionIfPresent(key: string): Promise<TextVersion | undefined> {
    const text = this.#text(key);
    return text === undefined ? undefined : { text, etag: "made-up" };
  }

  override async *readText(key: string): AsyncIterable<string> {
    yield* this.#madeUp.pieces?.(key) ?? [];
  }

  override async copyFrom(_: ObjectStore, object: ObjectSummary, key: string): Promise<CopiedObject> {
    return { ...object, key, checksum: `md5:${object.etag}`, skipped: false };
  }
}

function droppingConnection() {
  const connection = connectS3({
    type: "minio",
    address: "dropping.test",
    port: 9000,
    region: "",
    useSSL: false,
    bucket: "large",
    rootPath: "",
    credentials: { kind: "static", accessKeyId: "key", secretAccessKey: "secret", token: "" },
  });
  Object.assign(connection.client.config, { requestHandler: { handle: answer } });
  return connection;
}

/** What S3 answers to uploads; nothing lies there. */
async function answer({ method, query }: { method: string; query: Record<string, unknown> }) {
  if (method === "HEAD") return response(404, "");
  if (method === "GET") return response(200, "<ListMultipartUploadsResult></ListMultipartUploadsResult>");
  if (method === "PUT") return response(200, "");
  const result = "uploads" in query ? "InitiateMultipartUploadResult" : "CompleteMultipartUploadResult";
  return response(200, `<${result}><UploadId>u</UploadId><ETag>"e-2"</ETag></${result}>`);
}

function response(statusCode: number, body: string) {
  return { response: { statusCode, headers: { etag: '"e"' }, body: Readable.from([Buffer.from(body)]) } };
}
