import { expect, test } from "vitest";
import { claimTimes } from "../../../../src/core/format/claim.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import {
  backUp,
  incrementalWorld,
  lacking,
  layoutOf,
  remove,
  sharedOf,
  sweep,
} from "../../../support/incremental-world.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";
import { addBookSegment, compactBooks } from "../../../support/seed-shop.ts";

const input = { environment: "prod", backupName: "night_2", incremental: true };
const moments: readonly FaultMoment[] = ["before", "after"];

/** A first backup, and rows since. */
async function started(): Promise<PipelineWorld> {
  const world = incrementalWorld();
  await backUp(world, "night_1");
  addBookSegment(world, "470000000000000399");
  return world;
}

/** Keys of what is stored, with its text. */
function stored(world: PipelineWorld): Record<string, string | undefined> {
  const bucket = world.bucket("bucket-b");
  return Object.fromEntries(bucket.keys(sharedOf(world).insertLogs).map((key) => [key, bucket.read(key)]));
}

async function callsOf(
  run: (world: PipelineWorld, faults: FaultInjector) => Promise<unknown>,
): Promise<readonly string[]> {
  const faults = new FaultInjector();
  await run(await started(), faults);
  return faults.calls;
}

test.each(moments)(
  "a backup that is killed %s any call is made whole by the same command; a sweep in between takes nothing",
  async (moment) => {
    const undisturbed = await started();
    await runBackup(undisturbed.context(), input, executionOf("second"));
    const calls = await callsOf((world, faults) => runBackup(world.context(faults), input, executionOf("first")));

    for (let at = 0; at < calls.length; at += 1) {
      const world = await started();
      const faults = new FaultInjector(at, moment);
      const release = at % 2 === 0;
      await runBackup(world.context(faults), input, executionOf("first"), { release }).catch(() => undefined);
      await sweep(world);
      expect(await lacking(world), calls[at]).toEqual([]);
      const committed = world.bucket("bucket-b").read(layoutOf(world, "night_2").meta.full_meta) !== undefined;
      if (!committed) await runBackup(world.context(), input, executionOf("second"));

      expect(stored(world), calls[at]).toEqual(stored(undisturbed));
      expect(await lacking(world), calls[at]).toEqual([]);
    }
  },
);

test.each(moments)(
  "a deletion and its sweep that are killed %s any call are finished by the next ones",
  async (moment) => {
    const calls = await callsOf(async (world, faults) => {
      await backUp(world, "night_2");
      await remove(world, "night_2", faults);
    });

    for (let at = 0; at < calls.length; at += 1) {
      const world = await started();
      await backUp(world, "night_2");
      await remove(world, "night_2", new FaultInjector(at, moment)).catch(() => undefined);
      expect(await lacking(world), calls[at]).toEqual([]);
      // a sweep that died has its claim for a while
      await world.memory.clock.sleep(claimTimes.endedMilliseconds);
      await remove(world, "night_2").catch(() => undefined);
      await sweep(world, { holder: "the next one" });

      expect(world.bucket("bucket-b").keys("backup/night_2/"), calls[at]).toEqual([]);
      expect(Object.keys(stored(world)), calls[at]).toHaveLength(12);
      expect(await lacking(world), calls[at]).toEqual([]);
      expect(world.bucket("bucket-b").read(sharedOf(world).sweep), calls[at]).toBeUndefined();
    }
  },
);

test.each(moments)(
  "a step that fails %s any call and is tried again goes on where it was, in the same execution",
  async (moment) => {
    const undisturbed = await started();
    await runBackup(undisturbed.context(), input, executionOf("second"));
    const calls = await callsOf((world, faults) => runBackup(world.context(faults), input, executionOf("first")));

    for (let at = 0; at < calls.length; at += 1) {
      const world = await started();
      const result = await runBackup(world.context(new FaultInjector(at, moment)), input, executionOf("first"), {
        retries: 1,
      });

      expect(result, calls[at]).toMatchObject({ outcome: "backed-up", objects: 17 });
      expect(stored(world), calls[at]).toEqual(stored(undisturbed));
      expect(await lacking(world), calls[at]).toEqual([]);
      expect(world.bucket("bucket-b").keys(sharedOf(world).claims), calls[at]).toEqual([]);
    }
  },
);

test("a collection that is compacted while it is copied is cut anew, and what was copied of it is swept", async () => {
  const world = await started();
  let compacted = false;
  const options = {
    after: async (step: string) => {
      if (step !== "prepare" || compacted) return;
      compacted = true;
      compactBooks(world);
    },
  };

  const result = await runBackup(world.context(), input, executionOf("second"), options);

  expect(result).toMatchObject({ outcome: "backed-up", objects: 8 });
  expect(await lacking(world)).toEqual([]);
  await sweep(world);
  expect(await lacking(world)).toEqual([]);
  // those of the first night, and the two of the compaction
  expect(Object.keys(stored(world))).toHaveLength(12 + 8);
});

test("without a flush, and of a collection without rows", async () => {
  const world = await started();
  const skip = { ...input, backupName: "skipped", strategy: "skip_flush" } as const;
  await runBackup(world.context(), skip, executionOf("skipped"));
  const empty = { ...input, backupName: "empty", collections: ["shop.carts"] };
  expect(await runBackup(world.context(), empty, executionOf("empty"))).toMatchObject({ objects: 0, newObjects: 0 });

  expect(await lacking(world)).toEqual([]);
  expect(await sweep(world)).toMatchObject([{ objects: 0 }]);
});

test("a backup that begins between any two calls of a sweep waits for it, or the sweep goes away", async () => {
  const calls = await callsOf(async (world, faults) => {
    world.bucket("bucket-b").remove(layoutOf(world, "night_1").meta.full_meta);
    await sweep(world, { faults });
  });

  for (let at = 0; at < calls.length; at += 1) {
    const world = await started();
    // what night_1 stored is nobody's now, and just what the next backup needs
    world.bucket("bucket-b").remove(layoutOf(world, "night_1").meta.full_meta);
    const pause = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const sweeping = sweep(world, {
      faults: new PausedCalls(at, async () => {
        reached.resolve();
        await pause.promise;
      }),
    });
    // listings are not held up: the sweep is over then
    await Promise.race([reached.promise, sweeping]);
    const context = world.context();
    const waiting = {
      ...context,
      clock: {
        ...context.clock,
        sleep: async (milliseconds: number) => {
          pause.resolve();
          await sweeping;
          await context.clock.sleep(milliseconds);
        },
      },
    };
    world.memory.running.add(executionOf("second").id);
    await runBackup(waiting, input, executionOf("second"));
    pause.resolve();
    await sweeping;

    expect(await lacking(world), calls[at]).toEqual([]);
  }
});

test("a deletion that waited too long, as in a machine that was asleep, is not sent", async () => {
  const world = await started();
  world.bucket("bucket-b").remove(layoutOf(world, "night_1").meta.full_meta);
  const counted = new FaultInjector();
  await sweep(await sweepable(), { faults: counted });
  const at = counted.calls.findIndex((call) => call.includes("deleteKeys") && call.includes("/insert_log/"));
  expect(at).toBeGreaterThan(0);

  const [swept] = await sweep(world, {
    faults: new PausedCalls(at, async () => {
      await world.memory.clock.sleep(claimTimes.endedMilliseconds);
      await runBackup(world.context(), input, executionOf("second"));
    }),
  });

  expect(swept).toMatchObject({ objects: 0, skipped: expect.stringContaining("too long ago") });
  expect(await lacking(world)).toEqual([]);
});

test("an event that comes twice starts one sweep: the other one goes away, and does not give the first one's claim back", async () => {
  const world = await sweepable();
  const seen: unknown[] = [];
  const counted = new FaultInjector();
  await sweep(await sweepable(), { faults: counted });
  const at = counted.calls.findIndex((call) => call.includes("deleteKeys") && call.includes("/insert_log/"));

  await sweep(world, {
    faults: new PausedCalls(at, async () => {
      seen.push(await sweep(world), world.bucket("bucket-b").read(sharedOf(world).sweep) !== undefined);
    }),
  });

  expect(seen).toEqual([
    [expect.objectContaining({ objects: 0, skipped: expect.stringContaining("being swept") })],
    true,
  ]);
});

test("a claim that is over is only taken from who says nothing more", async () => {
  const world = await sweepable();
  const { claims } = sharedOf(world);
  const holder = executionOf("late").id;
  const said = (heartbeatAt: Date) => {
    const [startedAt, at] = ["2026-11-21T11:03:07Z", heartbeatAt.toISOString()];
    const claim = {
      version: 1,
      backupName: "x",
      purpose: "backup",
      state: "writing",
      holder,
      startedAt,
      heartbeatAt: at,
    };
    world.bucket("bucket-b").seed(`${claims}late.json`, JSON.stringify(claim));
  };
  said(new Date("2026-11-21T10:00:00Z"));
  const counted = new FaultInjector();
  await sweep(world, { dryRun: true, faults: counted });
  // it says that it goes on between the look at its claim and what follows from it
  const faults = new FaultInjector();
  let beats = 0;
  faults.pause = async (number: number) => {
    if (!(faults.calls[number] ?? "").includes(`putText "${claims}late.json`) || beats > 0) return;
    beats += 1;
    said(world.memory.clock.now());
  };

  expect(await sweep(world, { faults })).toMatchObject([{ objects: 0, skipped: expect.stringContaining("late") }]);
  expect(beats).toBe(1);
});

/** Whose first night is nobody's any more. */
async function sweepable(): Promise<PipelineWorld> {
  const world = await started();
  world.bucket("bucket-b").remove(layoutOf(world, "night_1").meta.full_meta);
  return world;
}

/** Holds one call up until it may go on. */
class PausedCalls extends FaultInjector {
  readonly #at: number;
  readonly #pause: () => Promise<void>;

  constructor(at: number, pause: () => Promise<void>) {
    super();
    this.#at = at;
    this.#pause = pause;
  }

  override async pause(number: number): Promise<void> {
    if (number === this.#at) await this.#pause();
  }
}
