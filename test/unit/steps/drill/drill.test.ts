import { beforeEach, describe, expect, test } from "vitest";
import { formatDrilled } from "../../../../cli/output/backup-document.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { parseDrillProof } from "../../../../src/core/format/proof.ts";
import type { QueriedRow } from "../../../../src/ports/milvus.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import {
  backedUpWorld,
  bookRows,
  Died,
  drillWorld,
  leftOfDrills,
  nothingLeft,
  runDrill,
} from "../../../support/drill-world.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { ExecutionFailed, executionOf, runBackup } from "../../../support/run-machines.ts";

const input = { environment: "dr", backupName: "nightly" } as const;
const key = backupLayout("backup", "nightly").drilled;
const proof = (world: PipelineWorld) => parseDrillProof(world.bucket("bucket-b").read(key) ?? "");
const collections = (world: PipelineWorld) => world.milvus("dr").listCollections("default");

let world: PipelineWorld;
beforeEach(async () => {
  world = await backedUpWorld();
});

async function failureOf(run: Promise<unknown>): Promise<ExecutionFailed> {
  const error = await run.catch((thrown: unknown) => thrown);
  if (!(error instanceof ExecutionFailed)) throw new Error("it did not fail", { cause: error });
  return error;
}

describe("a good drill", () => {
  test("counts, compares and searches what came back, and leaves nothing", async () => {
    const result = await runDrill(world, input);

    expect(result).toMatchObject({
      outcome: "drilled",
      backupName: "nightly",
      environment: "dr",
      collections: [
        {
          from: "default.books",
          to: expect.stringMatching(/^default\.books_drill_20261121_[0-9a-f]{8}$/),
          rows: "45",
          counted: "45",
          fields: ["id", "vec"],
          leftOut: [],
          searched: [{ field: "vec", indexType: "HNSW", metricType: "L2", recall: 1 }],
        },
      ],
      warnings: [],
    });
    const [drilled] = "collections" in result ? result.collections : [];
    expect(drilled?.compared).toBeGreaterThanOrEqual(15);
    expect(drilled?.searched[0]?.found).toBe(drilled?.searched[0]?.queries);
    expect(await collections(world)).toEqual([]);
    expect(leftOfDrills(world)).toEqual(nothingLeft);
  });

  test("says so beside the backup, with the times", async () => {
    world.milvus("dr").holdLoads(() => world.memory.clock.now() < new Date("2026-11-21T11:05:00Z"));

    await runDrill(world, input);

    const { last, lastPassed } = proof(world) ?? {};
    expect(last).toMatchObject({ outcome: "passed", environment: "dr", executionArn: executionOf("drill-1").id });
    expect(last?.rtoSeconds).toBeGreaterThan(100);
    expect(last?.rpoSeconds).toBeGreaterThanOrEqual(0);
    expect(last?.compared).toBeGreaterThan(0);
    expect(lastPassed).toEqual(last);
  });

  test("sets no alias and makes no database, also of a backup that has one without collections", async () => {
    await world.milvus("prod").createDatabase("archive", []);
    await runBackup(world.context(), { environment: "prod", backupName: "with_archive" }, executionOf("backup-2"));
    let seen: readonly string[] = [];
    await runDrill(world, { ...input, backupName: "with_archive" }, executionOf("drill-1"), {
      after: async (step) => {
        if (step !== "search") return;
        const [name = ""] = await collections(world);
        seen = (await world.milvus("dr").describeCollection({ database: "default", collection: name })).aliases;
        expect(await world.milvus("dr").listDatabases()).toEqual(["default"]);
      },
    });

    expect(seen).toEqual([]);
    expect(world.milvus("dr").calls.filter((call) => /Alias|createDatabase/.test(call))).toEqual([]);
  });

  test("where nothing can be compared says so: a collection without an index is counted only", async () => {
    const plain = await backedUpWorld({ indexed: false });

    const result = await runDrill(plain, input);

    expect(result).toMatchObject({
      collections: [
        {
          compared: 0,
          searched: [],
          leftOut: ["it is not loaded, compared or searched: the backup has no index of vec"],
        },
      ],
    });
    expect(leftOfDrills(plain)).toEqual(nothingLeft);
    const { last } = proof(plain) ?? {};
    expect(last).toMatchObject({ outcome: "passed", compared: 0 });
    expect(last && formatDrilled({ last })).toMatch(/^passed .* UTC, no row compared$/);
  });

  test("never touches what others made, whatever it is called", async () => {
    const milvus = world.milvus("dr");
    for (const collection of ["books", "books_drill_20261121_00000000", "library"]) {
      milvus.addCollection(collectionDescription(collection, { id: `48${collection.length}` }));
    }

    await runDrill(world, input);

    expect((await collections(world)).sort()).toEqual(["books", "books_drill_20261121_00000000", "library"]);
  });
});

describe("which backup is drilled", () => {
  beforeEach(async () => {
    for (const [hour, schedule] of [
      [1, "hourly"],
      [2, "hourly"],
      [3, "weekly"],
    ] as const) {
      const scheduledTime = `2026-11-21T0${hour}:00:00Z`;
      const at = executionOf(`scheduled-${hour}`);
      await world.memory.clock.sleep(60_000);
      await runBackup(world.context(), { environment: "prod", schedule, scheduledTime }, at);
    }
  });
  const drilled = async (more: object, execution: string) => {
    const result = await runDrill(world, { environment: "dr", from: "prod", ...more }, executionOf(execution));
    return "backupName" in result ? result.backupName : "";
  };

  test("the newest of all, or of a schedule", async () => {
    expect(await drilled({}, "any")).toBe("weekly_2026_11_21_03_00_00");
    expect(await drilled({ of: "hourly" }, "one")).toBe("hourly_2026_11_21_02_00_00");
  });

  test("a random one: each has its turn", async () => {
    const chosen = new Set<string>();
    for (let number = 0; number < 12; number += 1) chosen.add(await drilled({ pick: "random" }, `drill-${number}`));
    expect(chosen.size).toBeGreaterThanOrEqual(3);
  });

  test.each([
    [{ of: "monthly" }, "there is no complete backup of schedule monthly (environment prod)"],
    [{ backupName: "nope" }, "there is no backup nope"],
    [{ backupName: "nightly", of: "hourly" }, "of excludes backupName"],
    [{ backupName: "nightly", collections: ["shop.carts"] }, "there is no collection shop.carts"],
  ])("%j is refused, and nothing is made", async (more, message) => {
    const error = await failureOf(runDrill(world, { environment: "dr", from: "prod", ...more }));

    expect(error.message).toContain(message);
    expect(leftOfDrills(world)).toEqual(nothingLeft);
  });
});

describe("a drill that fails says why, beside the backup too, keeps the last good one and leaves nothing", () => {
  const changed = (change: (row: Map<string, unknown>) => void) => () =>
    bookRows.map((row) => {
      const copy = new Map(row);
      change(copy);
      return copy as QueriedRow;
    });
  const cases: [string, (of: PipelineWorld) => void, string][] = [
    [
      "an altered object",
      (of) => {
        const bucket = of.bucket("bucket-b");
        const log = bucket.keys("backup/nightly/binlogs/").find((one) => one.includes("/101/")) ?? "";
        bucket.seed(log, Buffer.from(bucket.read(log)?.replace(/.$/s, "x") ?? ""));
      },
      "CorruptBackup",
    ],
    [
      "a missing object",
      (of) => of.bucket("bucket-b").remove(of.bucket("bucket-b").keys("backup/nightly/binlogs/")[0] ?? ""),
      "CorruptBackup",
    ],
    [
      "a vector that differs by a bit",
      (of) => of.milvus("dr").holdRows(changed((row) => row.set("vec", new Uint8Array(16)))),
      "DrillFailed",
    ],
    ["rows that are not there", (of) => of.milvus("dr").holdRows(() => bookRows.slice(0, 5)), "DrillFailed"],
    [
      "a target that is full",
      (of) =>
        of
          .milvus("dr")
          .fail("createCollection", new PipelineError("MilvusFailed", "exceeded the limit number of collections")),
      "MilvusFailed",
    ],
    [
      "a target without memory for the indexes",
      (of) => of.milvus("dr").refuseLoads(() => "load segment failed, OOM if load"),
      "MilvusFailed",
    ],
    ["imports that fail", (of) => of.milvus("dr").failImportsWhen(() => true, "no space left"), "ImportFailed"],
  ];

  test.each(cases)("%s", async (_, damage, name) => {
    await runDrill(world, input, executionOf("good"));
    const good = proof(world)?.lastPassed;
    damage(world);

    const error = await failureOf(runDrill(world, input, executionOf("bad")));

    expect(error.name, error.message).toBe(name);
    expect(error.released.left).toBe("");
    expect(proof(world)?.last).toMatchObject({ outcome: "failed", executionArn: executionOf("bad").id });
    expect(proof(world)?.last.reason).toContain(name);
    expect(good).toBeDefined();
    expect(proof(world)?.lastPassed).toEqual(good);
    expect(await collections(world)).toEqual([]);
    expect(leftOfDrills(world)).toEqual(nothingLeft);
  });

  test("a load that is refused is told in Milvus's own words", async () => {
    world.milvus("dr").refuseLoads(() => "load segment failed, OOM if load");

    const error = await failureOf(runDrill(world, input));

    expect(error.message).toContain("load segment failed, OOM if load");
  });

  test("a collection that somebody made under its name is neither searched nor dropped", async () => {
    const milvus = world.milvus("dr");
    const error = await failureOf(
      runDrill(world, input, executionOf("drill-1"), {
        after: async (step) => {
          if (step !== "restore") return;
          const [name = ""] = await collections(world);
          await milvus.dropCollection({ database: "default", collection: name });
          milvus.addCollection(collectionDescription(name, { id: "4711" }));
        },
      }),
    );

    expect(error.name).toBe("TargetExists");
    expect(error.released.left).toContain("was not made by the drill and stays");
    expect(await collections(world)).toHaveLength(1);
  });

  test("the outcome is noted only while the backup is there", async () => {
    await failureOf(
      runDrill(world, input, executionOf("drill-1"), {
        after: (step) => {
          if (step === "restore")
            for (const one of world.bucket("bucket-b").keys("backup/nightly/")) world.bucket("bucket-b").remove(one);
        },
      }),
    );

    expect(world.bucket("bucket-b").keys("backup/nightly/")).toEqual([]);
    expect(leftOfDrills(world)).toEqual(nothingLeft);
  });
});

describe("a drill that died", () => {
  const stepsOfRestore = ["prepare", "copy", "recreate", "import", "finish"];

  test.each(stepsOfRestore)(
    "within its restore, after %s: the next one ends that, and removes all of it",
    async (step) => {
      const dead = runDrill(world, input, executionOf("dead"), {
        restore: {
          release: false,
          after: (at) => {
            if (at === step) throw new Died();
          },
        },
      });
      await expect(dead).rejects.toThrow(Died);

      await runDrill(world, input, executionOf("next"));
      // What had to be ended is looked at once more, as a step of it may not have been over.
      const cleaned = await runDrill(world, { environment: "dr", clean: true }, executionOf("clean"));

      expect(cleaned).toEqual({ outcome: "cleaned", drills: 1, warnings: [] });
      expect(await collections(world)).toEqual([]);
      expect(leftOfDrills(world)).toEqual(nothingLeft);
    },
  );

  test.each(["prepare", "restore", "search"])("after %s: --clean removes what it made", async (step) => {
    const dead = runDrill(world, input, executionOf("dead"), {
      after: (at) => {
        if (at === step) throw new Died();
      },
    });
    await expect(dead).rejects.toThrow(Died);

    await runDrill(world, { environment: "dr", clean: true }, executionOf("clean"));

    expect(await collections(world)).toEqual([]);
    expect(leftOfDrills(world)).toEqual(nothingLeft);
  });

  test("one that runs is left alone", async () => {
    const other = executionOf("other");
    await expect(
      runDrill(world, input, other, {
        after: (at) => {
          if (at === "restore") throw new Died();
        },
      }),
    ).rejects.toThrow(Died);
    world.memory.running.add(other.id);

    await runDrill(world, input, executionOf("mine"));

    expect(await collections(world)).toHaveLength(1);
    expect(world.work.keys("drills/")).toEqual(["drills/other.json"]);
  });
});

test("a world without a backup has nothing to drill", async () => {
  const error = await failureOf(runDrill(drillWorld(), { environment: "dr" }));

  expect(error.name).toBe("BackupNotFound");
});
