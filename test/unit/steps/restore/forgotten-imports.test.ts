import { beforeEach, describe, expect, test } from "vitest";
import { importWays } from "../../../../src/adapters/milvus/imports.ts";
import type { PlannedRestore } from "../../../../src/core/plan/planned-restore.ts";
import { created, type ImportWithFiles, ImportWorld, planned, record, task } from "../../../support/import-world.ts";

let world: ImportWorld;

beforeEach(async () => {
  world = await ImportWorld.begin();
});

describe("an import that Milvus has forgotten", () => {
  const { create } = created;
  const ttl = [{ key: "collection.ttl.seconds", value: "604800" }];
  const minutes = (count: number) => world.memory.clock.sleep(count * 60_000);
  /** As it stands when the answer to its submission is lost. */
  const unanswered = (of: ImportWithFiles) =>
    record(of, { id: "", state: "submitting", askedAt: world.memory.clock.now().toISOString() });

  test("is complete where all its rows are there", async () => {
    const [one, two] = [planned(0), planned(1)];
    world.seed([one, two], [record(one, { state: "completed", rows: "10" }), record(two)], { rowsBefore: "5" });
    world.counted = 25n;

    await expect(world.run()).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(world.submitted).toEqual([]);
    expect(world.recorded()).toMatchObject([{ task: 0 }, { task: 1, id: "job1", state: "completed", rows: "10" }]);
  });

  test("is asked for again over minutes, and complete where Milvus lists it again", async () => {
    const one = planned(0);
    world.seed([one], [record(one)]);
    await expect(world.run("completed", 5)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });
    await minutes(1);
    await expect(world.run("completed", 6)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });

    world.listed = [task(one)];
    await expect(world.run("completed", 7)).resolves.toMatchObject({ outcome: "imported", completed: 1 });
    expect(world.recorded()[0]).not.toHaveProperty("missedSince");
    expect(world.submitted).toEqual([]);
  });

  test("that brought nothing fails after minutes, and the same restore started again submits it", async () => {
    const one = planned(0, { partition: "novels" });
    world.seed([one], [record(one)]);
    await world.run("completed", 5);
    await minutes(3);

    await expect(world.run("completed", 6)).rejects.toMatchObject({
      name: "ImportFailed",
      message:
        "Milvus at dr.test:19530 no longer knows import 0 into partition novels (10 rows) of default.coll_restoring_r1, and its row count does " +
        "not tell that all arrived: it counts 0 rows that this restore brought, 0 of them from imports that are complete. Start the same " +
        "restore again, which imports them anew",
    });
    expect(world.recorded()).toEqual([]);

    await expect(world.run()).resolves.toMatchObject({ outcome: "imported" });
    expect(world.submitted).toEqual([0]);
  });

  test("of which only some rows are there is told exactly, and counted again by the next restore", async () => {
    const one = planned(0);
    world.seed([one], [record(one)]);
    world.counted = 4n;
    await world.run("completed", 5);
    await minutes(3);

    await expect(world.run("completed", 6)).rejects.toMatchObject({
      name: "ImportFailed",
      message: expect.stringContaining("it counts 4 rows that this restore brought, 0 of them"),
    });
    world.counted = 10n;
    await expect(world.run()).resolves.toMatchObject({ outcome: "imported" });
    expect(world.submitted).toEqual([]);
  });

  test("and that nobody could record, as the run that submitted it was killed, is complete where its rows are there", async () => {
    const [one, two] = [planned(0), planned(1)];
    world.seed([one, two], [record(one, { state: "completed", rows: "10" }), unanswered(two)], {}, created);
    await minutes(300);
    world.counted = 20n;

    await expect(world.run()).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(world.submitted).toEqual([]);
  });

  test("and that nobody could record is not submitted over rows that are not its rows", async () => {
    const [one, two] = [planned(0), planned(1)];
    world.seed([one, two], [record(one, { state: "completed", rows: "10" }), unanswered(two)], {}, created);
    await minutes(300);
    world.counted = 17n;

    await expect(world.run()).rejects.toMatchObject({
      name: "ImportFailed",
      message: expect.stringContaining("Rows are there that no record tells of"),
    });
    expect(world.submitted).toEqual([]);
  });

  test.each([
    ["rows past their time to live were compacted away", { create: { ...create, properties: ttl } }],
    ["others deleted rows of a collection that was there", {}],
  ])("and that nobody could record is not submitted again where the count tells nothing: %s", async (_, cut) => {
    const [one, two] = [planned(0), planned(1)];
    world.seed(
      [one, two],
      [record(one, { state: "completed", rows: "10" }), unanswered(two)],
      { rowsBefore: "100" },
      cut,
    );
    await minutes(300);
    // 10 of the one, less 8; and 5 that are left of the other, which was made
    world.counted = 107n;

    await expect(world.run()).rejects.toMatchObject({
      name: "ImportFailed",
      message: expect.stringContaining("it counts 7 rows that this restore brought, 10 of them"),
    });
    expect(world.submitted).toEqual([]);
  });

  test("and that nobody could record is waited for while the count lags behind what is complete", async () => {
    const [one, two] = [planned(0), planned(1)];
    world.seed([one, two], [record(one, { state: "completed", rows: "10" }), unanswered(two)], {}, created);
    world.way = importWays.jobsOverGrpc;
    await minutes(7);
    world.counted = 0n;
    await expect(world.run("completed", 9)).resolves.toMatchObject({ outcome: "imports-pending", completed: 1 });

    world.counted = 20n;
    await expect(world.run("completed", 9)).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(world.submitted).toEqual([]);
  });

  test("is not given up while its job may still appear: Milvus 2.6 makes it from its log, and may be away meanwhile", async () => {
    const one = planned(0);
    world.seed([one], [], {}, created);
    world.way = importWays.jobs;
    // answered, and not listed at the next look
    await world.run("pending", 9);
    world.listed = [];
    await world.run("pending", 9);
    await minutes(4);

    await expect(world.run("pending", 9)).resolves.toMatchObject({ outcome: "imports-pending" });
    world.listed = [task(one, { id: "new0", partition: "" })];
    await expect(world.run("pending", 9)).resolves.toMatchObject({ outcome: "imported", completed: 1 });
    expect(world.submitted).toEqual([0]);
  });

  test("rows that others wrote into a collection that was there (skipCreate) are not taken for those of a forgotten import", async () => {
    // It failed, and was forgotten. The collection has deletes, so any number of rows up to 10 may be right.
    const one = planned(0, { minimumRows: "0", hasDeletes: true });
    world.seed([one], [record(one)], { rowsBefore: "100" });
    // an application wrote three
    world.counted = 103n;
    await world.run("completed", 5).catch(() => undefined);
    await minutes(10);
    const result = await world.run("completed", 6).catch((error: unknown) => error);

    expect(result).toMatchObject({ name: "ImportFailed" });
  });

  test("an import that failed and was forgotten is not taken for the next one, of as many rows, whose answer was lost", async () => {
    // Milvus goes out of reach while `two` is submitted: it is not recorded. `one` fails meanwhile, `two` brings its 10 rows, both are forgotten.
    const [one, two] = [planned(0), planned(1)];
    world.seed([one, two], [record(one), unanswered(two)], {}, created);
    world.counted = 10n;
    await minutes(300);

    let result: unknown;
    for (let attempt = 5; attempt < 10; attempt += 1) {
      const before = world.submitted.length;
      result = await world.run("completed", attempt).catch((error: unknown) => error);
      world.counted += BigInt(10 * (world.submitted.length - before));
      if (result instanceof Error || (result as { outcome: string }).outcome === "imported") break;
      await minutes(3);
    }

    // What is there now: 10 rows of `two`, and 10 more of `two`; none of `one`. Its rows add up to 20 all the same.
    expect(result).not.toMatchObject({ outcome: "imported" });
  });

  test("an import that nobody could record and that is forgotten is not submitted again while another one still runs", async () => {
    const [one, two] = [planned(0), planned(1)];
    // `one` runs for many hours; `two` was submitted, not recorded, is complete and forgotten.
    world.seed([one, two], [record(one), unanswered(two)], {}, created);
    await minutes(300);
    world.listed = [task(one, { state: "importing" })];
    world.counted = 10n;
    await world.run("completed", 5);

    expect(world.submitted).toEqual([]);
  });

  test("is known by the rows that it reported before, also to a later turn", async () => {
    const [one, two] = [planned(0, { minimumRows: "0" }), planned(1, { minimumRows: "0" })];
    world.seed([one, two], [record(one), record(two)]);
    world.listed = [task(one, { state: "importing", rows: 7n }), task(two, { state: "importing", rows: 2n })];
    await world.run("importing", 5);

    world.listed = [];
    world.counted = 9n;
    await expect(world.run("importing", 6)).resolves.toMatchObject({ outcome: "imported", completed: 2 });
    expect(world.recorded()).toMatchObject([{ rows: "7" }, { rows: "2" }]);
  });

  test("waits for what runs beside it: the count moves", async () => {
    const [one, two] = [planned(0), planned(1)];
    world.seed([one, two], [record(one), record(two)]);
    world.listed = [task(two, { state: "importing" })];
    world.counted = 10n;
    await world.run("completed", 5);
    await minutes(10);

    await expect(world.run("completed", 6)).resolves.toMatchObject({ outcome: "imports-pending", completed: 0 });

    world.listed = [task(two)];
    world.counted = 20n;
    await expect(world.run("completed", 7)).resolves.toMatchObject({ outcome: "imported", completed: 2 });
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
    world.seed([l0], [record(l0)]);
    await world.run("completed", 5);
    expect(world.submitted).toEqual([]);
    await minutes(3);

    await expect(world.run("completed", 6)).resolves.toMatchObject({ outcome: "imports-pending" });
    expect(world.submitted).toEqual([0]);
    expect(world.recorded()).toMatchObject([{ task: 0, id: "new0", state: "submitted", again: true }]);

    world.listed = [];
    await world.run("completed", 7);
    await minutes(3);
    await expect(world.run("completed", 8)).rejects.toMatchObject({ name: "ImportFailed" });
    expect(world.submitted).toEqual([0]);
  });
});

describe("an import that a server says is complete without saying what it brought, and whose deletes may take every row", () => {
  const minutes = (count: number) => world.memory.clock.sleep(count * 60_000);
  const one = planned(0, { minimumRows: "0", hasDeletes: true });
  const untold = task(one, { rows: 0n, partition: "", files: [] });

  test.each<[bigint, Pick<PlannedRestore, "create">]>([
    [10n, created],
    [4n, created],
    [0n, created],
    // into a collection that was there (skipCreate)
    [4n, {}],
  ])("has brought what the count tells: %i", async (rows, cut) => {
    world.seed([one], [record(one)], {}, cut);
    world.way = importWays.jobsOverGrpc;
    world.listed = [untold];
    world.counted = rows;
    await world.run("completed", 9);
    await minutes(9);

    await expect(world.run("completed", 9)).resolves.toMatchObject({ outcome: "imported", completed: 1 });
    expect(world.recorded()).toMatchObject([{ state: "completed", rows: String(rows) }]);
  });

  test("its rows are not taken for those of one that Milvus forgot", async () => {
    const two = planned(1);
    world.seed([one, two], [record(one), record(two)], {}, created);
    world.way = importWays.jobsOverGrpc;
    // the other one failed, and was forgotten
    world.listed = [untold];
    world.counted = 10n;
    await world.run("completed", 9);
    await minutes(9);

    await expect(world.run("completed", 9)).rejects.toMatchObject({ name: "ImportFailed" });
  });
});
