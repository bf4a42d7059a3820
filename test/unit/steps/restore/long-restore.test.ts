import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { copySegmentsRequest, restoreStepRequest } from "../../../../src/core/execution/messages.ts";
import type { MilvusContext } from "../../../../src/ports/step-context.ts";
import { copySegments } from "../../../../src/steps/copy/copy-segments.ts";
import { finishRestore } from "../../../../src/steps/restore/finish-restore.ts";
import { importSegments } from "../../../../src/steps/restore/import-segments.ts";
import { prepareRestore } from "../../../../src/steps/restore/prepare-restore.ts";
import { recreateCollections } from "../../../../src/steps/restore/recreate-collections.ts";
import { releaseRestore } from "../../../../src/steps/restore/release-restore.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { type AslExecution, type Definition, runAsl } from "../../../support/run-asl.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const execution = executionOf("restore-1");
const definition: Definition = JSON.parse(
  readFileSync(new URL("../../../../state-machines/restore.asl.json", import.meta.url), "utf8"),
);
const hours = 3_600_000;
const name = { database: "default", collection: "books_bak" };

let world: PipelineWorld;
let context: MilvusContext;
/** What was asked of the functions, in order, by their names. */
let asked: string[];
let began: number;

beforeEach(async () => {
  world = new PipelineWorld();
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  // One clock for all of it, which only the waits of the machine move by hours.
  context = world.context();
  asked = [];
  began = context.clock.now().getTime();
});

const elapsed = () => context.clock.now().getTime() - began;

/** The state machine `restore` as its text says it, with the real steps. */
function restore(): Promise<AslExecution> {
  const steps: Record<string, (event: unknown) => Promise<unknown>> = {
    PrepareRestore: (event) => prepareRestore(restoreStepRequest.parse(event), context),
    CopySegments: (event) => copySegments(copySegmentsRequest.parse(event), context),
    RecreateCollections: (event) => recreateCollections(restoreStepRequest.parse(event), context),
    ImportSegments: (event) => importSegments(restoreStepRequest.parse(event), context),
    FinishRestore: (event) => finishRestore(restoreStepRequest.parse(event), context),
    ReleaseRestore: (event) => {
      const { failure } = event as { failure: { Error: string; Cause: string } };
      return releaseRestore({ ...restoreStepRequest.parse(event), failure }, context);
    },
  };
  const input = { environment: "dr", backupName: "nightly", collections: ["books"], suffix: "_bak" };
  return runAsl(
    definition,
    input,
    {
      task: async (resource, event) => {
        const step = steps[/(\w+)FunctionArn/.exec(resource)?.[1] ?? ""];
        if (!step) return {};
        asked.push(resource);
        return step(event);
      },
      items: async ({ Key = "" }) => JSON.parse(world.work.read(Key) ?? "[]"),
      wait: (seconds) => context.clock.sleep(seconds * 1_000),
    },
    { Execution: { Id: execution.id, Name: execution.name, StartTime: execution.startTime, Input: input } },
  );
}

/** From now on imports need so long, however often they are looked at. */
function importsTake(milliseconds: number): void {
  const { clock } = context;
  const until = clock.now().getTime() + milliseconds;
  world.milvus("dr").holdImports(() => clock.now().getTime() < until);
}

describe("a restore whose imports take long", { timeout: 60_000 }, () => {
  test("of hours stays in its own execution", async () => {
    importsTake(10 * hours);

    const { status, events } = await restore();

    expect(status).toBe("succeeded");
    expect(events).toHaveLength(1);
    expect(elapsed()).toBeGreaterThan(10 * hours);
    expect(elapsed()).toBeLessThan(10 * hours + 400_000);
  });

  test("of a week goes on in legs, with every execution far below the events it may have", async () => {
    importsTake(7 * 24 * hours);

    const { status, output, events } = await restore();

    expect(status).toBe("succeeded");
    expect(output).toMatchObject({ outcome: "restored", collections: [{ to: "default.books_bak" }] });
    const [own = 0, ...legs] = events;
    expect(own).toBeLessThan(15_000);
    expect(legs.length).toBe(2);
    for (const leg of legs) expect(leg).toBeLessThan(23_000);
    expect(elapsed()).toBeLessThan(7 * 24 * hours + 400_000);
    expect(world.milvus("dr").calls.filter((call) => call.startsWith("submitImport"))).toHaveLength(2);
  });

  test("that fails in a leg fails with Milvus's reason, and through Release", async () => {
    importsTake(7 * 24 * hours);
    world.milvus("dr").failImportsWhen(() => elapsed() > 3 * 24 * hours, "disk quota exceeded");

    const { status, error, cause, events } = await restore();

    expect({ status, error }).toEqual({ status: "failed", error: "ImportFailed" });
    expect(cause).toContain("disk quota exceeded");
    expect(cause).toContain("What is left");
    expect(events).toHaveLength(2);
    expect(world.work.keys("leases/")).toEqual([]);
  });

  test("that never end are given up after four weeks, through Release, before the machine's own time is over", async () => {
    importsTake(Number.MAX_SAFE_INTEGER);

    const { status, error, cause, events } = await restore();

    expect({ status, error }).toEqual({ status: "failed", error: "ImportFailed" });
    expect(cause).toContain("four weeks");
    expect(elapsed()).toBeGreaterThan(28 * 24 * hours);
    expect(elapsed()).toBeLessThan(30 * 24 * hours);
    expect(events).toHaveLength(11);
    expect(world.work.keys("leases/")).toEqual([]);
  });

  test("outlast a proxy that is away for half an hour", async () => {
    importsTake(10 * hours);
    const isAway = () => elapsed() > 5 * hours && elapsed() < 5.5 * hours;
    const connect = context.connectMilvus;
    context = {
      ...context,
      connectMilvus: async (environment) => {
        if (isAway()) throw new PipelineError("MilvusUnreachable", "nobody answers");
        return connect(environment);
      },
    };

    await expect(restore()).resolves.toMatchObject({ status: "succeeded" });
  });

  test("and that the server forgets before anybody saw them complete are adopted by their rows", async () => {
    world.milvus("dr").forgetAtOnce();

    await expect(restore()).resolves.toMatchObject({ status: "succeeded" });

    expect(await world.milvus("dr").rowCount(name)).toBe(32n);
    expect(world.milvus("dr").calls.filter((call) => call.startsWith("submitImport"))).toHaveLength(2);
  });
});

describe("a restore whose collections load for long", { timeout: 60_000 }, () => {
  test("waits for a load of twenty hours, also through an outage", async () => {
    let loads = 0;
    const connect = context.connectMilvus;
    context = {
      ...context,
      connectMilvus: async (environment) => {
        loads += 1;
        if (asked.length > 20 && asked.length < 30) throw new PipelineError("MilvusUnreachable", "nobody answers");
        return connect(environment);
      },
    };
    const { clock } = context;
    const until = clock.now().getTime() + 20 * hours;
    world.milvus("dr").holdLoads(() => clock.now().getTime() < until);

    const { status, events } = await restore();

    expect(status).toBe("succeeded");
    expect(loads).toBeGreaterThan(500);
    expect(events[0]).toBeLessThan(9_000);
    expect(elapsed()).toBeLessThan(20 * hours + 300_000);
  });
});
