import { createHash } from "node:crypto";
import { readBinlog } from "../../src/core/binlog/frame.ts";
import type { AllowedEnvironments } from "../../src/core/deployment/allowed-environments.ts";
import type { Environment } from "../../src/core/environment/environment.ts";
import type { ImportContext } from "../../src/steps/restore/import-segments.ts";
import { binlogOf } from "./binlog-writer.ts";
import { FaultInjector } from "./fault-injector.ts";
import { memoryContext } from "./memory-context.ts";
import { MemoryMilvus, type MemoryMilvusOptions } from "./memory-milvus.ts";
import { MemoryObjectStore } from "./memory-object-store.ts";
import { MemoryRegistry } from "./memory-registry.ts";
import { milvusEnvironment } from "./milvus-environment.ts";

/** Where an environment's Milvus and backups lie, and which server it is. */
export interface WorldEnvironment {
  /** `bucket/rootPath` */
  readonly milvusAt: string;
  readonly backupAt: string;
  readonly milvus?: MemoryMilvusOptions;
  readonly settings?: Partial<Environment>;
}

/** Two environments as in the cross-bucket layout: `prod` backs up into the bucket of `dr`. */
const crossBucket = {
  prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
  dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup" },
} as const;

/**
 * Everything the steps talk to, in memory: environments, their buckets (shared by name) and Milvus servers. A Milvus imports from its
 * bucket: the rows of a directory are those of the segments whose logs lie in it, each as often as they do, one by one or put together.
 */
export class PipelineWorld {
  readonly memory = memoryContext();
  readonly #buckets = new Map<string, MemoryObjectStore>();
  readonly environments = new MemoryRegistry();
  readonly #servers = new Map<string, MemoryMilvus>();
  /** Rows of a segment net of its deletes, by its ID. */
  readonly #rows = new Map<string, bigint>();
  /** The segment of a payload that holds real rows, by its hash. */
  readonly #payloads = new Map<string, string>();

  /** @param buckets those that are more than plain ones */
  constructor(
    environments: Readonly<Record<string, WorldEnvironment>> = crossBucket,
    buckets: readonly MemoryObjectStore[] = [],
  ) {
    for (const bucket of buckets) this.#buckets.set(bucket.bucket, bucket);
    for (const [name, options] of Object.entries(environments)) this.#add(name, options);
  }

  get work(): MemoryObjectStore {
    return this.memory.work;
  }

  bucket(name: string): MemoryObjectStore {
    const bucket = this.#buckets.get(name) ?? new MemoryObjectStore(name);
    this.#buckets.set(name, bucket);
    return bucket;
  }

  milvus(environment: string): MemoryMilvus {
    const server = this.#servers.get(environment);
    if (!server) throw new Error(`no environment ${environment} in this world`);
    return server;
  }

  environment(name: string): Environment {
    return this.environments.current(name);
  }

  /** Registers an environment anew, with other settings. */
  registerAnew(name: string, settings: Partial<Environment>): void {
    const { version: _, ...environment } = this.environments.current(name);
    this.environments.register({ ...environment, ...settings });
  }

  /** Puts a segment's logs where its Milvus keeps them: one log a field, and one with deletes where `deletes` says so. */
  seedSegment(
    environment: string,
    segment: { collectionId: string; partitionId: string; id: string; rows: bigint; deletes?: bigint },
    fields: readonly string[] = ["0", "1", "100", "101"],
  ): void {
    const { storage } = this.environment(environment);
    const { collectionId, partitionId, id, rows, deletes = 0n } = segment;
    const path = `${collectionId}/${partitionId}/${id}`;
    const bucket = this.bucket(storage.bucket);
    for (const fieldId of fields) {
      const text = Buffer.from(`${rows} rows of field ${fieldId} of ${id}`);
      const log = binlogOf([text], { fieldId: BigInt(fieldId) });
      bucket.seed(`${storage.rootPath}/insert_log/${path}/${fieldId}/1${id}`, log);
    }
    const text = Buffer.from(`${deletes} deletes of ${id}`);
    const log = binlogOf([text], { fieldId: -1n, dataType: 20, type: "delete" });
    if (deletes > 0n) bucket.seed(`${storage.rootPath}/delta_log/${path}/2${id}`, log);
    this.#rows.set(id, rows - deletes);
  }

  /** Puts real rows in the place of a segment's log of one field. */
  seedPayload(
    environment: string,
    log: { key: string; id: string; fieldId: bigint; dataType: number },
    payload: Uint8Array,
  ): void {
    const { storage } = this.environment(environment);
    const { key, id, fieldId, dataType } = log;
    this.bucket(storage.bucket).seed(`${storage.rootPath}/${key}`, binlogOf([payload], { fieldId, dataType }));
    this.#payloads.set(digestOf(payload), id);
  }

  /** Takes a segment's logs away, as garbage collection does. */
  collectSegment(environment: string, collectionId: string, id: string): void {
    const { storage } = this.environment(environment);
    const bucket = this.bucket(storage.bucket);
    for (const kind of ["insert_log", "delta_log"]) {
      for (const key of bucket.keys(`${storage.rootPath}/${kind}/${collectionId}/`)) {
        if (key.includes(`/${id}/`)) bucket.remove(key);
      }
    }
  }

  /** What the deployment lets executions name. */
  allowed: AllowedEnvironments = {};

  /** What steps get, with every call counted (and one failing, where the injector says so). */
  context(faults = new FaultInjector()): ImportContext {
    const { clock, executions, log } = this.memory;
    return {
      work: faults.wrap("work", this.work),
      environments: this.environments,
      allowed: this.allowed,
      openStore: async ({ environment, version, ...ref }, { earlier = false } = {}) => {
        const pin = version === undefined ? undefined : { version };
        const kept = earlier && pin ? await this.environments.getVersion(environment, pin.version) : undefined;
        const { storage, backupStorage } = kept ?? (await this.environments.get(environment, pin));
        const bucket = ref.bucket ?? (ref.side === "milvus" ? storage : backupStorage).bucket;
        return faults.wrap(bucket, this.bucket(bucket));
      },
      connectMilvus: async ({ name }) => faults.wrap(name, this.milvus(name)),
      garbageCollection: ({ name }) => {
        const milvus = faults.wrap(name, this.milvus(name));
        return {
          pause: (seconds) => milvus.pauseGarbageCollection(seconds),
          resume: (pause) => milvus.resumeGarbageCollection(pause),
        };
      },
      payloads: async () => (await import("../../src/adapters/parquet/payload-reader.ts")).parquetPayloads,
      clock,
      executions,
      log,
    };
  }

  #add(name: string, { milvusAt, backupAt, milvus, settings }: WorldEnvironment): void {
    const base = milvusEnvironment(19530);
    const at = (place: string) => {
      const [bucket = "", ...rootPath] = place.split("/");
      return { ...base.storage, bucket, rootPath: rootPath.join("/") };
    };
    this.environments.register({ ...base, name, storage: at(milvusAt), backupStorage: at(backupAt), ...settings });
    const { bucket } = at(milvusAt);
    const rowsOf = (directory: string) => this.#rowsBelow(this.bucket(bucket), directory);
    this.#servers.set(
      name,
      new MemoryMilvus({ address: `${name}.test:19530`, rowsOf, now: this.memory.clock.now, ...milvus }),
    );
  }

  #rowsBelow(bucket: MemoryObjectStore, directory: string): bigint {
    const logs = bucket.keys(directory).map((key) => ({ key, field: key.split("/").at(-2) ?? "" }));
    const byField = [...Map.groupBy(logs, ({ field }) => field).values()].map((ofField) =>
      ofField.flatMap(({ key }) => this.#segmentsIn(bucket.bytes(key) ?? Buffer.alloc(0), key)),
    );
    const [first = [], ...others] = byField;
    if (others.some((ids) => ids.join() !== first.join())) throw new Error(`the rows of ${directory} mix`);
    return first.reduce((sum, id) => sum + (this.#rows.get(id) ?? 0n), 0n);
  }

  /** The segments whose rows a log holds, event by event; of one that a test made up, the one that it lies below. */
  #segmentsIn(bytes: Uint8Array, key: string): string[] {
    const ids = eventsOf(bytes, key).map(
      (payload) => this.#payloads.get(digestOf(payload)) ?? Buffer.from(payload).toString().split(" of ").at(-1) ?? "",
    );
    return ids.length > 0 ? ids : [key.split("/").at(-3) ?? ""];
  }
}

function digestOf(payload: Uint8Array): string {
  return createHash("sha256").update(payload).digest("hex");
}

function eventsOf(bytes: Uint8Array, key: string): Uint8Array[] {
  try {
    return readBinlog(bytes, key).events.map(({ payload }) => payload);
  } catch {
    return [];
  }
}
