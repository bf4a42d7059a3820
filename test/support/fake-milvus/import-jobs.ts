import { type BinlogStore, type SegmentDirectory, segmentsBelow, takeSegment } from "./binlog-store.ts";
import type { FakeCollection, FakeDatabase, FakeSegment } from "./records.ts";
import { Refusal } from "./refusal.ts";

/** What a job is asked for, over gRPC or REST. */
export interface ImportAsked {
  readonly database: string;
  readonly collection: string;
  /** Empty where none was named. */
  readonly partition: string;
  readonly files: readonly (readonly string[])[];
  readonly options: Readonly<Record<string, string>>;
}

export interface FakeImportJob {
  readonly jobId: string;
  readonly request: ImportAsked;
  readonly collectionId: string;
  /** The segments of the job as details name them: the paths of each as Go prints a list. */
  readonly fileNames: readonly string[];
  state: "Pending" | "Importing" | "Completed" | "Failed";
  reason: string;
  rows: number;
  /** Importing, and nothing is told of its segments yet: while it looks how many rows there are. */
  looking: boolean;
}

/** What jobs need of the server that runs them. */
interface ImportTarget {
  readonly alive: boolean;
  readonly store: BinlogStore | undefined;
  readonly databases: ReadonlyMap<string, FakeDatabase>;
  isAtLeast(version: string): boolean;
  newId(): string;
  /** @throws Refusal */
  collection(database: string, name: string): FakeCollection;
  collectionById(id: string): FakeCollection | undefined;
  addSegment(collection: FakeCollection, segment: Partial<FakeSegment> & Pick<FakeSegment, "id">): unknown;
}

/** `dataCoord.import.maxImportFileNumPerReq` */
const mostFiles = 1024;

/** The import jobs of a server, as data coord runs and forgets them. */
export class ImportJobs {
  readonly all: FakeImportJob[] = [];
  /** Segments that lie below a directory, for servers without a store. */
  segmentsOf: (directory: string) => readonly string[] = () => [];
  /** `dataCoord.import.maxImportJobNum`: so many at once. */
  mostJobs = 1024;
  /** Names of collections that count as loaded whatever the model says. */
  readonly loaded = new Set<string>();
  readonly #model: ImportTarget;
  readonly #directories = new Map<string, readonly SegmentDirectory[]>();
  readonly #forgotten = new Set<string>();
  readonly #expired = new Set<string>();
  readonly #failing: string[] = [];

  constructor(model: ImportTarget) {
    this.#model = model;
  }

  /** @throws Refusal as the proxy and data coord refuse a job */
  async create(asked: ImportAsked): Promise<FakeImportJob> {
    const collection = this.#model.alive
      ? this.#model.collection(asked.database, asked.collection)
      : this.#model.databases.get(asked.database)?.collections.get(asked.collection);
    const levelZero = asked.options.l0_import === "true";
    this.#refuse(asked, collection, levelZero);
    const directories = levelZero ? asked.files.map((paths) => ({ paths })) : await this.#segments(asked.files);
    if (!levelZero && directories.length > mostFiles) {
      const got = directories.length;
      throw new Refusal(
        "importFailed",
        `: The max number of import files should not exceed ${mostFiles}, but got ${got}`,
      );
    }
    const running = this.all.filter((job) => job.state === "Pending" || job.state === "Importing");
    if (running.length >= this.mostJobs) {
      const reason = `The number of jobs has reached the limit, please try again later. If your request is set to only import a single file, please consider importing multiple files in one request for better efficiency.`;
      throw new Refusal("importFailed", `: ${reason}`);
    }
    const job: FakeImportJob = {
      jobId: this.#model.newId(),
      request: asked,
      collectionId: collection?.id ?? "0",
      fileNames: directories.map(({ paths }) => `[${paths.join(" ")}]`),
      state: "Pending",
      reason: "",
      rows: 0,
      looking: this.#model.alive,
    };
    this.#directories.set(job.jobId, directories);
    this.all.push(job);
    return job;
  }

  /** As a question about it finds it. @throws Refusal where there is none, or none any more */
  async look(jobId: string): Promise<FakeImportJob> {
    const job = this.all.find((candidate) => candidate.jobId === jobId);
    if (!job || this.#forgotten.has(jobId)) {
      throw new Refusal("importFailed", `: import job does not exist, jobID=${jobId}`);
    }
    if (this.#model.alive) await this.#goOn(job);
    return job;
  }

  /** Those that are not forgotten, of one collection or of all. */
  list(collection?: FakeCollection): FakeImportJob[] {
    return this.all.filter(({ jobId, collectionId }) => {
      return !this.#expired.has(jobId) && (!collection || collectionId === collection.id);
    });
  }

  /** It is listed, and gone by the time it is described. */
  forgetWhenDescribed(jobId: string): void {
    this.#forgotten.add(jobId);
  }

  /** Its retention is over (`dataCoord.import.taskRetention`): neither listed nor described. */
  expire(jobId: string): void {
    this.#forgotten.add(jobId);
    this.#expired.add(jobId);
  }

  /** The next job that would be completed fails. */
  failNext(reason: string): void {
    this.#failing.push(reason);
  }

  #refuse(asked: ImportAsked, collection: FakeCollection | undefined, levelZero: boolean): void {
    if (asked.files.flat().length === 0) throw new Refusal("parameterInvalid", ": import request is empty");
    if (!levelZero) return;
    const loaded = (collection?.loaded.size ?? 0) > 0 || this.loaded.has(asked.collection);
    if (loaded) {
      throw new Refusal("importFailed", ": for l0 import, collection cannot be loaded, please release it first");
    }
    if (asked.files.length > 1 && !this.#model.isAtLeast("2.6.5")) {
      throw new Refusal("importFailed", `: too many files: L0 import takes one, got ${asked.files.length}`);
    }
  }

  async #segments(files: ImportAsked["files"]): Promise<SegmentDirectory[]> {
    const { store } = this.#model;
    const found: SegmentDirectory[] = [];
    for (const paths of files) {
      const [insert = "", delta] = paths;
      if (paths.length > 2) {
        throw new Refusal("importFailed", `: too many input paths for binlog import, got paths:[${paths.join(" ")}]`);
      }
      // Milvus lists what begins with nothing, which is everything
      if (paths.includes("")) throw new Refusal("importFailed", ": an empty path is everything in the bucket");
      if (store) found.push(...(await segmentsBelow(store, paths)));
      else {
        for (const segment of this.segmentsOf(insert)) {
          found.push({ paths: [`${insert}${segment}/`, ...(delta ? [`${delta}${segment}/`] : [])] });
        }
      }
    }
    return found;
  }

  async #goOn(job: FakeImportJob): Promise<void> {
    if (job.state === "Pending") job.state = "Importing";
    else if (job.state === "Importing" && job.looking) job.looking = false;
    else if (job.state === "Importing") await this.#complete(job);
  }

  async #complete(job: FakeImportJob): Promise<void> {
    const reason = this.#failing.shift() ?? (await this.#bring(job));
    job.state = reason === undefined ? "Completed" : "Failed";
    job.reason = reason ?? "";
  }

  /** Brings what a job imports into its collection; answers why it cannot. */
  async #bring(job: FakeImportJob): Promise<string | undefined> {
    const model = this.#model;
    const { store } = model;
    const collection = model.collectionById(job.collectionId);
    if (!collection) return `collection ${job.collectionId} dropped`;
    if (!store) return undefined;
    const levelZero = job.request.options.l0_import === "true";
    const name = job.request.partition || (levelZero ? "" : "_default");
    const partition = name === "" ? "-1" : collection.partitions.find((one) => one.name === name)?.id;
    if (partition === undefined) return `partition not found[partition=${name}]`;
    let rows = 0n;
    for (const directory of this.#directories.get(job.jobId) ?? []) {
      const segment = model.newId();
      const to = { collection: collection.id, partition, segment, newId: () => model.newId() };
      const stored = await takeSegment(store, directory, to);
      rows += stored.rows;
      model.addSegment(collection, {
        id: segment,
        partitionId: partition,
        level: levelZero ? "L0" : "L1",
        storageVersion: job.request.options.storage_version ?? "0",
        isSorted: true,
        ...stored,
      });
    }
    job.rows = Number(rows);
    return undefined;
  }
}
