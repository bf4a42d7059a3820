import { beforeEach, describe, expect, test } from "vitest";
import { importWays } from "../../../../src/adapters/milvus/imports.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import type { ImportFiles } from "../../../../src/core/milvus/descriptions.ts";
import type { PlannedImport, PlannedRestore, RestorePlan } from "../../../../src/core/plan/planned-restore.ts";
import {
  type CollectionRecord,
  directoriesOf,
  fingerprintOf,
  type ImportRecord,
  restoreWorkLayout,
} from "../../../../src/core/plan/restore-work.ts";
import type { ImportRequest, ImportTask, ImportWay, Milvus } from "../../../../src/ports/milvus.ts";
import { importSegments } from "../../../../src/steps/restore/import-segments.ts";
import { pinEnvironments } from "../../../../src/steps/shared/pinned-environments.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf } from "../../../support/run-machines.ts";

const execution = executionOf("restore-1");
const layout = workLayout("restore", execution.name);
const records = restoreWorkLayout("r1");
const working = { database: "default", collection: "coll_restoring_r1" };
const request = { execution, input: { environment: "dr", backupName: "nightly" }, attempt: 0 };

let world: PipelineWorld;
/** What Milvus lists, and what was submitted to it. */
let listed: ImportTask[];
let submitted: number[];
/** How often Milvus was asked for lists, and what of them nobody needed. */
let lists: number;
let settledOnes: ReadonlySet<string>[];
/** Rows that Milvus counts in the collection. */
let counted: bigint;
/** How imports are asked for. */
let way: ImportWay;

beforeEach(async () => {
  world = new PipelineWorld({
    dr: { milvusAt: "b/files", backupAt: "b/backup", settings: { parallelism: { importJob: 2 } } },
  });
  world.milvus("dr").addCollection(collectionDescription(working.collection, { id: "5" }));
  await pinEnvironments(world.context(), layout, ["dr"]);
  listed = [];
  submitted = [];
  counted = 0n;
  way = importWays.tasks;
  lists = 0;
  settledOnes = [];
});

/** A planned import with what it reads, which lies in a file of its own. */
type ImportWithFiles = PlannedImport & { readonly files: readonly ImportFiles[] };

function planned(task: number, rest: Partial<ImportWithFiles> = {}): ImportWithFiles {
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

function task(of: ImportWithFiles, rest: Partial<ImportTask> = {}): ImportTask {
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

function record(of: ImportWithFiles, rest: Partial<ImportRecord> = {}): ImportRecord {
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

function seed(
  withFiles: readonly ImportWithFiles[],
  earlier: readonly ImportRecord[] = [],
  made: Partial<CollectionRecord> = {},
  cut: Pick<PlannedRestore, "instant" | "create"> = {},
): void {
  for (const { task, files } of withFiles) world.work.seed(layout.importFiles(task), JSON.stringify(files));
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
  world.work.seed(layout.plan, JSON.stringify(plan));
  world.work.seed(records.collections, JSON.stringify([collection]));
  if (earlier.length > 0) world.work.seed(records.imports, JSON.stringify(earlier));
}

/** One turn of the step; every submitted import is listed as `state` from the next look on. */
function run(state: ImportTask["state"] = "completed", attempt = 0, submitting = async () => {}) {
  const memory = world.milvus("dr");
  const milvus: Pick<Milvus, "address" | "importWay" | "listImports" | "submitImport" | "rowCount"> = {
    address: memory.address,
    importWay: async () => way,
    listImports: async (_, { settled } = {}) => {
      lists += 1;
      if (settled) settledOnes.push(settled);
      return listed.filter(({ id }) => !settled?.has(id));
    },
    rowCount: async () => counted,
    submitImport: async ({ partition, files }) => {
      await submitting();
      const number = Number(/\/t(\d+)\//.exec(files[0]?.insert || files[0]?.delta || "")?.[1]);
      submitted.push(number);
      listed.push(task(planned(number, { partition, files }), { id: `new${number}`, state }));
      return `new${number}`;
    },
  };
  const context = world.context();
  const connectMilvus = async () =>
    new Proxy(memory, { get: (target, key) => (key in milvus ? Reflect.get(milvus, key) : bound(target, key)) });
  return importSegments({ ...request, attempt }, { ...context, connectMilvus });
}

function recorded(): ImportRecord[] {
  return JSON.parse(world.work.read(records.imports) ?? "[]");
}

describe("an import of a backup that was cut", () => {
  const instant = { timestamp: "470616978630901767", time: "2026-11-21T11:41:41.540Z" };
  const refusal = "end_ts is not a valid hybrid timestamp, value=1795261301540";

  /** A Milvus that takes hybrid timestamps only, and says so when it is asked, or when the job runs. */
  function strictly(refuses: "at once" | "later") {
    const ends: ImportRequest["end"][] = [];
    const memory = world.milvus("dr");
    const milvus: Pick<Milvus, "listImports" | "submitImport"> = {
      listImports: async () => [...listed],
      submitImport: async (of) => {
        ends.push(of.end);
        const bad = of.end?.unit !== "hybrid";
        if (bad && refuses === "at once") throw new PipelineError("MilvusFailed", `Milvus refused: ${refusal}`);
        const id = `job${ends.length}`;
        const files = { partition: of.partition, files: of.files };
        listed.push(
          task(planned(0, files), bad ? { id, state: "failed", failedReason: refusal } : { id, state: "completed" }),
        );
        return id;
      },
    };
    const connectMilvus = async () =>
      new Proxy(memory, { get: (target, key) => (key in milvus ? Reflect.get(milvus, key) : bound(target, key)) });
    return { ends, run: () => importSegments(request, { ...world.context(), connectMilvus }) };
  }

  test.each(["at once", "later"] as const)(
    "says it in milliseconds first, and as a hybrid timestamp to a server that refuses these %s",
    async (refuses) => {
      seed([planned(0)], [], {}, { instant });
      const { ends, run: once } = strictly(refuses);

      await expect(once()).resolves.toMatchObject({ outcome: "imported", completed: 1 });

      expect(ends).toEqual([{ timestamp: instant.timestamp }, { timestamp: instant.timestamp, unit: "hybrid" }]);
    },
  );

  test("says it again of all that ran before the first of them was looked at", async () => {
    seed([planned(0), planned(1)], [], {}, { instant });
    const { ends, run: once } = strictly("later");

    await expect(once()).resolves.toMatchObject({ outcome: "imported", completed: 2 });

    expect(ends.map((end) => end?.unit)).toEqual([undefined, undefined, "hybrid", "hybrid"]);
  });

  test("is not taken for one that was not", async () => {
    const one = planned(0);
    const cut = { ...one, fingerprint: fingerprintOf({ ...one, instant }) };
    seed([cut], [record(one)], {}, { instant });

    await expect(run()).rejects.toMatchObject({ name: "InvalidInput" });
  });
});

describe("an import is submitted once", () => {
  test("and not at all where it is recorded as complete: nobody is asked", async () => {
    const one = planned(0);
    seed([one], [record(one, { state: "completed", rows: "10" })]);

    await expect(run()).resolves.toMatchObject({ outcome: "imported", imports: 1, completed: 1, progress: 100 });
    expect(submitted).toEqual([]);
  });

  test("where a run submitted it and could not record it: it is adopted by its files", async () => {
    const one = planned(0);
    seed([one]);
    listed = [task(one)];

    await run();

    expect(submitted).toEqual([]);
    expect(recorded()).toMatchObject([{ task: 0, id: "job0", state: "completed", rows: "10" }]);
  });

  test("also where Milvus tells neither partition nor which delta directory belongs to which (2.4+)", async () => {
    const files = [
      { insert: "stage/t0/insert_log/1/2/3/", delta: "stage/t0/delta_log/1/2/3/" },
      { insert: "stage/t0/insert_log/1/2/4/", delta: "" },
    ];
    const one = planned(0, { files });
    seed([one]);
    listed = [
      task(one, {
        partition: "",
        files: [
          { insert: "stage/t0/insert_log/1/2/4", delta: "" },
          { insert: "stage/t0/insert_log/1/2/3", delta: "" },
        ],
      }),
    ];

    await run();

    expect(submitted).toEqual([]);
  });

  test("and waits while Milvus has not told the files of a job that it may be", async () => {
    const one = planned(0);
    seed([one]);
    listed = [task(one, { state: "pending", files: [], partition: "" })];

    await expect(run("completed", 5)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });
    expect(submitted).toEqual([]);
  });

  test.each<[string, Partial<ImportTask>]>([
    ["of another partition", { partition: "other" }],
    ["of other files", { files: [{ insert: "stage/t9/", delta: "" }] }],
    ["that failed", { state: "failed" }],
  ])("where Milvus lists one %s: that is not it", async (_, rest) => {
    const one = planned(0);
    seed([one]);
    listed = [task(one, { id: "other", ...rest })];

    await run();

    expect(submitted).toEqual([0]);
  });

  test("of two functions that take each other for dead neither overwrites what the other recorded", async () => {
    seed([planned(0), planned(1)]);
    way = importWays.jobsOverGrpc;
    const put = world.work.putText.bind(world.work);
    let isAlone = true;
    world.work.putText = async (...args) => {
      const written = await put(...args);
      if (args[0] === records.imports && isAlone) {
        isAlone = false;
        // all of it between a write and the look at what was written
        await run("importing", 9);
      }
      return written;
    };

    // it has read what the other one wrote, and waits for what may still appear
    await expect(run("importing", 9)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });

    expect(submitted).toEqual([1]);
    expect(recorded()).toMatchObject([
      { task: 0, state: "submitting" },
      { task: 1, id: "new1", state: "submitted" },
    ]);
  });

  test("whatever looked the same before the restore began (skipCreate) was another restore's", async () => {
    const one = planned(0);
    seed([one], [], { importsBefore: ["job0"] });
    listed = [task(one)];

    await run();

    expect(submitted).toEqual([0]);
  });

  test("whoever looked the same before it began is not taken for it where REST told no IDs then, and tells files now (skipCreate)", async () => {
    const [one, two] = [planned(0), planned(1)];
    const askedAt = world.memory.clock.now().toISOString();
    seed([one, two], [record(two, { id: "", state: "submitting", askedAt })], {
      importsUntold: true,
      rowsBefore: "20",
    });
    way = importWays.jobs;
    // both of an earlier restore of the same backup
    listed = [task(one, { id: "older0", partition: "" }), task(two, { id: "older1", partition: "" })];
    counted = 20n;
    await run();
    expect(submitted).toEqual([0]);

    await world.memory.clock.sleep(7 * 60_000);
    counted = 40n;
    await expect(run()).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    // the one without an answer was made: its rows are there
    expect(submitted).toEqual([0]);
  });

  test("per collection: what went into one that was dropped since is submitted again", async () => {
    const one = planned(0);
    seed([one], [record(one, { collectionId: "4", state: "completed", rows: "10" })]);

    await run();

    expect(submitted).toEqual([0]);
    expect(recorded().map(({ collectionId, id }) => [collectionId, id])).toEqual([
      ["4", "job0"],
      ["5", "new0"],
    ]);
  });
});

/** What `Milvus.submitImport` throws where nobody knows whether the import was made. */
function noAnswer(): PipelineError {
  return new PipelineError("MilvusBusy", "no answer within 300 s", { details: { mayHaveBegun: true } });
}

describe("an import that Milvus did not answer", () => {
  const minutes = 60_000;
  test("is looked for, whatever else is asked for meanwhile, and adopted when it appears minutes later", async () => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two]);
    way = importWays.jobs;
    const silent = async () => {
      throw noAnswer();
    };

    await expect(run("completed", 9, silent)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });
    // it is not known, so the next is not asked for yet
    expect(recorded()).toMatchObject([{ task: 0, state: "submitting", asked: 1 }]);
    await world.context().clock.sleep(4 * minutes);
    await run("importing", 9);
    expect(submitted).toEqual([1]);
    listed.push(task(one, { id: "late", partition: "" }));
    await run("importing", 9);

    expect(submitted).toEqual([1]);
    expect(recorded()).toMatchObject([
      { task: 0, id: "late", state: "completed" },
      { task: 1, id: "new1" },
    ]);
  });

  test("is asked for again once it would have appeared, counted from when it was given up", async () => {
    const one = planned(0);
    seed([one]);
    way = importWays.jobs;
    await run("completed", 9, async () => {
      await world.context().clock.sleep(5 * minutes);
      throw noAnswer();
    });

    await world.context().clock.sleep(5 * minutes);
    await run("completed", 9);
    expect(submitted).toEqual([]);
    await world.context().clock.sleep(2 * minutes);
    await run("completed", 9);

    expect(submitted).toEqual([0]);
  });

  test("is given up after four times, with the last reason, and asked for anew by the next restore", async () => {
    const one = planned(0);
    seed([one]);
    way = importWays.jobs;
    const silent = async () => {
      throw noAnswer();
    };
    for (let time = 1; time <= 4; time += 1) {
      await run("completed", 9, silent);
      await world.context().clock.sleep(7 * minutes);
    }

    await expect(run("completed", 9, silent)).rejects.toMatchObject({
      name: "ImportFailed",
      message: expect.stringMatching(/asked 4 times to import into default\.coll .*object store/),
    });
    await world.context().clock.sleep(7 * minutes);
    await run();
    expect(submitted).toEqual([0]);
  });

  test("and one that it refused is asked for again at once", async () => {
    const one = planned(0);
    seed([one]);
    way = importWays.jobs;
    const busy = async () => {
      const details = { mayHaveBegun: false };
      throw new PipelineError("MilvusBusy", "The number of jobs has reached the limit", { details });
    };

    await expect(run("completed", 9, busy)).resolves.toMatchObject({ outcome: "imports-pending" });
    expect(recorded()).toEqual([]);
    await run("completed", 9);

    expect(submitted).toEqual([0]);
  });

  test("where lists do not say what is what (gRPC), is waited for as long as something runs, then found by its rows", async () => {
    const one = planned(0);
    seed([one], [record(one, { id: "", state: "submitting", askedAt: world.context().clock.now().toISOString() })]);
    way = importWays.jobsOverGrpc;
    await world.context().clock.sleep(7 * minutes);
    listed = [task(one, { id: "unlisted-0", state: "importing", partition: "", files: [] })];
    await expect(run("completed", 9)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });

    listed = [];
    counted = 10n;
    await expect(run("completed", 9)).resolves.toMatchObject({ outcome: "imported", completed: 1 });

    expect(submitted).toEqual([]);
    expect(recorded()).toMatchObject([{ task: 0, state: "completed", rows: "10" }]);
  });

  test("where lists do not say what is what, is asked for again where no row of it is there", async () => {
    const one = planned(0);
    seed([one], [record(one, { id: "", state: "submitting", askedAt: world.context().clock.now().toISOString() })]);
    way = importWays.jobsOverGrpc;
    await world.context().clock.sleep(7 * minutes);

    await run("completed", 9);

    expect(submitted).toEqual([0]);
  });

  test("where lists do not say what is what, others that run are in nobody's way who was not asked for before", async () => {
    const one = planned(0);
    seed([one]);
    way = importWays.jobsOverGrpc;
    listed = [task(one, { id: "unlisted-0", state: "importing", partition: "", files: [] })];

    await run("completed", 9);

    expect(submitted).toEqual([0]);
  });

  test("one that a server says is complete without saying what it brought is judged by the row count", async () => {
    const one = planned(0);
    seed([one], [record(one)]);
    way = importWays.jobsOverGrpc;
    listed = [task(one, { rows: 0n, partition: "", files: [] })];
    await expect(run("completed", 9)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });
    counted = 10n;

    await expect(run("completed", 9)).resolves.toMatchObject({ outcome: "imported", completed: 1 });
    expect(recorded()).toMatchObject([{ rows: "10" }]);
  });
});

describe("an import that a server says is complete without saying what it brought, and whose deletes may take every row", () => {
  const minutes = (count: number) => world.memory.clock.sleep(count * 60_000);
  const { schema } = collectionDescription(working.collection);
  const create = { name: working, schema, shards: 1, consistencyLevel: 2, properties: [], addedFields: [] };
  const one = planned(0, { minimumRows: "0", hasDeletes: true });
  const untold = task(one, { rows: 0n, partition: "", files: [] });

  test.each<[bigint, Pick<PlannedRestore, "create">]>([
    [10n, { create }],
    [4n, { create }],
    [0n, { create }],
    // into a collection that was there (skipCreate)
    [4n, {}],
  ])("has brought what the count tells: %i", async (rows, cut) => {
    seed([one], [record(one)], {}, cut);
    way = importWays.jobsOverGrpc;
    listed = [untold];
    counted = rows;
    await run("completed", 9);
    await minutes(9);

    await expect(run("completed", 9)).resolves.toMatchObject({ outcome: "imported", completed: 1 });
    expect(recorded()).toMatchObject([{ state: "completed", rows: String(rows) }]);
  });

  test("its rows are not taken for those of one that Milvus forgot", async () => {
    const two = planned(1);
    seed([one, two], [record(one), record(two)], {}, { create });
    way = importWays.jobsOverGrpc;
    // the other one failed, and was forgotten
    listed = [untold];
    counted = 10n;
    await run("completed", 9);
    await minutes(9);

    await expect(run("completed", 9)).rejects.toMatchObject({ name: "ImportFailed" });
  });
});

describe("an import that cannot go on", () => {
  test("fails with Milvus's reason, and is submitted anew by the next run", async () => {
    const [one, two] = [planned(0), planned(1, { partition: "novels" })];
    seed([one, two], [record(one), record(two)]);
    listed = [task(one), task(two, { state: "failed", failedReason: "disk quota exceeded" })];

    await expect(run()).rejects.toMatchObject({
      name: "ImportFailed",
      message: "Milvus could not import into default.coll (partition novels): disk quota exceeded",
    });
    expect(recorded()).toMatchObject([{ task: 0, state: "completed" }]);

    await expect(run()).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(submitted).toEqual([1]);
  });

  test("is told again to a machine that asks again, and nothing is submitted", async () => {
    const one = planned(0);
    seed([one], [record(one)]);
    listed = [task(one, { state: "failed", failedReason: "disk quota exceeded" })];
    await expect(run("completed", 1_200)).rejects.toMatchObject({ name: "ImportFailed" });

    await expect(run("completed", 1_201)).rejects.toMatchObject({
      name: "ImportFailed",
      message: "Milvus could not import into default.coll (partition _default): disk quota exceeded",
    });
    expect(submitted).toEqual([]);
  });

  test("was planned otherwise by an earlier run: nothing is mixed", async () => {
    const one = planned(0);
    seed([one], [record(one, { planned: "another", state: "completed" })]);

    await expect(run()).rejects.toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("restore --discard"),
    });
    expect(submitted).toEqual([]);
  });
});

describe("an import that Milvus has forgotten", () => {
  const { schema } = collectionDescription(working.collection);
  const create = { name: working, schema, shards: 1, consistencyLevel: 2, properties: [], addedFields: [] };
  const created = { create } satisfies Pick<PlannedRestore, "create">;
  const ttl = [{ key: "collection.ttl.seconds", value: "604800" }];
  const minutes = (count: number) => world.memory.clock.sleep(count * 60_000);
  /** As it stands when the answer to its submission is lost. */
  const unanswered = (of: ImportWithFiles) =>
    record(of, { id: "", state: "submitting", askedAt: world.memory.clock.now().toISOString() });

  test("is complete where all its rows are there", async () => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two], [record(one, { state: "completed", rows: "10" }), record(two)], { rowsBefore: "5" });
    counted = 25n;

    await expect(run()).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(submitted).toEqual([]);
    expect(recorded()).toMatchObject([{ task: 0 }, { task: 1, id: "job1", state: "completed", rows: "10" }]);
  });

  test("is asked for again over minutes, and complete where Milvus lists it again", async () => {
    const one = planned(0);
    seed([one], [record(one)]);
    await expect(run("completed", 5)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });
    await minutes(1);
    await expect(run("completed", 6)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });

    listed = [task(one)];
    await expect(run("completed", 7)).resolves.toMatchObject({ outcome: "imported", completed: 1 });
    expect(recorded()[0]).not.toHaveProperty("missedSince");
    expect(submitted).toEqual([]);
  });

  test("that brought nothing fails after minutes, and the same restore started again submits it", async () => {
    const one = planned(0, { partition: "novels" });
    seed([one], [record(one)]);
    await run("completed", 5);
    await minutes(3);

    await expect(run("completed", 6)).rejects.toMatchObject({
      name: "ImportFailed",
      message:
        "Milvus at dr.test:19530 no longer knows import 0 into partition novels (10 rows) of default.coll_restoring_r1, and its row count does " +
        "not tell that all arrived: it counts 0 rows that this restore brought, 0 of them from imports that are complete. Start the same " +
        "restore again, which imports them anew",
    });
    expect(recorded()).toEqual([]);

    await expect(run()).resolves.toMatchObject({ outcome: "imported" });
    expect(submitted).toEqual([0]);
  });

  test("of which only some rows are there is told exactly, and counted again by the next restore", async () => {
    const one = planned(0);
    seed([one], [record(one)]);
    counted = 4n;
    await run("completed", 5);
    await minutes(3);

    await expect(run("completed", 6)).rejects.toMatchObject({
      name: "ImportFailed",
      message: expect.stringContaining("it counts 4 rows that this restore brought, 0 of them"),
    });
    counted = 10n;
    await expect(run()).resolves.toMatchObject({ outcome: "imported" });
    expect(submitted).toEqual([]);
  });

  test("and that nobody could record, as the run that submitted it was killed, is complete where its rows are there", async () => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two], [record(one, { state: "completed", rows: "10" }), unanswered(two)], {}, created);
    await minutes(300);
    counted = 20n;

    await expect(run()).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(submitted).toEqual([]);
  });

  test("and that nobody could record is not submitted over rows that are not its rows", async () => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two], [record(one, { state: "completed", rows: "10" }), unanswered(two)], {}, created);
    await minutes(300);
    counted = 17n;

    await expect(run()).rejects.toMatchObject({
      name: "ImportFailed",
      message: expect.stringContaining("Rows are there that no record tells of"),
    });
    expect(submitted).toEqual([]);
  });

  test.each([
    ["rows past their time to live were compacted away", { create: { ...create, properties: ttl } }],
    ["others deleted rows of a collection that was there", {}],
  ])("and that nobody could record is not submitted again where the count tells nothing: %s", async (_, cut) => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two], [record(one, { state: "completed", rows: "10" }), unanswered(two)], { rowsBefore: "100" }, cut);
    await minutes(300);
    // 10 of the one, less 8; and 5 that are left of the other, which was made
    counted = 107n;

    await expect(run()).rejects.toMatchObject({
      name: "ImportFailed",
      message: expect.stringContaining("it counts 7 rows that this restore brought, 10 of them"),
    });
    expect(submitted).toEqual([]);
  });

  test("and that nobody could record is waited for while the count lags behind what is complete", async () => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two], [record(one, { state: "completed", rows: "10" }), unanswered(two)], {}, created);
    way = importWays.jobsOverGrpc;
    await minutes(7);
    counted = 0n;
    await expect(run("completed", 9)).resolves.toMatchObject({ outcome: "imports-pending", completed: 1 });

    counted = 20n;
    await expect(run("completed", 9)).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(submitted).toEqual([]);
  });

  test("is not given up while its job may still appear: Milvus 2.6 makes it from its log, and may be away meanwhile", async () => {
    const one = planned(0);
    seed([one], [], {}, created);
    way = importWays.jobs;
    // answered, and not listed at the next look
    await run("pending", 9);
    listed = [];
    await run("pending", 9);
    await minutes(4);

    await expect(run("pending", 9)).resolves.toMatchObject({ outcome: "imports-pending" });
    listed = [task(one, { id: "new0", partition: "" })];
    await expect(run("pending", 9)).resolves.toMatchObject({ outcome: "imported", completed: 1 });
    expect(submitted).toEqual([0]);
  });

  test("rows that others wrote into a collection that was there (skipCreate) are not taken for those of a forgotten import", async () => {
    // It failed, and was forgotten. The collection has deletes, so any number of rows up to 10 may be right.
    const one = planned(0, { minimumRows: "0", hasDeletes: true });
    seed([one], [record(one)], { rowsBefore: "100" });
    // an application wrote three
    counted = 103n;
    await run("completed", 5).catch(() => undefined);
    await minutes(10);
    const result = await run("completed", 6).catch((error: unknown) => error);

    expect(result).toMatchObject({ name: "ImportFailed" });
  });

  test("an import that failed and was forgotten is not taken for the next one, of as many rows, whose answer was lost", async () => {
    // Milvus goes out of reach while `two` is submitted: it is not recorded. `one` fails meanwhile, `two` brings its 10 rows, both are forgotten.
    const [one, two] = [planned(0), planned(1)];
    seed([one, two], [record(one), unanswered(two)], {}, created);
    counted = 10n;
    await minutes(300);

    let result: unknown;
    for (let attempt = 5; attempt < 10; attempt += 1) {
      const before = submitted.length;
      result = await run("completed", attempt).catch((error: unknown) => error);
      counted += BigInt(10 * (submitted.length - before));
      if (result instanceof Error || (result as { outcome: string }).outcome === "imported") break;
      await minutes(3);
    }

    // What is there now: 10 rows of `two`, and 10 more of `two`; none of `one`. Its rows add up to 20 all the same.
    expect(result).not.toMatchObject({ outcome: "imported" });
  });

  test("an import that nobody could record and that is forgotten is not submitted again while another one still runs", async () => {
    const [one, two] = [planned(0), planned(1)];
    // `one` runs for many hours; `two` was submitted, not recorded, is complete and forgotten.
    seed([one, two], [record(one), unanswered(two)], {}, created);
    await minutes(300);
    listed = [task(one, { state: "importing" })];
    counted = 10n;
    await run("completed", 5);

    expect(submitted).toEqual([]);
  });

  test("is known by the rows that it reported before, also to a later turn", async () => {
    const [one, two] = [planned(0, { minimumRows: "0" }), planned(1, { minimumRows: "0" })];
    seed([one, two], [record(one), record(two)]);
    listed = [task(one, { state: "importing", rows: 7n }), task(two, { state: "importing", rows: 2n })];
    await run("importing", 5);

    listed = [];
    counted = 9n;
    await expect(run("importing", 6)).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(recorded()).toMatchObject([{ rows: "7" }, { rows: "2" }]);
  });

  test("waits for what runs beside it: the count moves", async () => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two], [record(one), record(two)]);
    listed = [task(two, { state: "importing" })];
    counted = 10n;
    await run("completed", 5);
    await minutes(10);

    await expect(run("completed", 6)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });

    listed = [task(two)];
    counted = 20n;
    await expect(run("completed", 7)).resolves.toMatchObject({ outcome: "imported", completed: 2 });
  });

  test("with deletes is submitted once more: no count tells of them, and twice deleted is deleted", async () => {
    const l0 = planned(0, {
      kind: "l0",
      phase: 2,
      partition: "",
      rows: "0",
      minimumRows: "0",
      files: [{ insert: "", delta: "stage/t0/delta_log/1/-1/" }],
    });
    seed([l0], [record(l0)]);
    await run("completed", 5);
    expect(submitted).toEqual([]);
    await minutes(3);

    await expect(run("completed", 6)).resolves.toMatchObject({ outcome: "imports-pending" });
    expect(submitted).toEqual([0]);
    expect(recorded()).toMatchObject([{ task: 0, id: "new0", state: "submitted", again: true }]);

    listed = [];
    await run("completed", 7);
    await minutes(3);
    await expect(run("completed", 8)).rejects.toMatchObject({ name: "ImportFailed" });
    expect(submitted).toEqual([0]);
  });
});

describe("a Milvus that does not answer", () => {
  const away = new PipelineError("MilvusUnreachable", "Milvus at dr.test:19530 cannot be reached: refused");
  /** A turn of the step that finds nobody at the door. */
  const knock = (attempt: number, fault: PipelineError = away) => {
    const connectMilvus = () => Promise.reject(fault);
    return importSegments({ ...request, attempt }, { ...world.context(), connectMilvus });
  };
  const progress = () => JSON.parse(world.work.read(layout.progress) ?? "null");

  test("is waited for, says since when, and the imports go on when it is back", async () => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two], [record(one), record(two)]);
    listed = [task(one), task(two, { state: "importing", progress: 50 })];
    await run("importing", 100);

    const awaySince = world.memory.clock.now().toISOString();
    for (let minute = 0; minute < 30; minute += 2) {
      const result = await knock(101 + minute);
      expect(result).toMatchObject({
        outcome: "imports-pending",
        imports: 2,
        completed: 1,
        waitSeconds: 120,
        awaySince,
      });
      await world.memory.clock.sleep(120_000);
    }
    expect(progress()).toMatchObject({ phase: "importing", completed: 1, progress: 75, awaySince });
    expect(world.memory.logged).toContainEqual(
      expect.objectContaining({ message: "waiting for Milvus", details: expect.objectContaining({ awaySince }) }),
    );

    listed = [task(one), task(two)];
    await expect(run("completed", 200)).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(progress()).not.toHaveProperty("awaySince");
  });

  test("is given up after hours, with the time it went away", async () => {
    seed([planned(0)]);
    const awaySince = world.memory.clock.now().toISOString();
    await knock(100);
    await world.memory.clock.sleep(5 * 3_600_000);
    await expect(knock(101)).resolves.toMatchObject({ outcome: "imports-pending", awaySince });
    await world.memory.clock.sleep(2 * 3_600_000);

    await expect(knock(102)).rejects.toMatchObject({
      name: "MilvusUnreachable",
      message: expect.stringContaining(`has been so since ${awaySince}`),
    });
  });

  test("in the middle of a turn keeps what was learned before", async () => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two]);
    world.milvus("dr").fail("submitImport", new PipelineError("MilvusBusy", "no answer"), { times: 1 });

    await expect(importSegments({ ...request, attempt: 9 }, world.context())).resolves.toMatchObject({
      outcome: "imports-pending",
      completed: 0,
      awaySince: expect.any(String),
    });
    await expect(importSegments({ ...request, attempt: 10 }, world.context())).resolves.not.toHaveProperty("awaySince");
  });

  test("is no excuse for a fault of another kind", async () => {
    seed([planned(0)]);

    await expect(knock(9, new PipelineError("MilvusUnauthenticated", "wrong password"))).rejects.toMatchObject({
      name: "MilvusUnauthenticated",
    });
  });
});

describe("the loop", () => {
  test("keeps at most the environment's number of imports in flight", async () => {
    seed([planned(0), planned(1), planned(2)]);

    await expect(run("importing", 5)).resolves.toMatchObject({ outcome: "imports-pending", imports: 3, completed: 0 });
    expect(submitted).toEqual([0, 1]);
  });

  test("starts deletes only when all data is there", async () => {
    const l0 = { kind: "l0", rows: "0" } as const;
    const delta = (number: number) => [{ insert: "", delta: `stage/t${number}/delta_log/1/2/` }];
    seed([
      planned(0),
      planned(1, { ...l0, phase: 1, files: delta(1) }),
      planned(2, { ...l0, phase: 2, partition: "", files: delta(2) }),
    ]);

    await run("importing", 5);
    expect(submitted).toEqual([0]);

    for (const begun of [
      [0, 1],
      [0, 1, 2],
    ]) {
      listed = listed.map((one) => ({ ...one, state: "completed" }));
      await run("importing", 5);
      expect(submitted).toEqual(begun);
    }
    listed = listed.map((one) => ({ ...one, state: "completed" }));
    await expect(run("importing", 5)).resolves.toMatchObject({ outcome: "imported", completed: 3 });
  });

  test("sees at once that what it submitted is over, however long the imports before it took", async () => {
    const l0 = { kind: "l0", rows: "0", phase: 1, files: [{ insert: "", delta: "stage/t1/delta_log/1/2/" }] } as const;
    const [rows, deletes] = [planned(0), planned(1, l0)];
    seed([rows, deletes], [record(rows)]);
    listed = [task(rows)];

    await expect(run("completed", 500)).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(submitted).toEqual([1]);
  });

  test("asks the machine to wait longer the longer it takes", async () => {
    const one = planned(0);
    seed([one], [record(one)]);
    listed = [task(one, { state: "importing", progress: 40 })];

    const waits: number[] = [];
    for (const attempt of [0, 2, 3, 4, 20, 200, 2_000]) {
      const result = await run("importing", attempt);
      expect(result).toMatchObject({ outcome: "imports-pending", progress: 40 });
      waits.push(result.waitSeconds);
    }
    expect(waits).toEqual([1, 1, 1, 1, 4, 120, 120]);
  });

  test("submits as many of a thousand as there is time for, records each, and goes on in the next turn", async () => {
    world.registerAnew("dr", { parallelism: { importJob: 2_000 } });
    await pinEnvironments(world.context(), workLayout("restore", "restore-2"), ["dr"]);
    world.work.seed(layout.environments, world.work.read(workLayout("restore", "restore-2").environments) ?? "");
    seed(Array.from({ length: 1_000 }, (_, number) => planned(number)));

    // two seconds each
    const turn = (attempt: number) => run("importing", attempt, () => world.memory.clock.sleep(2_000));
    await expect(turn(5)).resolves.toMatchObject({ outcome: "imports-pending", imports: 1_000, waitSeconds: 1 });
    expect(submitted).toHaveLength(180);
    expect(recorded()).toHaveLength(180);

    for (let attempt = 6; submitted.length < 1_000; attempt += 1) await turn(attempt);
    expect(submitted).toEqual(Array.from({ length: 1_000 }, (_, number) => number));
    // one a turn, and one a second while what was submitted last is watched
    expect(lists).toBeLessThanOrEqual(6 + 20);
  });

  test("asks Milvus about collections with imports under way only, and about nothing that is complete", async () => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two], [record(one, { state: "completed", rows: "10" }), record(two)], { importsBefore: ["other"] });
    listed = [task(two)];

    await run("importing", 5);

    expect(settledOnes).toEqual([new Set(["other", "job0"])]);
  });

  test("shows how far it is in the work bucket", async () => {
    const [one, two] = [planned(0), planned(1)];
    seed([one, two], [record(one), record(two)]);
    listed = [task(one), task(two, { state: "importing", progress: 50 })];

    await run("importing", 5);

    expect(JSON.parse(world.work.read(layout.progress) ?? "null")).toEqual({
      phase: "importing",
      imports: 2,
      completed: 1,
      progress: 75,
    });
  });
});

/** A member of the Milvus in memory, as its own. */
function bound(target: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key, target);
  return typeof value === "function" ? value.bind(target) : value;
}
