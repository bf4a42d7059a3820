import { importWays } from "../../src/adapters/milvus/imports.ts";
import { workLayout } from "../../src/core/execution/work-layout.ts";
import type { ImportFiles } from "../../src/core/milvus/descriptions.ts";
import type { PlannedImport, PlannedRestore, RestorePlan } from "../../src/core/plan/planned-restore.ts";
import {
  type CollectionRecord,
  directoriesOf,
  fingerprintOf,
  type ImportRecord,
  restoreWorkLayout,
} from "../../src/core/plan/restore-work.ts";
import type { ImportTask, ImportWay, Milvus } from "../../src/ports/milvus.ts";
import { importSegments } from "../../src/steps/restore/import-segments.ts";
import { pinEnvironments } from "../../src/steps/shared/pinned-environments.ts";
import { collectionDescription } from "./collection-description.ts";
import { PipelineWorld } from "./pipeline-world.ts";
import { executionOf } from "./run-machines.ts";

const execution = executionOf("restore-1");
export const layout = workLayout("restore", execution.name);
export const records = restoreWorkLayout("r1");
const working = { database: "default", collection: "coll_restoring_r1" };
export const request = { execution, input: { environment: "dr", backupName: "nightly" }, attempt: 0 };

/** A planned import with what it reads, which lies in a file of its own. */
export type ImportWithFiles = PlannedImport & { readonly files: readonly ImportFiles[] };

export function planned(task: number, rest: Partial<ImportWithFiles> = {}): ImportWithFiles {
  const whole = {
    task,
    phase: 0,
    partition: "_default",
    kind: "segments",
    storageVersion: "0",
    files: [{ insert: `stage/t${task}/insert_log/1/2/`, delta: "" }],
    rows: "10",
    minimumRows: "10",
    hasDeletes: false,
    bytes: 1,
    ...rest,
  } as const;
  return { ...whole, fingerprint: fingerprintOf(whole), directories: directoriesOf(whole.files) };
}

export function task(of: ImportWithFiles, rest: Partial<ImportTask> = {}): ImportTask {
  const { partition, files } = of;
  return {
    id: `job${of.task}`,
    state: "completed",
    progress: 100,
    rows: 10n,
    failedReason: "",
    partition,
    files,
    ...rest,
  };
}

export function record(of: ImportWithFiles, rest: Partial<ImportRecord> = {}): ImportRecord {
  return {
    collectionId: "5",
    task: of.task,
    planned: of.fingerprint,
    id: `job${of.task}`,
    state: "submitted",
    rows: "0",
    ...rest,
  };
}

/** What makes the collection, where the restore makes it. */
export const created = {
  create: {
    name: working,
    schema: collectionDescription(working.collection).schema,
    shards: 1,
    consistencyLevel: 2,
    properties: [],
    addedFields: [],
  },
} satisfies Pick<PlannedRestore, "create">;

/** A restore at its imports, before a Milvus of which a test says what it lists, counts and answers. */
export class ImportWorld extends PipelineWorld {
  /** What Milvus lists, and what was submitted to it. */
  listed: ImportTask[] = [];
  readonly submitted: number[] = [];
  /** How often Milvus was asked for lists, and what of them nobody needed. */
  lists = 0;
  readonly settledOnes: ReadonlySet<string>[] = [];
  /** Rows that Milvus counts in the collection. */
  counted = 0n;
  /** How imports are asked for. */
  way: ImportWay = importWays.tasks;

  constructor() {
    super({ dr: { milvusAt: "b/files", backupAt: "b/backup", settings: { parallelism: { importJob: 2 } } } });
    this.milvus("dr").addCollection(collectionDescription(working.collection, { id: "5" }));
  }

  static async begin(): Promise<ImportWorld> {
    const world = new ImportWorld();
    await pinEnvironments(world.context(), layout, ["dr"]);
    return world;
  }

  /** Writes down the plan of a restore whose Recreate Collections is over, and what earlier runs recorded of its imports. */
  seed(
    withFiles: readonly ImportWithFiles[],
    earlier: readonly ImportRecord[] = [],
    made: Partial<CollectionRecord> = {},
    cut: Pick<PlannedRestore, "instant" | "create"> = {},
  ): void {
    for (const { task, files } of withFiles) this.work.seed(layout.importFiles(task), JSON.stringify(files));
    const imports: PlannedImport[] = withFiles.map(({ files, ...rest }) => rest);
    const restore = {
      source: { database: "default", collection: "coll" },
      target: { database: "default", collection: "coll" },
      working,
      partitions: [],
      indexes: [],
      aliases: [],
      load: "none",
      imports,
      ...cut,
    } as const satisfies PlannedRestore;
    const plan: RestorePlan = {
      restoreId: "r1",
      backupName: "nightly",
      backupId: "b1",
      dropReplaced: false,
      databases: [],
      collections: [restore],
      stagingPrefix: "milvus-backup-staging/r1/",
      verification: { compares: "contents", reads: false },
      warnings: [],
      totals: { collections: 1, segments: 0, bytes: 0, rows: "0", imports: imports.length },
    };
    const collection = {
      target: "default.coll",
      working: "default.coll_restoring_r1",
      id: "5",
      rowsBefore: "0",
      importsBefore: [],
      ...made,
    };
    this.work.seed(layout.plan, JSON.stringify(plan));
    this.work.seed(records.collections, JSON.stringify([collection]));
    if (earlier.length > 0) this.work.seed(records.imports, JSON.stringify(earlier));
  }

  /** One turn of the step; every submitted import is listed as `state` from the next look on. */
  run(state: ImportTask["state"] = "completed", attempt = 0, submitting = async () => {}) {
    const milvus: Pick<Milvus, "address" | "importWay" | "listImports" | "submitImport" | "rowCount"> = {
      address: this.milvus("dr").address,
      importWay: async () => this.way,
      listImports: async (_, { settled } = {}) => {
        this.lists += 1;
        if (settled) this.settledOnes.push(settled);
        return this.listed.filter(({ id }) => !settled?.has(id));
      },
      rowCount: async () => this.counted,
      submitImport: async ({ partition, files }) => {
        await submitting();
        const number = Number(/\/t(\d+)\//.exec(files[0]?.insert || files[0]?.delta || "")?.[1]);
        this.submitted.push(number);
        this.listed.push(task(planned(number, { partition, files }), { id: `new${number}`, state }));
        return `new${number}`;
      },
    };
    return importSegments({ ...request, attempt }, this.contextWith(milvus));
  }

  /** What a step gets whose Milvus answers these calls as a test says, and the others as the one in memory. */
  contextWith(calls: Partial<Milvus>) {
    const memory = this.milvus("dr");
    const connectMilvus = async () =>
      new Proxy(memory, { get: (target, key) => (key in calls ? Reflect.get(calls, key) : bound(target, key)) });
    return { ...this.context(), connectMilvus };
  }

  recorded(): ImportRecord[] {
    return JSON.parse(this.work.read(records.imports) ?? "[]");
  }
}

/** A member of the Milvus in memory, as its own. */
function bound(target: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key, target);
  return typeof value === "function" ? value.bind(target) : value;
}
