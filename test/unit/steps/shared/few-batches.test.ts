import { describe, expect, test } from "vitest";
import { createProgressReader } from "../../../../cli/pipeline/progress.ts";
import { tellingWhy } from "../../../../functions/shared/copy-failures.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { readFailure } from "../../../../src/core/execution/failure.ts";
import {
  type CopySegmentsRequest,
  copySegmentsRequest,
  fewBatches,
  type PrepareBackupResult,
} from "../../../../src/core/execution/messages.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { writeCopyBatches } from "../../../../src/steps/shared/work-files.ts";
import { runMachine } from "../../../support/asl-machine.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const segment = { collectionId: "1", partitionId: "2", rows: "1", isL0: false, prefixes: [] };
const stores = {
  source: { environment: "prod", side: "milvus", version: "1" },
  destination: { environment: "prod", side: "backup", version: "1" },
  checkLogCounts: true,
} as const;

test.each([
  [0, undefined],
  [1, 1],
  [200 * fewBatches, fewBatches],
  [200 * fewBatches + 1, undefined],
])("of %d small segments the state carries %s batches", async (count, few) => {
  const context = new PipelineWorld().context();
  const segments = Array.from({ length: count }, (_, index) => ({
    segment: { ...segment, segmentId: String(index) },
    bytes: 1,
  }));

  const prepared = await writeCopyBatches(context, workLayout("backup", "e"), 0, segments, stores);

  expect(prepared.few?.length).toBe(few);
  const items = JSON.parse(await context.work.getText(prepared.itemsKey));
  expect(items).toHaveLength(prepared.batches);
  if (few !== undefined) expect(prepared.few).toEqual(items);
});

interface Options {
  /** What the machine catches of a copy whose process is ended the moment it begins; undefined lets it live. */
  readonly death?: (request: CopySegmentsRequest) => Error | undefined;
  /** true: the batches are copied by a map run, as those of a large plan. */
  readonly inMapRun?: boolean;
}

/** The state machine `backup` as its text says it, with the real steps; tells the steps it asked for. */
async function backup(world: PipelineWorld, options: Options = {}) {
  const context = world.context();
  const asked: string[] = [];
  const copies: CopySegmentsRequest[] = [];
  const ended = await runMachine({
    machine: "backup",
    input: { environment: "prod", backupName: "nightly" },
    execution: executionOf("backup-1"),
    context,
    step: async (name, run, event) => {
      if (name !== "") asked.push(name);
      if (name === "PrepareBackup") {
        const { few, ...prepared } = (await run()) as PrepareBackupResult;
        return options.inMapRun ? prepared : { ...prepared, few };
      }
      if (name !== "CopySegments") return run();
      const request = copySegmentsRequest.parse(event);
      copies.push(request);
      const death = options.death?.(request);
      if (death === undefined) return run();
      await new Promise<void>((begun) => {
        void tellingWhy(request, context.work, () => new Promise(() => begun()));
      });
      throw death;
    },
  });
  return { ...ended, asked, copies };
}

test("a small backup starts no map run, and its history has the copies", async () => {
  const world = new PipelineWorld();
  seedShop(world);

  const { status, output, events, asked } = await backup(world);

  expect(status).toBe("succeeded");
  expect(output).toMatchObject({ outcome: "backed-up", backupName: "nightly" });
  expect(asked).toEqual(["PrepareBackup", "CopySegments", "FinalizeBackup"]);
  expect(events).toHaveLength(1);
});

test("its progress is read from the very plan and receipts that it wrote", async () => {
  const world = new PipelineWorld();
  seedShop(world);
  const { output } = await backup(world);

  const { totals, copied } = await createProgressReader(async () => world.context().work, "backup", "backup-1").read();

  const { segments, objects, bytes } = output as Record<string, number>;
  expect(copied).toEqual({ segments, objects, bytes });
  expect(copied.segments).toBeGreaterThan(0);
  expect(totals).toMatchObject({ segments });
});

function deny(world: PipelineWorld): void {
  seedShop(world);
  world.bucket("bucket-b").failOn(
    (call) => call.startsWith("copyFrom"),
    () => new PipelineError("StoreAccessDenied", "PutObject is not allowed"),
  );
}

/** As Step Functions names it. */
const fault = (name: string, message: string) => Object.assign(new Error(message), { name });
const killed = () => fault("Runtime.ExitError", "Runtime exited with error: signal: killed");

describe.each([false, true])("a copy whose function is killed for its memory (in a map run: %s)", (inMapRun) => {
  test("is tried once more with less at once, and then the backup is whole", async () => {
    const world = new PipelineWorld();
    seedShop(world);

    const { status, copies } = await backup(world, { inMapRun, death: ({ died }) => (died ? undefined : killed()) });

    expect(status).toBe("succeeded");
    expect(copies.map(({ died }) => died?.Error)).toEqual([undefined, "Runtime.ExitError"]);
  });

  test("is told as such where that does not help: which function, and what gives it more", async () => {
    const world = new PipelineWorld();
    seedShop(world);

    const { status, error, cause = "", copies } = await backup(world, { inMapRun, death: killed });

    expect({ status, error }).toEqual({ status: "failed", error: "StepKilled" });
    expect(readFailure({ Error: "", Cause: cause }).message).toMatch(
      /^Copy Segments was killed, .* functions\.copy-segments\.memoryMiB in pipeline\.yaml/,
    );
    expect(copies).toHaveLength(2);
  });

  test("or never ends, is told as such after five tries", async () => {
    const world = new PipelineWorld();
    seedShop(world);
    const death = () => fault("Sandbox.Timedout", "Task timed out after 900.00 seconds");

    const { error, cause, copies } = await backup(world, { inMapRun, death });

    expect(error).toBe("StepTimedOut");
    expect(cause).toContain("Copy Segments gave no answer within its time");
    expect(copies).toHaveLength(5);
  });
});

test("copies that the account has no room for are tried sixty times more", async () => {
  const world = new PipelineWorld();
  seedShop(world);
  let left = 60;
  const death = () => {
    left -= 1;
    return left < 0 ? undefined : fault("Lambda.TooManyRequestsException", "Rate Exceeded");
  };

  await expect(backup(world, { death })).resolves.toMatchObject({ status: "succeeded" });
});

test("a batch that fails for good fails the execution with its own reason, through Release", async () => {
  const world = new PipelineWorld();
  deny(world);

  const { status, error, cause, asked } = await backup(world);

  expect({ status, error }).toEqual({ status: "failed", error: "StoreAccessDenied" });
  expect(cause).toContain("PutObject is not allowed");
  expect(asked).toEqual(["PrepareBackup", "CopySegments", "ReleaseBackup"]);
});
