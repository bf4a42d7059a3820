import { describe, expect, test } from "vitest";
import { parquetPayloads, tableFiles } from "../../../../src/adapters/parquet/index.ts";
import type { ExportInput } from "../../../../src/core/execution/messages.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { exportSegments } from "../../../../src/steps/export/export-segments.ts";
import { prepareExport } from "../../../../src/steps/export/prepare-export.ts";
import { exportedRows, exportManifestIn } from "../../../support/exported.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { seedRows } from "../../../support/row-backup.ts";
import { ExecutionFailed, executionOf, runExport } from "../../../support/run-machines.ts";

const input: ExportInput = { environment: "prod", backupName: "shop", destination: "s3://lake/out", format: "jsonl" };
const manifest = "out/_milvus-backup-export.json";
const claim = "out/_milvus-backup-claim.json";

/** Segments enough for several batches. */
function seeded(): PipelineWorld {
  const world = new PipelineWorld();
  const segments = Array.from({ length: 45 }, (_, at) => ({
    id: at + 1,
    batches: at < 2 || at > 42 ? [[{ id: at, at: 10 }]] : [],
    ...(at === 1 && { deletes: [[1, 20] as const] }),
  }));
  const isL0 = { id: 99, isL0: "all" as const, deletes: [[44, 20] as const] };
  seedRows(world.bucket("bucket-b"), "shop", { segments: [...segments, isL0], until: 100 });
  return world;
}

function check(world: PipelineWorld, what: string): void {
  const rows = exportedRows(world.bucket("lake"), "out", "default.coll").map(({ row }) => Number(row.id));
  expect(rows.sort(), what).toEqual([0, 43]);
  // a mark of one that was killed stays, and holds nobody up
  expect(
    world.work.keys("readers/").filter((key) => !key.endsWith("export-export-1.json")),
    what,
  ).toEqual([]);
}

const moments: FaultMoment[] = ["before", "after"];

/** Every call by its number; of those whose answer is lost only the ones that change something. */
async function callsOf(moment: FaultMoment): Promise<[at: number, call: string][]> {
  const counted = new FaultInjector();
  await runExport(seeded().context(counted), input);
  const calls = [...counted.calls.entries()];
  return moment === "before" ? calls : calls.filter(([, call]) => /\.(?:put|delete|finish)/.test(call));
}

test.each(moments)(
  "an export whose call fails (%s it is made) is whole when the step is tried again",
  async (moment) => {
    for (const [at, call] of await callsOf(moment)) {
      const world = seeded();

      await runExport(world.context(new FaultInjector(at, moment)), input, undefined, { retries: 1 });

      check(world, `${moment} ${call}`);
    }
  },
);

test.each(moments)(
  "one that is killed (%s any call) is no export, and the same command makes it one",
  async (moment) => {
    for (const [at, call] of await callsOf(moment)) {
      const world = seeded();
      const what = `${moment} ${call}`;
      const killed = await runExport(world.context(new FaultInjector(at, moment)), input, undefined, {
        release: false,
      }).then(
        () => false,
        () => true,
      );
      if (world.bucket("lake").read(manifest) !== undefined) {
        // the manifest is what makes it one: what is left to do changes nothing of it
        if (killed)
          await expect(runExport(world.context(), input, executionOf("next"))).rejects.toThrow("TargetExists");
        continue;
      }

      await runExport(world.context(), input, executionOf("next"));

      check(world, what);
    }
  },
);

test("one that fails says what is left, and leaves the backup free and the folder to the same command", async () => {
  for (const [at, call] of (await callsOf("before")).filter((_, index) => index % 3 === 0)) {
    const world = seeded();
    const failed = await runExport(world.context(new FaultInjector(at)), input).catch((error: unknown) => error);
    if (world.bucket("lake").read(manifest) !== undefined) continue;

    expect(failed, call).toBeInstanceOf(ExecutionFailed);
    expect(world.work.keys("readers/"), call).toEqual([]);
    const isLeft = world.bucket("lake").keys("out/").length > 0;
    if (isLeft) expect(JSON.parse(world.bucket("lake").read(claim) ?? ""), call).toMatchObject({ state: "failed" });
    await runExport(world.context(), input, executionOf("next"));
    check(world, call);
  }
});

describe("going on", () => {
  async function half(): Promise<PipelineWorld> {
    const world = seeded();
    let batches = 0;
    const after = (step: string) => {
      batches += step === "copy" ? 1 : 0;
      if (batches === 2) throw new Error("the second batch failed behind its receipt");
    };
    await runExport(world.context(), input, executionOf("first"), { after }).catch(() => undefined);
    return world;
  }

  test("files that lie there as they were written are not written again", async () => {
    const world = await half();
    const before = world.bucket("lake").keys("out/default.coll/");
    const counted = new FaultInjector();

    await runExport(world.context(counted), input, executionOf("next"));

    check(world, "next");
    expect(before).toHaveLength(1);
    expect(counted.calls.filter((call) => before.some((key) => call.includes(`upload of ${key}`)))).toEqual([]);
  });

  test("one that was changed meanwhile is", async () => {
    const world = await half();
    const [file = ""] = world.bucket("lake").keys("out/default.coll/");
    world.bucket("lake").seed(file, "something else");

    await runExport(world.context(), input, executionOf("next"));

    check(world, "next");
  });

  test("another format, or other collections, do not go on there", async () => {
    const world = await half();

    await expect(runExport(world.context(), { ...input, format: "arrow" }, executionOf("next"))).rejects.toThrow(
      "what an export of backup shop left that did not end (first)",
    );
  });

  test("nor does anything where somebody put a file of his own", async () => {
    const world = await half();
    world.bucket("lake").seed("out/letter.txt", "mine");

    await expect(runExport(world.context(), input, executionOf("next"))).rejects.toThrow(
      "holds what this export did not write: letter.txt",
    );

    expect(world.bucket("lake").read("out/letter.txt")).toBe("mine");
  });

  test("a file of an earlier plan is removed before the manifest is written", async () => {
    const world = await half();
    const [file = ""] = world.bucket("lake").keys("out/default.coll/");
    world.bucket("lake").seed(file.replace(/-\d+-\d+-\d+\./, "-7-000007-0000."), "of a plan with more batches");

    await runExport(world.context(), input, executionOf("next"));

    check(world, "next");
  });
});

describe("two at once", () => {
  test("the second is told who writes there", async () => {
    const world = seeded();
    let second: Promise<unknown> | undefined;
    world.memory.running.add(executionOf("export-1").id);
    const after = async (step: string) => {
      if (step !== "prepare") return;
      second = runExport(world.context(), input, executionOf("second")).catch((error: unknown) => error);
      await second;
    };

    await runExport(world.context(), input, undefined, { after });

    expect(await second).toMatchObject({
      message: expect.stringContaining("already being written to s3://lake/out/ by execution export-1"),
    });
    check(world, "the first");
  });

  test("one whose folder was taken over writes nothing more", async () => {
    const world = seeded();
    const after = (step: string) => {
      if (step !== "copy") return;
      const there = JSON.parse(world.bucket("lake").read(claim) ?? "{}");
      world.bucket("lake").seed(claim, JSON.stringify({ ...there, holder: executionOf("other").id }));
    };

    await expect(runExport(world.context(), input, undefined, { after })).rejects.toThrow("has lost its claim");

    expect(world.bucket("lake").read(manifest)).toBeUndefined();
  });

  test("a batch that outlives its execution writes no file into the folder that another one has by now", async () => {
    const world = seeded();
    const execution = executionOf("export-1");
    await prepareExport({ execution, input, attempt: 0 }, world.context());
    const payloads = async () => {
      // as its rows are read, a moment after it was looked
      const looked = world.bucket("lake").read(claim) ?? "{}";
      const theirs = JSON.stringify({ ...JSON.parse(looked), holder: executionOf("other").id });
      if (reads > 1) world.bucket("lake").seed(claim, theirs);
      reads += 1;
      return parquetPayloads;
    };
    let reads = 0;
    const context = { ...world.context(), payloads, tables: async () => tableFiles };
    const batchKey = workLayout("export", execution.name).batch("0-000000");

    await expect(exportSegments({ execution: execution.name, batchKey }, context)).rejects.toThrow(
      "has lost its claim",
    );

    expect(world.bucket("lake").keys("out/")).toEqual([claim]);
  });
});

test("a manifest whose write lost to one that came to nothing (409 of S3) is written again, or there is no export", async () => {
  const world = seeded();
  const lake = world.bucket("lake");
  const openText = lake.openText.bind(lake);
  let lost = 0;
  lake.openText = (key, options) => {
    const upload = openText(key, options);
    if (key === manifest && lost === 0) {
      lost += 1;
      upload.finish = async () => false;
    }
    return upload;
  };

  await runExport(world.context(), input, undefined, { retries: 1 });

  expect(lost).toBe(1);
  expect(exportManifestIn(lake, "out").rows).toBe(2);
});

test("a manifest is the last object that is written", async () => {
  const counted = new FaultInjector();
  const world = seeded();

  await runExport(world.context(counted), input);

  const writes = counted.calls.filter(
    (call) => /^lake(?:\.| upload).*(?:put|finish)/.test(call) && !call.includes(claim),
  );
  expect(writes.at(-1)).toContain(manifest);
  expect(exportManifestIn(world.bucket("lake"), "out").executionArn).toBe(executionOf("export-1").id);
});
