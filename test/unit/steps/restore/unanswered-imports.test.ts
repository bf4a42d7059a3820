import { beforeEach, describe, expect, test } from "vitest";
import { importWays } from "../../../../src/adapters/milvus/imports.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { importSegments } from "../../../../src/steps/restore/import-segments.ts";
import { ImportWorld, layout, planned, record, request, task } from "../../../support/import-world.ts";

let world: ImportWorld;

beforeEach(async () => {
  world = await ImportWorld.begin();
});

/** What `Milvus.submitImport` throws where nobody knows whether the import was made. */
function noAnswer(): PipelineError {
  return new PipelineError("MilvusBusy", "no answer within 300 s", { details: { mayHaveBegun: true } });
}

describe("an import that Milvus did not answer", () => {
  const minutes = 60_000;
  test("is looked for, whatever else is asked for meanwhile, and adopted when it appears minutes later", async () => {
    const [one, two] = [planned(0), planned(1)];
    world.seed([one, two]);
    world.way = importWays.jobs;
    const silent = async () => {
      throw noAnswer();
    };

    await expect(world.run("completed", 9, silent)).resolves.toMatchObject({
      outcome: "imports-pending",
      completed: 0,
    });
    // it is not known, so the next is not asked for yet
    expect(world.recorded()).toMatchObject([{ task: 0, state: "submitting", asked: 1 }]);
    await world.context().clock.sleep(4 * minutes);
    await world.run("importing", 9);
    expect(world.submitted).toEqual([1]);
    world.listed.push(task(one, { id: "late", partition: "" }));
    await world.run("importing", 9);

    expect(world.submitted).toEqual([1]);
    expect(world.recorded()).toMatchObject([
      { task: 0, id: "late", state: "completed" },
      { task: 1, id: "new1" },
    ]);
  });

  test("is asked for again once it would have appeared, counted from when it was given up", async () => {
    const one = planned(0);
    world.seed([one]);
    world.way = importWays.jobs;
    await world.run("completed", 9, async () => {
      await world.context().clock.sleep(5 * minutes);
      throw noAnswer();
    });

    await world.context().clock.sleep(5 * minutes);
    await world.run("completed", 9);
    expect(world.submitted).toEqual([]);
    await world.context().clock.sleep(2 * minutes);
    await world.run("completed", 9);

    expect(world.submitted).toEqual([0]);
  });

  test("is given up after four times, with the last reason, and asked for anew by the next restore", async () => {
    const one = planned(0);
    world.seed([one]);
    world.way = importWays.jobs;
    const silent = async () => {
      throw noAnswer();
    };
    for (let time = 1; time <= 4; time += 1) {
      await world.run("completed", 9, silent);
      await world.context().clock.sleep(7 * minutes);
    }

    await expect(world.run("completed", 9, silent)).rejects.toMatchObject({
      name: "ImportFailed",
      message: expect.stringMatching(/asked 4 times to import into default\.coll .*object store/),
    });
    await world.context().clock.sleep(7 * minutes);
    await world.run();
    expect(world.submitted).toEqual([0]);
  });

  test("and one that it refused is asked for again at once", async () => {
    const one = planned(0);
    world.seed([one]);
    world.way = importWays.jobs;
    const busy = async () => {
      const details = { mayHaveBegun: false };
      throw new PipelineError("MilvusBusy", "The number of jobs has reached the limit", { details });
    };

    await expect(world.run("completed", 9, busy)).resolves.toMatchObject({ outcome: "imports-pending" });
    expect(world.recorded()).toEqual([]);
    await world.run("completed", 9);

    expect(world.submitted).toEqual([0]);
  });

  /** An import that was asked for over gRPC seven minutes ago, and nobody said what became of it. */
  async function askedLongAgo() {
    const one = planned(0);
    const { clock } = world.context();
    world.seed([one], [record(one, { id: "", state: "submitting", askedAt: clock.now().toISOString() })]);
    world.way = importWays.jobsOverGrpc;
    await clock.sleep(7 * minutes);
    return one;
  }

  test("where lists do not say what is what (gRPC), is waited for as long as something runs, then found by its rows", async () => {
    const one = await askedLongAgo();
    world.listed = [task(one, { id: "unlisted-0", state: "importing", partition: "", files: [] })];
    await expect(world.run("completed", 9)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });

    world.listed = [];
    world.counted = 10n;
    await expect(world.run("completed", 9)).resolves.toMatchObject({ outcome: "imported", completed: 1 });

    expect(world.submitted).toEqual([]);
    expect(world.recorded()).toMatchObject([{ task: 0, state: "completed", rows: "10" }]);
  });

  test("where lists do not say what is what, is asked for again where no row of it is there", async () => {
    await askedLongAgo();

    await world.run("completed", 9);

    expect(world.submitted).toEqual([0]);
  });

  test("where lists do not say what is what, others that run are in nobody's way who was not asked for before", async () => {
    const one = planned(0);
    world.seed([one]);
    world.way = importWays.jobsOverGrpc;
    world.listed = [task(one, { id: "unlisted-0", state: "importing", partition: "", files: [] })];

    await world.run("completed", 9);

    expect(world.submitted).toEqual([0]);
  });

  test("one that a server says is complete without saying what it brought is judged by the row count", async () => {
    const one = planned(0);
    world.seed([one], [record(one)]);
    world.way = importWays.jobsOverGrpc;
    world.listed = [task(one, { rows: 0n, partition: "", files: [] })];
    await expect(world.run("completed", 9)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });
    world.counted = 10n;

    await expect(world.run("completed", 9)).resolves.toMatchObject({ outcome: "imported", completed: 1 });
    expect(world.recorded()).toMatchObject([{ rows: "10" }]);
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
    world.seed([one, two], [record(one), record(two)]);
    world.listed = [task(one), task(two, { state: "importing", progress: 50 })];
    await world.run("importing", 100);

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

    world.listed = [task(one), task(two)];
    await expect(world.run("completed", 200)).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(progress()).not.toHaveProperty("awaySince");
  });

  test("is given up after hours, with the time it went away", async () => {
    world.seed([planned(0)]);
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
    world.seed([one, two]);
    world.milvus("dr").fail("submitImport", new PipelineError("MilvusBusy", "no answer"), { times: 1 });

    await expect(importSegments({ ...request, attempt: 9 }, world.context())).resolves.toMatchObject({
      outcome: "imports-pending",
      completed: 0,
      awaySince: expect.any(String),
    });
    await expect(importSegments({ ...request, attempt: 10 }, world.context())).resolves.not.toHaveProperty("awaySince");
  });

  test("is no excuse for a fault of another kind", async () => {
    world.seed([planned(0)]);

    await expect(knock(9, new PipelineError("MilvusUnauthenticated", "wrong password"))).rejects.toMatchObject({
      name: "MilvusUnauthenticated",
    });
  });
});
