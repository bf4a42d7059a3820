import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { functionSpecs } from "../../infra/functions.ts";
import { stepFunctionsExecutions } from "../../src/adapters/step-functions-executions.ts";
import { stepFunctionsRuns } from "../../src/adapters/step-functions-runs.ts";
import { batchLimits } from "../../src/core/execution/copy-plan.ts";
import { fewBatches } from "../../src/core/execution/messages.ts";
import type { MilvusContext } from "../../src/ports/step-context.ts";
import type { DrillContext } from "../../src/steps/drill/drill-context.ts";
import { collectionDescription } from "../support/collection-description.ts";
import { drillWorld } from "../support/drill-world.ts";
import type { MemorySegment } from "../support/memory-milvus/collection.ts";
import type { PipelineWorld } from "../support/pipeline-world.ts";
import { runBackup } from "../support/run-machines.ts";
import { type Ended, Engine, machineArn } from "./engine.ts";

/** What the handlers of functions/ get in the place of what they would make of the account they run in. */
const wired = vi.hoisted(() => ({ context: {} as MilvusContext & DrillContext }));
vi.mock("../../functions/shared/store-context.ts", () => ({ storeContext: () => wired.context }));
vi.mock("../../functions/shared/milvus-context.ts", () => ({ milvusContext: () => wired.context }));
vi.mock("../../functions/shared/late-milvus-context.ts", () => ({ lateMilvusContext: () => wired.context }));
vi.mock("../../functions/shared/drill-context.ts", () => ({ drillContext: () => wired.context }));

type Handler = (event: unknown, context: unknown) => Promise<unknown>;
const handlers = new Map<string, Handler>();

let world: PipelineWorld;
let engine: Engine;
let segmentsOfMany: readonly MemorySegment[];
/** What the next calls of a function throw or answer instead of running, or what happens before they run. */
let injected: {
  readonly of: string;
  readonly error?: Error;
  readonly answer?: unknown;
  readonly before?: () => void;
}[];
let invoked: string[];
let announced: { DetailType: string; Detail: string }[];

/** A collection whose backup has more batches than an execution copies by itself. */
function seedMany(): MemorySegment[] {
  const ids = { collectionId: "480000000000000100", partitionId: "480000000000000200" };
  const segments = Array.from({ length: batchLimits.segments * fewBatches + 1 }, (_, index): MemorySegment => {
    const segment = { ...ids, id: `4800000000000${10_000 + index}`, rows: 2n };
    world.seedSegment("prod", segment);
    return { ...segment, state: "Flushed", isL0: false, storageVersion: "0" };
  });
  world.milvus("prod").addCollection(collectionDescription("many", { id: ids.collectionId }), {
    partitions: [{ id: ids.partitionId, name: "_default" }],
    segments,
  });
  return segments;
}

beforeAll(async () => {
  world = drillWorld();
  const { version: _, ...dr } = world.environments.current("dr");
  world.environments.register({ ...dr, name: "vault", backupStorage: { ...dr.backupStorage, bucket: "bucket-c" } });
  segmentsOfMany = seedMany();
  const { clock } = world.memory;
  await clock.sleep(Date.now() - clock.now().getTime());
  engine = await Engine.start({
    async invoke(name, event) {
      invoked.push(name);
      const next = injected.findIndex(({ of }) => of === name);
      const [instead] = next < 0 ? [] : injected.splice(next, 1);
      if (instead?.error) throw instead.error;
      if (instead?.answer) return instead.answer;
      instead?.before?.();
      const handler = handlers.get(name);
      if (!handler) throw new Error(`there is no function ${name}`);
      return handler(event, { functionName: name, getRemainingTimeInMillis: () => 900_000 });
    },
    getObject: (key) => world.work.read(key),
    putEvents: (entries) => announced.push(...(entries as typeof announced)),
  });
  await runBackup(world.context(), { environment: "prod", backupName: "kept", collections: ["books"] });
  wired.context = {
    ...world.context(),
    // The real adapters, on this engine.
    executions: stepFunctionsExecutions(engine.client),
    restores: stepFunctionsRuns(machineArn("restore"), engine.client),
  };
  vi.stubEnv("POWERTOOLS_DEV", "false");
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "SILENT");
  vi.stubEnv("POWERTOOLS_METRICS_DISABLED", "true");
  vi.stubEnv("STACK_NAME", "Judged");
  for (const { name } of functionSpecs) {
    const { handler } = await import(`../../functions/${name}/handler.ts`);
    handlers.set(name, handler);
  }
});
afterAll(() => engine?.stop());

beforeEach(() => {
  injected = [];
  invoked = [];
  announced = [];
});

/** A step that throws an error of that name, so many times. */
function inject(of: string, name: string, times = 1): void {
  const error = Object.assign(new Error(`${name}: injected`), { name });
  injected.push(...Array.from({ length: times }, () => ({ of, error })));
}

const backup = (backupName: string, collection = "books") => ({
  environment: "prod",
  backupName,
  collections: [collection],
});
const restore = (backupName: string, suffix: string) => ({ environment: "dr", backupName, suffix });
const told = () => announced.map(({ DetailType }) => DetailType);
const times = (name: string) => invoked.filter((each) => each === name).length;
/** Names of the states that an execution entered, in order. */
const entered = ({ events }: Ended) => events.flatMap(({ stateEnteredEventDetails: state }) => state?.name ?? []);

/** An end that is not the expected one says why. */
function expectSuccess({ status, error, cause }: Ended): void {
  expect({ status, error, cause }).toEqual({ status: "SUCCEEDED" });
}

describe("every machine on another engine", { timeout: 60_000 }, () => {
  it("ends well, its child too, and says so", async () => {
    const made = await engine.run("backup", "b1", backup("nightly"));
    expectSuccess(made);
    expect(made.output).toMatchObject({ outcome: "backed-up", backupName: "nightly" });
    expect(entered(made)).toContain("Copy Segments Directly");

    expectSuccess(await engine.run("verify", "v1", { environment: "prod", backupName: "nightly" }));
    const to = { destination: "s3://lake/nightly", format: "jsonl" };
    const exported = await engine.run("export", "e1", { environment: "prod", backupName: "nightly", ...to });
    expectSuccess(exported);
    expect(exported.output).toMatchObject({ outcome: "exported", destination: "s3://lake/nightly/" });
    expectSuccess(await engine.run("transfer", "t1", { backupName: "nightly", from: "prod", to: "vault" }));

    const restored = await engine.run("restore", "r1", restore("nightly", "_bak"));
    expectSuccess(restored);
    expect(restored.output).toMatchObject({ outcome: "restored", collections: [{ to: "default.books_bak" }] });

    expectSuccess(await engine.run("drill", "d1", { environment: "dr", from: "prod", backupName: "nightly" }));
    expect(told()).toEqual([
      "Backup Completed",
      "Verify Completed",
      "Export Completed",
      "Transfer Completed",
      "Restore Completed",
      "Restore Completed",
      "Drill Completed",
    ]);
  });

  it("runs maps of their own where there are many batches", async () => {
    const made = await engine.run("backup", "b2", backup("large", "many"));
    expectSuccess(made);
    expect(made.output).toMatchObject({ outcome: "backed-up", segments: batchLimits.segments * fewBatches + 1 });
    expect(made.events.map(({ type }) => type)).toContain("MapRunSucceeded");
    expect(times("copy-segments")).toBeGreaterThan(fewBatches);

    const input = { environment: "prod", backupName: "large" };
    for (const [machine, asked] of [
      ["verify", input],
      ["transfer", { backupName: "large", from: "prod", to: "vault" }],
    ] as const) {
      const ended = await engine.run(machine, `${machine}-large`, asked);
      expectSuccess(ended);
      expect(ended.events.map(({ type }) => type)).toContain("MapRunSucceeded");
    }
  });

  it.each([
    ["backup", backup("none", "nowhere"), "CollectionNotFound"],
    ["restore", restore("nothing", "_x"), "BackupNotFound"],
    ["verify", { environment: "prod", backupName: "nothing" }, "BackupNotFound"],
    ["export", { environment: "prod", backupName: "nothing", destination: "s3://lake/out" }, "BackupNotFound"],
    ["transfer", { backupName: "nothing", from: "prod", to: "vault" }, "BackupNotFound"],
    ["drill", { environment: "dr", from: "prod", backupName: "nothing" }, "BackupNotFound"],
    ["backup", { environment: "prod", unknown: true }, "InvalidInput"],
  ] as const)("%s with %j fails with %s through Release, by the function's own error", async (machine, input, name) => {
    const ended = await engine.run(machine, `failed-${machine}-${name}`, input);

    expect(ended).toMatchObject({ status: "FAILED", error: name });
    expect(invoked).toEqual([`prepare-${machine}`, `release-${machine}`]);
    expect(told()).toEqual([`${machine[0]?.toUpperCase()}${machine.slice(1)} Failed`]);
  });
});

describe("retries on another engine", { timeout: 60_000 }, () => {
  it("are made by the names of what functions throw, each policy by itself", async () => {
    const before = engine.waits.length;
    inject("prepare-backup", "MilvusBusy", 2);
    inject("prepare-backup", "Lambda.TooManyRequestsException");
    inject("copy-segments", "StoreUnreachable");
    inject("finalize-backup", "Sandbox.Timedout", 3);
    inject("finalize-backup", "StoreBusy");

    expectSuccess(await engine.run("backup", "b3", backup("retried")));

    expect([times("prepare-backup"), times("copy-segments"), times("finalize-backup")]).toEqual([4, 2, 5]);
    const waits = engine.waits.slice(before);
    expect(waits.map(({ wait }) => wait)).toEqual(Array.from({ length: 8 }, () => "retry"));
    // Full jitter: any part of what stands in the table of policies.
    for (const { seconds } of waits) expect(seconds).toBeLessThanOrEqual(60);
  });

  it("are none of a wrong address at first contact, and of what no retry helps", async () => {
    inject("prepare-backup", "MilvusUnreachable");
    const first = await engine.run("backup", "b4", backup("unreachable"));
    expect(first).toMatchObject({ status: "FAILED", error: "MilvusUnreachable" });
    expect(times("prepare-backup")).toBe(1);

    inject("copy-segments", "AccessDenied");
    const denied = await engine.run("backup", "b5", backup("denied"));
    expect(denied).toMatchObject({ status: "FAILED", error: "CopyFailed" });
    expect(entered(denied)).toContain("Batch Failed");
  });

  it("are none in a map run either: the execution fails through Release", async () => {
    inject("copy-segments", "AccessDenied");
    const ended = await engine.run("backup", "b6", backup("large-failed", "many"));

    // As the local stack's, this engine lets a map run pass whose item failed (state-machines/README.md): the receipt is missed.
    expect(ended).toMatchObject({ status: "FAILED", error: "CopyMismatch" });
    expect(ended.cause).toContain("left no receipt");
    expect(entered(ended)).toContain("Release Backup");
    expect(told()).toEqual(["Backup Failed"]);
  });

  it("go on gently where a copy was killed, and name the step that was killed twice", async () => {
    inject("copy-segments", "Runtime.ExitError");
    const once = await engine.run("backup", "b9", backup("killed-once"));
    expectSuccess(once);
    expect(entered(once)).toContain("Copy Gently Directly");

    inject("finalize-backup", "Runtime.ExitError", 2);
    const twice = await engine.run("backup", "b10", backup("killed-twice"));
    expect(twice).toMatchObject({ status: "FAILED", error: "StepKilled" });
    expect(twice.cause).toContain("Finalize Backup was killed");
    expect(twice.cause).toContain("functions.finalize-backup.memoryMiB");
  });

  it("are owed to Release and to what is announced, and the first failure stays the execution's", async () => {
    inject("prepare-backup", "AccessDenied");
    inject("release-backup", "Anything", 5);
    const ended = await engine.run("backup", "b7", backup("unreleased"));

    expect(ended).toMatchObject({ status: "FAILED", error: "AccessDenied" });
    expect(times("release-backup")).toBe(5);
    expect(told()).toEqual(["Backup Failed"]);
  });
});

describe("loops on another engine", { timeout: 60_000 }, () => {
  it("count: a fresh list of segments where some vanished", async () => {
    const [first, ...others] = segmentsOfMany;
    const compact = () => {
      world.collectSegment("prod", first?.collectionId ?? "", first?.id ?? "");
      world.milvus("prod").setSegments({ database: "default", collection: "many" }, others);
    };
    injected.push({ of: "copy-segments", before: compact });
    const ended = await engine.run("backup", "b8", backup("again", "many"));

    expectSuccess(ended);
    expect([times("prepare-backup"), times("finalize-backup")]).toEqual([2, 2]);
    expect(entered(ended)).toContain("Count Backup Attempt");
  });

  it("go on in legs, in an execution of their own, and come back", async () => {
    const before = engine.waits.length;
    const pending = { of: "import-segments", answer: { outcome: "imports-pending", waitSeconds: 7, events: 11 } };
    // 3 rounds, a leg of 3 calls, the machine's own look, a leg, and then the real one.
    injected.push(...Array.from({ length: 3 + 1 + 3 + 1 }, () => pending));
    const ended = await engine.run("restore", "r2", restore("kept", "_legs"));

    expectSuccess(ended);
    const states = entered(ended);
    expect(states.filter((name) => name === "Wait For Imports")).toHaveLength(3);
    expect(states.filter((name) => name === "Go On Importing").length).toBeGreaterThanOrEqual(1);
    const waits = engine.waits.slice(before).filter(({ wait }) => wait === "state");
    expect(waits.length).toBeGreaterThan(3);
    expect(new Set(waits.map(({ seconds }) => seconds))).toEqual(new Set([7]));
  });

  it("end at their bound, through Release", async () => {
    const pending = { of: "import-segments", answer: { outcome: "imports-pending", waitSeconds: 1, events: 11 } };
    injected.push(...Array.from({ length: 100 }, () => pending));
    const ended = await engine.run("restore", "r3", restore("kept", "_never"));

    expect(ended).toMatchObject({ status: "FAILED", error: "ImportFailed" });
    expect(ended.cause).toContain("as many rounds as an execution has");
    expect(entered(ended)).toContain("Release Restore");
  });
});
