import { beforeEach, describe, expect, test } from "vitest";
import { importWays } from "../../../../src/adapters/milvus/imports.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { fingerprintOf } from "../../../../src/core/plan/restore-work.ts";
import type { ImportRequest, ImportTask, Milvus } from "../../../../src/ports/milvus.ts";
import { importSegments } from "../../../../src/steps/restore/import-segments.ts";
import { pinEnvironments } from "../../../../src/steps/shared/pinned-environments.ts";
import { ImportWorld, layout, planned, record, records, request, task } from "../../../support/import-world.ts";

let world: ImportWorld;

beforeEach(async () => {
  world = await ImportWorld.begin();
});

describe("an import of a backup that was cut", () => {
  const instant = { timestamp: "470616978630901767", time: "2026-11-21T11:41:41.540Z" };
  const refusal = "end_ts is not a valid hybrid timestamp, value=1795261301540";

  /** A Milvus that takes hybrid timestamps only, and says so when it is asked, or when the job runs. */
  function strictly(refuses: "at once" | "later") {
    const ends: ImportRequest["end"][] = [];
    let looks = () => {};
    const milvus: Pick<Milvus, "listImports" | "submitImport"> = {
      listImports: async () => {
        looks();
        return [...world.listed];
      },
      submitImport: async (of) => {
        ends.push(of.end);
        const bad = of.end?.unit !== "hybrid";
        if (bad && refuses === "at once") throw new PipelineError("MilvusFailed", `Milvus refused: ${refusal}`);
        const id = `job${ends.length}`;
        const files = { partition: of.partition, files: of.files };
        world.listed.push(
          task(planned(0, files), bad ? { id, state: "failed", failedReason: refusal } : { id, state: "completed" }),
        );
        return id;
      },
    };
    const run = (looked = () => {}) => {
      looks = looked;
      return importSegments(request, world.contextWith(milvus));
    };
    return { ends, run };
  }

  test.each(["at once", "later"] as const)(
    "says it in milliseconds first, and as a hybrid timestamp to a server that refuses these %s",
    async (refuses) => {
      world.seed([planned(0)], [], {}, { instant });
      const { ends, run: once } = strictly(refuses);

      await expect(once()).resolves.toMatchObject({ outcome: "imported", completed: 1 });

      expect(ends).toEqual([{ timestamp: instant.timestamp }, { timestamp: instant.timestamp, unit: "hybrid" }]);
    },
  );

  test("says it again of all that ran before the first of them was looked at", async () => {
    world.seed([planned(0), planned(1)], [], {}, { instant });
    const { ends, run: once } = strictly("later");

    await expect(once()).resolves.toMatchObject({ outcome: "imported", completed: 2 });

    expect(ends.map((end) => end?.unit)).toEqual([undefined, undefined, "hybrid", "hybrid"]);
  });

  test("says it once only: the next function of the execution knows it", async () => {
    world.seed([planned(0), planned(1, { phase: 2 })], [], {}, { instant });
    const { ends, run: once } = strictly("later");
    const looked = () => {
      if (ends.length === 2) throw new Error("killed");
    };
    await expect(once(looked)).rejects.toThrow("killed");

    await expect(once()).resolves.toMatchObject({ outcome: "imported", completed: 2 });

    expect(ends.map((end) => end?.unit)).toEqual([undefined, "hybrid", "hybrid"]);
  });

  test("is not taken for one that was not", async () => {
    const one = planned(0);
    const cut = { ...one, fingerprint: fingerprintOf({ ...one, instant }) };
    world.seed([cut], [record(one)], {}, { instant });

    await expect(world.run()).rejects.toMatchObject({ name: "InvalidInput" });
  });
});

describe("an import is submitted once", () => {
  test("and not at all where it is recorded as complete: nobody is asked", async () => {
    const one = planned(0);
    world.seed([one], [record(one, { state: "completed", rows: "10" })]);

    await expect(world.run()).resolves.toMatchObject({ outcome: "imported", imports: 1, completed: 1, progress: 100 });
    expect(world.submitted).toEqual([]);
  });

  test("where a run submitted it and could not record it: it is adopted by its files", async () => {
    const one = planned(0);
    world.seed([one]);
    world.listed = [task(one)];

    await world.run();

    expect(world.submitted).toEqual([]);
    expect(world.recorded()).toMatchObject([{ task: 0, id: "job0", state: "completed", rows: "10" }]);
  });

  test("also where Milvus tells neither partition nor which delta directory belongs to which (2.4+)", async () => {
    const files = [
      { insert: "stage/t0/insert_log/1/2/3/", delta: "stage/t0/delta_log/1/2/3/" },
      { insert: "stage/t0/insert_log/1/2/4/", delta: "" },
    ];
    const one = planned(0, { files });
    world.seed([one]);
    world.listed = [
      task(one, {
        partition: "",
        files: [
          { insert: "stage/t0/insert_log/1/2/4", delta: "" },
          { insert: "stage/t0/insert_log/1/2/3", delta: "" },
        ],
      }),
    ];

    await world.run();

    expect(world.submitted).toEqual([]);
  });

  test("and waits while Milvus has not told the files of a job that it may be", async () => {
    const one = planned(0);
    world.seed([one]);
    world.listed = [task(one, { state: "pending", files: [], partition: "" })];

    await expect(world.run("completed", 5)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });
    expect(world.submitted).toEqual([]);
  });

  test.each<[string, Partial<ImportTask>]>([
    ["of another partition", { partition: "other" }],
    ["of other files", { files: [{ insert: "stage/t9/", delta: "" }] }],
    ["that failed", { state: "failed" }],
  ])("where Milvus lists one %s: that is not it", async (_, rest) => {
    const one = planned(0);
    world.seed([one]);
    world.listed = [task(one, { id: "other", ...rest })];

    await world.run();

    expect(world.submitted).toEqual([0]);
  });

  test("of two functions that take each other for dead neither overwrites what the other recorded", async () => {
    world.seed([planned(0), planned(1)]);
    world.way = importWays.jobsOverGrpc;
    const put = world.work.putText.bind(world.work);
    let isAlone = true;
    world.work.putText = async (...args) => {
      const written = await put(...args);
      if (args[0] === records.imports && isAlone) {
        isAlone = false;
        // all of it between a write and the look at what was written
        await world.run("importing", 9);
      }
      return written;
    };

    // it has read what the other one wrote, and waits for what may still appear
    await expect(world.run("importing", 9)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });

    expect(world.submitted).toEqual([1]);
    expect(world.recorded()).toMatchObject([
      { task: 0, state: "submitting" },
      { task: 1, id: "new1", state: "submitted" },
    ]);
  });

  test("whatever looked the same before the restore began (skipCreate) was another restore's", async () => {
    const one = planned(0);
    world.seed([one], [], { importsBefore: ["job0"] });
    world.listed = [task(one)];

    await world.run();

    expect(world.submitted).toEqual([0]);
  });

  test("whoever looked the same before it began is not taken for it where REST told no IDs then, and tells files now (skipCreate)", async () => {
    const [one, two] = [planned(0), planned(1)];
    const askedAt = world.memory.clock.now().toISOString();
    world.seed([one, two], [record(two, { id: "", state: "submitting", askedAt })], {
      importsUntold: true,
      rowsBefore: "20",
    });
    world.way = importWays.jobs;
    // both of an earlier restore of the same backup
    world.listed = [task(one, { id: "older0", partition: "" }), task(two, { id: "older1", partition: "" })];
    world.counted = 20n;
    await world.run();
    expect(world.submitted).toEqual([0]);

    await world.memory.clock.sleep(7 * 60_000);
    world.counted = 40n;
    await expect(world.run()).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    // the one without an answer was made: its rows are there
    expect(world.submitted).toEqual([0]);
  });

  test("per collection: what went into one that was dropped since is submitted again", async () => {
    const one = planned(0);
    world.seed([one], [record(one, { collectionId: "4", state: "completed", rows: "10" })]);

    await world.run();

    expect(world.submitted).toEqual([0]);
    expect(world.recorded().map(({ collectionId, id }) => [collectionId, id])).toEqual([
      ["4", "job0"],
      ["5", "new0"],
    ]);
  });
});

describe("an import that cannot go on", () => {
  test("fails with Milvus's reason, and is submitted anew by the next run", async () => {
    const [one, two] = [planned(0), planned(1, { partition: "novels" })];
    world.seed([one, two], [record(one), record(two)]);
    world.listed = [task(one), task(two, { state: "failed", failedReason: "disk quota exceeded" })];

    await expect(world.run()).rejects.toMatchObject({
      name: "ImportFailed",
      message: "Milvus could not import into default.coll (partition novels): disk quota exceeded",
    });
    expect(world.recorded()).toMatchObject([{ task: 0, state: "completed" }]);

    await expect(world.run()).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(world.submitted).toEqual([1]);
  });

  test("is told again to a machine that asks again, and nothing is submitted", async () => {
    const one = planned(0);
    world.seed([one], [record(one)]);
    world.listed = [task(one, { state: "failed", failedReason: "disk quota exceeded" })];
    await expect(world.run("completed", 1_200)).rejects.toMatchObject({ name: "ImportFailed" });

    await expect(world.run("completed", 1_201)).rejects.toMatchObject({
      name: "ImportFailed",
      message: "Milvus could not import into default.coll (partition _default): disk quota exceeded",
    });
    expect(world.submitted).toEqual([]);
  });

  test("was planned otherwise by an earlier run: nothing is mixed", async () => {
    const one = planned(0);
    world.seed([one], [record(one, { planned: "another", state: "completed" })]);

    await expect(world.run()).rejects.toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("restore --discard"),
    });
    expect(world.submitted).toEqual([]);
  });
});

describe("the loop", () => {
  test("keeps at most the environment's number of imports in flight", async () => {
    world.seed([planned(0), planned(1), planned(2)]);

    await expect(world.run("importing", 5)).resolves.toMatchObject({
      outcome: "imports-pending",
      imports: 3,
      completed: 0,
    });
    expect(world.submitted).toEqual([0, 1]);
  });

  test("starts deletes only when all data is there", async () => {
    const l0 = { kind: "l0", rows: "0" } as const;
    const delta = (number: number) => [{ insert: "", delta: `stage/t${number}/delta_log/1/2/` }];
    world.seed([
      planned(0),
      planned(1, { ...l0, phase: 1, files: delta(1) }),
      planned(2, { ...l0, phase: 2, partition: "", files: delta(2) }),
    ]);

    await world.run("importing", 5);
    expect(world.submitted).toEqual([0]);

    for (const begun of [
      [0, 1],
      [0, 1, 2],
    ]) {
      world.listed = world.listed.map((one) => ({ ...one, state: "completed" }));
      await world.run("importing", 5);
      expect(world.submitted).toEqual(begun);
    }
    world.listed = world.listed.map((one) => ({ ...one, state: "completed" }));
    await expect(world.run("importing", 5)).resolves.toMatchObject({ outcome: "imported", completed: 3 });
  });

  test("sees at once that what it submitted is over, however long the imports before it took", async () => {
    const l0 = { kind: "l0", rows: "0", phase: 1, files: [{ insert: "", delta: "stage/t1/delta_log/1/2/" }] } as const;
    const [rows, deletes] = [planned(0), planned(1, l0)];
    world.seed([rows, deletes], [record(rows)]);
    world.listed = [task(rows)];

    await expect(world.run("completed", 500)).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(world.submitted).toEqual([1]);
  });

  test("asks the machine to wait longer the longer it takes", async () => {
    const one = planned(0);
    world.seed([one], [record(one)]);
    world.listed = [task(one, { state: "importing", progress: 40 })];

    const waits: number[] = [];
    for (const attempt of [0, 2, 3, 4, 20, 200, 2_000]) {
      const result = await world.run("importing", attempt);
      expect(result).toMatchObject({ outcome: "imports-pending", progress: 40 });
      waits.push(result.waitSeconds);
    }
    expect(waits).toEqual([1, 1, 1, 1, 4, 120, 120]);
  });

  test("submits as many of a thousand as there is time for, records each, and goes on in the next turn", async () => {
    world.registerAnew("dr", { parallelism: { importJob: 2_000 } });
    await pinEnvironments(world.context(), workLayout("restore", "restore-2"), ["dr"]);
    world.work.seed(layout.environments, world.work.read(workLayout("restore", "restore-2").environments) ?? "");
    world.seed(Array.from({ length: 1_000 }, (_, number) => planned(number)));

    // two seconds each
    const turn = (attempt: number) => world.run("importing", attempt, () => world.memory.clock.sleep(2_000));
    await expect(turn(5)).resolves.toMatchObject({ outcome: "imports-pending", imports: 1_000, waitSeconds: 1 });
    expect(world.submitted).toHaveLength(180);
    expect(world.recorded()).toHaveLength(180);

    for (let attempt = 6; world.submitted.length < 1_000; attempt += 1) await turn(attempt);
    expect(world.submitted).toEqual(Array.from({ length: 1_000 }, (_, number) => number));
    // one a turn, and one a second while what was submitted last is watched
    expect(world.lists).toBeLessThanOrEqual(6 + 20);
  });

  test("asks Milvus about collections with imports under way only, and about nothing that is complete", async () => {
    const [one, two] = [planned(0), planned(1)];
    world.seed([one, two], [record(one, { state: "completed", rows: "10" }), record(two)], {
      importsBefore: ["other"],
    });
    world.listed = [task(two)];

    await world.run("importing", 5);

    expect(world.settledOnes).toEqual([new Set(["other", "job0"])]);
  });

  test("shows how far it is in the work bucket", async () => {
    const [one, two] = [planned(0), planned(1)];
    world.seed([one, two], [record(one), record(two)]);
    world.listed = [task(one), task(two, { state: "importing", progress: 50 })];

    await world.run("importing", 5);

    expect(JSON.parse(world.work.read(layout.progress) ?? "null")).toEqual({
      phase: "importing",
      imports: 2,
      completed: 1,
      progress: 75,
    });
  });
});
