import { type BinlogStore, type SegmentDirectory, segmentsBelow, takeSegment } from "./binlog-store.ts";
import type { FakeCollection, FakeDatabase, FakeSegment } from "./records.ts";
import { notFound, Refusal } from "./refusal.ts";

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

/** Of a hybrid timestamp, below its milliseconds. */
const logicalBits = 18n;
/** `tsoutil.IsValidPhysicalTs`: 2019. */
const earliestMilliseconds = 1_546_300_800_000n;

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
  /** Since they were described last. */
  readonly #listed = new Set<string>();
  /** By job: what it is doing just now. */
  readonly #steps = new Map<string, Promise<void>>();

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
    if (!levelZero) this.#refuseMany(directories.length);
    if (directories.length === 0 && this.#model.alive) {
      throw importFailed(`no binlog to import, input=${printed(asked.files)}`);
    }
    const running = this.all.filter((job) => job.state === "Pending" || job.state === "Importing");
    if (running.length >= this.mostJobs) {
      throw importFailed(
        "The number of jobs has reached the limit, please try again later. If your request is set to only import a single file, " +
          "please consider importing multiple files in one request for better efficiency.",
      );
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

  /** As a question about it finds it: time passes from one to the next, and from one list to the next. @throws Refusal where there is none, or none any more */
  async look(jobId: string): Promise<FakeImportJob> {
    const job = this.all.find((candidate) => candidate.jobId === jobId);
    if (!job || this.#forgotten.has(jobId)) {
      throw new Refusal("importFailed", `: import job does not exist, jobID=${jobId}`);
    }
    // what was listed a moment ago is described as it was
    if (!this.#listed.delete(jobId)) await this.#step(job);
    return job;
  }

  /** As a list finds them. */
  async lookAll(which: (job: FakeImportJob) => boolean): Promise<FakeImportJob[]> {
    const jobs = this.list().filter(which);
    for (const job of jobs) {
      await this.#step(job);
      this.#listed.add(job.jobId);
    }
    return jobs;
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
    this.#refuseMany(asked.files.length);
    const { partition } = asked;
    if (this.#model.alive && collection) {
      if (partition === "" && !levelZero) throw new Refusal("parameterInvalid", ": partition not specified");
      if (partition !== "" && !collection.partitions.some(({ name }) => name === partition)) {
        throw notFound("partitionNotFound", { partition });
      }
    }
    const loaded = (collection?.loaded.size ?? 0) > 0 || this.loaded.has(asked.collection);
    if (levelZero && loaded) {
      throw importFailed("for l0 import, collection cannot be loaded, please release it first");
    }
  }

  #refuseMany(count: number): void {
    if (count > mostFiles) {
      throw importFailed(`The max number of import files should not exceed ${mostFiles}, but got ${count}`);
    }
  }

  async #segments(files: ImportAsked["files"]): Promise<SegmentDirectory[]> {
    const { store } = this.#model;
    const found: SegmentDirectory[] = [];
    for (const paths of files) {
      const [insert = "", delta] = paths;
      if (paths.length > 2) {
        throw importFailed(
          "too many input paths for binlog import. Valid paths length should be one or two, " +
            `but got paths:${printed([paths])}`,
        );
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

  /** Two that ask at once see the same step, which is done once. */
  async #step(job: FakeImportJob): Promise<void> {
    if (!this.#model.alive) return;
    const step = this.#steps.get(job.jobId) ?? this.#goOn(job).finally(() => this.#steps.delete(job.jobId));
    this.#steps.set(job.jobId, step);
    await step;
  }

  async #goOn(job: FakeImportJob): Promise<void> {
    if (job.state === "Pending") job.state = "Importing";
    else if (job.state === "Importing" && job.looking) job.looking = false;
    else if (job.state === "Importing") await this.#complete(job);
  }

  async #complete(job: FakeImportJob): Promise<void> {
    const reason = this.#failing.shift() ?? this.#unreadable(job) ?? (await this.#bring(job));
    job.state = reason === undefined ? "Completed" : "Failed";
    job.reason = reason ?? "";
  }

  /** milvus#40333, #40334: 2.5.6, and 2.4.24 of the line before. Earlier ones take milliseconds, and shift whatever it is. */
  get #wantsHybridEnd(): boolean {
    return this.#model.isAtLeast("2.5.6") || (this.#model.isAtLeast("2.4.24") && !this.#model.isAtLeast("2.5.0"));
  }

  /** What is found out only when a data node begins to read. */
  #unreadable({ request: { options, files } }: FakeImportJob): string | undefined {
    const { l0_import: levelZero, end_ts: end } = options;
    if (levelZero === "true" && files.length > 1 && !this.#model.isAtLeast("2.6.5")) {
      return `there should be one prefix for l0 import, but got ${printed(files)}`;
    }
    if (end !== undefined && this.#wantsHybridEnd && BigInt(end) >> logicalBits < earliestMilliseconds) {
      return `end_ts is not a valid hybrid timestamp, value=${end}`;
    }
    return undefined;
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

function importFailed(why: string): Refusal {
  return new Refusal("importFailed", `: ${why}`);
}

/** As Go prints the files of a request. */
function printed(files: readonly (readonly string[])[]): string {
  return `[${files.map((paths) => `paths:[${paths.join(" ")}]`).join(" ")}]`;
}
