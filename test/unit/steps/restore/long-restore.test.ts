import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { ImportContext } from "../../../../src/steps/restore/import-segments.ts";
import { runMachine } from "../../../support/asl-machine.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import type { AslExecution } from "../../../support/run-asl.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const execution = executionOf("restore-1");
const hours = 3_600_000;
const name = { database: "default", collection: "books_bak" };

let world: PipelineWorld;
let context: ImportContext;
/** What was asked of the functions, in order, by their names. */
let asked: string[];
let began: number;
/** How often Lambda has no room for a call of a loop, before it has. */
let refusedTimes: number;

beforeEach(async () => {
  world = new PipelineWorld();
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  // One clock for all of it, which only the waits of the machine move by hours.
  context = world.context();
  asked = [];
  refusedTimes = 0;
  began = context.clock.now().getTime();
});

const elapsed = () => context.clock.now().getTime() - began;

/** The state machine `restore` as its text says it, with the real steps. */
function restore(): Promise<AslExecution> {
  const input = { environment: "dr", backupName: "nightly", collections: ["books"], suffix: "_bak" };
  return runMachine({
    ...{ machine: "restore", input, execution, context },
    step: async (name, run, event) => {
      const { retries = refusedTimes } = event as { retries?: number };
      if (retries < refusedTimes) {
        throw Object.assign(new Error("Rate Exceeded"), { name: "Lambda.TooManyRequestsException" });
      }
      if (name !== "") asked.push(name);
      return run();
    },
  });
}

/** From now on imports need so long, however often they are looked at. */
function importsTake(milliseconds: number): void {
  const { clock } = context;
  const until = clock.now().getTime() + milliseconds;
  world.milvus("dr").holdImports(() => clock.now().getTime() < until);
}

describe("a restore whose imports take long", () => {
  test("of hours stays in its own execution", async () => {
    importsTake(5 * hours);

    const { status, events } = await restore();

    expect(status).toBe("succeeded");
    expect(events).toHaveLength(1);
    expect(elapsed()).toBeGreaterThan(5 * hours);
    expect(elapsed()).toBeLessThan(5 * hours + 400_000);
  });

  test("of a week goes on in legs, with every execution far below the events it may have", async () => {
    importsTake(7 * 24 * hours);

    const { status, output, events } = await restore();

    expect(status).toBe("succeeded");
    expect(output).toMatchObject({ outcome: "restored", collections: [{ to: "default.books_bak" }] });
    const [own = 0, ...legs] = events;
    expect(own).toBeLessThan(4_000);
    expect(legs.length).toBe(3);
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

  test("of a week while Lambda refuses every call ten times has no execution near its 25,000 events", async () => {
    importsTake(7 * 24 * hours);
    refusedTimes = 10;

    const { status, output, events } = await restore();

    expect({ status, output }).toMatchObject({ status: "succeeded", output: { outcome: "restored" } });
    expect(events.length).toBeGreaterThan(3);
    for (const of of events) expect(of).toBeLessThan(23_000);
    expect(elapsed()).toBeLessThan(7 * 24 * hours + 3_600_000);
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

describe("a restore whose collections load for long", () => {
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

  test("is given up through Release, and not by the history, where Lambda refuses every call fifty times", async () => {
    refusedTimes = 50;
    world.milvus("dr").holdLoads(() => true);

    const { status, error, events } = await restore();

    expect({ status, error }).toEqual({ status: "failed", error: "MilvusFailed" });
    expect(events[0]).toBeLessThan(20_000);
  });
});
