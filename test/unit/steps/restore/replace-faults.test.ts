import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { ExecutionRef, FinishRestoreResult, RestoreInput } from "../../../../src/core/execution/messages.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { addOld, aside, backedUpShop, replacing as input, oldId, target } from "../../../support/replaced-books.ts";
import { ExecutionFailed, executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { heldTargets } from "../../../support/targets.ts";

/** What stands in `default`: rows and aliases by name. */
type Standing = Record<string, { id: string; rows: bigint; aliases: readonly string[] }>;

/** A backup of `books` (32 rows, alias library), and an older `books_bak` (7 rows) with an alias that the backup has and one it lacks. */
async function seeded(): Promise<PipelineWorld> {
  const world = await backedUpShop();
  addOld(world, { aliases: ["library", "reading"] });
  return world;
}

async function standing(world: PipelineWorld): Promise<Standing> {
  const milvus = world.milvus("dr");
  const there: Standing = {};
  for (const collection of await milvus.listCollections("default")) {
    const name = { database: "default", collection };
    const { id, aliases } = await milvus.describeCollection(name);
    there[collection] = { id, rows: await milvus.rowCount(name), aliases: [...aliases].sort() };
  }
  return there;
}

function another(name: string): ExecutionRef {
  return { ...executionOf(name), id: executionOf(name).id.replace(":machine:", ":another-machine:") };
}

async function tried(running: Promise<unknown>): Promise<ExecutionFailed | undefined> {
  const error = await running.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error !== undefined && !(error instanceof ExecutionFailed)) throw error;
  return error;
}

const complete = { [target.collection]: { id: expect.any(String), rows: 32n, aliases: ["library", "reading"] } };

/** Every call of Finish Restore, by number within the whole restore. */
async function callsOfFinish(): Promise<number[]> {
  const faults = new FaultInjector();
  let before = 0;
  await runRestore((await seeded()).context(faults), input, executionOf("one"), {
    after: (step) => {
      if (step === "import") before = faults.calls.length;
    },
  });
  return faults.calls.map((_, index) => index).filter((index) => index >= before);
}

describe.each<FaultMoment>(["before", "after"])("a restore killed %s any call of Finish Restore", (moment) => {
  let calls: number[];
  beforeEach(async () => {
    calls = await callsOfFinish();
  });

  /** Runs it up to the fault, and hands what came of it to a check. */
  async function each(
    check: (world: PipelineWorld, error: ExecutionFailed | undefined, what: string) => Promise<void>,
  ): Promise<void> {
    for (const at of calls) {
      const world = await seeded();
      const faults = new FaultInjector(at, moment);
      const error = await tried(runRestore(world.context(faults), input, executionOf("one")));
      await check(world, error, `${moment} ${faults.calls[at]}`);
    }
  }

  test("leaves the old or the new collection whole under its name, or under the one that the message says", async () => {
    let named = 0;
    await each(async (world, error, what) => {
      const there = await standing(world);
      expect([7n, 32n, undefined], what).toContain(there[target.collection]?.rows);
      expect(heldTargets(world.bucket("bucket-b")), what).toEqual([]);
      if (there[target.collection] !== undefined) return;
      named += 1;
      const working = Object.keys(there).find((name) => name.includes("_restoring_")) ?? "";
      expect(there[aside.collection], what).toMatchObject({ rows: 7n, aliases: ["library", "reading"] });
      expect(there[working], what).toMatchObject({ rows: 32n });
      expect(error?.released.left, what).toContain(
        `nothing stands as default.books_bak, the restored one stands as default.${working}, what stood there before stands as default.${aside.collection}`,
      );
    });
    expect(named).toBeGreaterThan(0);
  });

  test("is finished by the same restore, with every alias of the old one", async () => {
    await each(async (world, error, what) => {
      if (error !== undefined && world.work.keys("restores/").length > 0) {
        await runRestore(world.context(), input, executionOf("two"));
      }
      expect(await standing(world), what).toEqual(complete);
    });
  });

  test("is discarded with the old one back under its name, or refused", async () => {
    const ends = new Set<string>();
    await each(async (world, _, what) => {
      const before = await standing(world);
      const refused = await tried(runRestore(world.context(), { ...input, discard: true }, executionOf("two")));
      const there = await standing(world);
      if (refused !== undefined) {
        expect(refused.name, what).toBe("TargetExists");
        expect(refused.message, what).toContain(`default.${aside.collection}`);
        expect(there, what).toEqual(before);
      } else if (there[target.collection]?.rows === 7n) {
        expect(there, what).toEqual({ [target.collection]: { id: oldId, rows: 7n, aliases: ["library", "reading"] } });
      } else expect(there, what).toEqual(complete);
      ends.add(refused ? "refused" : String(there[target.collection]?.rows));
    });
    expect([...ends].sort()).toEqual(["32", "7", "refused"]);
  });

  test("is followed by another deployment's, and nothing is lost by either", async () => {
    await each(async (world, _, what) => {
      await runRestore(world.context(), input, another("theirs"));
      expect((await standing(world))[target.collection]?.rows, what).toBe(32n);

      const refused = await tried(runRestore(world.context(), input, executionOf("two")));

      const there = await standing(world);
      if (refused !== undefined) expect(refused.name, what).toBe("TargetExists");
      expect(there[target.collection]?.rows, what).toBe(32n);
      // What was moved aside and not replaced by the one that moved it stays.
      if (there[aside.collection] !== undefined) expect(refused?.message, what).toContain(aside.collection);
    });
  });
});

describe("what is replaced", () => {
  let world: PipelineWorld;
  beforeEach(async () => {
    world = await seeded();
  });
  const restore = (rest: Partial<RestoreInput> = {}, name = "one", after?: (step: string) => void | Promise<void>) =>
    runRestore(world.context(), { ...input, ...rest }, executionOf(name), after ? { after } : {});
  const duringImport = (what: () => void | Promise<void>) => (step: string) => (step === "import" ? what() : undefined);

  test("is what stood there at the beginning: what was made meanwhile is not touched, and another look replaces it", async () => {
    const error = await tried(
      restore(
        {},
        "one",
        duringImport(async () => {
          await world.milvus("dr").dropCollection(target);
          addOld(world, { id: "8", rows: 5n });
        }),
      ),
    );

    expect(error?.name).toBe("TargetExists");
    expect(error?.message).toMatch(/books_bak .*is not what stood there when the restore began/);
    expect(error?.message).toMatch(/the restored one stands as default\.books_bak_restoring_\w+/);
    expect((await standing(world)).books_bak).toMatchObject({ id: "8", rows: 5n });
    await restore({}, "two");
    expect(await standing(world)).toEqual({ books_bak: { id: expect.any(String), rows: 32n, aliases: ["library"] } });
  });

  test("is nothing that was made where nothing stood at the beginning", async () => {
    await world.milvus("dr").dropCollection(target);

    const error = await tried(
      restore(
        {},
        "one",
        duringImport(() => addOld(world, { id: "8", rows: 5n })),
      ),
    );

    expect(error?.name).toBe("TargetExists");
    expect((await standing(world)).books_bak).toMatchObject({ id: "8", rows: 5n });
  });

  test("stays on request, without its aliases, and the result names it", async () => {
    const result = (await restore({ keepReplaced: true })) as FinishRestoreResult;

    expect(result.collections).toMatchObject([{ to: "default.books_bak", replaced: `default.${aside.collection}` }]);
    expect(await standing(world)).toEqual({ ...complete, [aside.collection]: { id: oldId, rows: 7n, aliases: [] } });
  });

  test("stays, with a warning, where the new one lost rows after they were counted", async () => {
    world.milvus("dr").fail("alterAlias", new PipelineError("MilvusFailed", "no"), { times: 1 });
    await tried(restore());
    world.milvus("dr").setSegments(target, []);

    const result = (await restore({}, "two")) as FinishRestoreResult;

    expect(result.warnings).toEqual([
      expect.stringMatching(
        /default\.books_bak_replaced_\d+, which default\.books_bak replaced, was not dropped: Milvus counts 0 rows in the new one, and 32 were restored/,
      ),
    ]);
    expect((await standing(world))[aside.collection]?.rows).toBe(7n);
  });

  test("gets its name back where the new one cannot get it", async () => {
    const toTarget = (name: unknown, to: unknown) =>
      JSON.stringify(name).includes("_restoring_") && to === target.collection;
    world.milvus("dr").fail("renameCollection", new PipelineError("MilvusFailed", "no"), { when: toTarget });

    const error = await tried(restore());

    expect(error?.message).toMatch(
      /could not be renamed to default\.books_bak: no\. The one that was to be replaced is back as/,
    );
    expect((await standing(world)).books_bak).toEqual({ id: oldId, rows: 7n, aliases: ["library", "reading"] });
  });

  test("is told with the name of each where neither gets one", async () => {
    world.milvus("dr").fail("renameCollection", new PipelineError("MilvusFailed", "no"), {
      when: (_, to) => to === target.collection,
    });

    const error = await tried(restore());

    expect(error?.message).toMatch(
      /stands as default\.books_bak_replaced_7000000000000009 \(it could not be renamed back: no\), and the restored one stands as default\.books_bak_restoring_\w+: nothing has the name default\.books_bak/,
    );
  });

  test("is not chosen where it moved aside and somebody made another under its name: both are said", async () => {
    world.milvus("dr").fail("renameCollection", new PipelineError("MilvusBusy", "restarts"), {
      when: (_, to) => to === target.collection,
      times: 1,
    });
    await tried(restore());
    addOld(world, { id: "8", rows: 5n });

    for (const [name, rest] of [
      ["two", {}],
      ["three", { discard: true }],
    ] as const) {
      const error = await tried(restore(rest, name));
      expect(error).toMatchObject({ name: "TargetExists", message: expect.stringContaining(aside.collection) });
    }
    expect(await standing(world)).toMatchObject({ books_bak: { id: "8" }, [aside.collection]: { id: oldId } });
  });

  test("is gone, and the new one the only copy: a discard refuses", async () => {
    world.milvus("dr").fail("renameCollection", new PipelineError("MilvusBusy", "restarts"), {
      when: (_, to) => to === target.collection,
      times: 1,
    });
    await tried(restore());
    await world.milvus("dr").dropCollection(aside);

    const error = await tried(restore({ discard: true }, "two"));

    expect(error?.message).toMatch(
      /nothing stands as default\.books_bak, and the new one as default\.books_bak_restoring_\w+/,
    );
    expect(Object.values(await standing(world))).toMatchObject([{ rows: 32n }]);
  });
});

test("a discard of many collections whose imports hang has one deadline for all", async () => {
  const world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: { pollsPerImport: 1_000_000 } },
  });
  const names = Array.from({ length: 20 }, (_, index) => `c${index}`);
  names.forEach((name, index) => {
    const collectionId = String(1000 + index);
    const segment = { collectionId, partitionId: "1", id: `${collectionId}9`, rows: 3n };
    world.seedSegment("prod", segment);
    world.milvus("prod").addCollection(collectionDescription(name, { id: collectionId }), {
      partitions: [{ id: "1", name: "_default" }],
      segments: [{ ...segment, state: "Flushed", isL0: false, storageVersion: "0" }],
    });
  });
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  const many: RestoreInput = { environment: "dr", backupName: "nightly", suffix: "_bak" };
  const stopped = new Error("stopped");
  await tried(
    runRestore(world.context(), many, executionOf("one"), {
      after: (step) => {
        if (step === "import") throw stopped;
      },
    }),
  );
  const began = world.memory.clock.now().getTime();

  await runRestore(world.context(), { ...many, discard: true }, executionOf("two"));

  expect(world.memory.clock.now().getTime() - began).toBeLessThan(240_000);
  expect(await world.milvus("dr").listCollections("default")).toEqual([]);
});

describe.each<FaultMoment>(["before", "after"])(
  "several names that each replace, killed %s any call of Finish Restore",
  (moment) => {
    const several: RestoreInput = {
      environment: "dr",
      backupName: "nightly",
      renames: { books: ["first", "second"] },
      collections: ["books"],
      dropExisting: true,
    };
    const both = {
      first: { id: expect.any(String), rows: 32n, aliases: ["library", "of_first"] },
      second: { id: expect.any(String), rows: 32n, aliases: ["of_second"] },
    };

    async function seededTwice(): Promise<PipelineWorld> {
      const world = await backedUpShop();
      addOld(world, { name: "first", id: "8000000000000001", aliases: ["of_first"] });
      addOld(world, { name: "second", id: "8000000000000002", aliases: ["of_second"] });
      return world;
    }

    test("is finished by the same restore, and neither name is ever without its rows elsewhere", async () => {
      const counting = new FaultInjector();
      let before = 0;
      const whole = await seededTwice();
      await runRestore(whole.context(counting), several, executionOf("one"), {
        after: (step) => {
          if (step === "import") before = counting.calls.length;
        },
      });
      expect(await standing(whole)).toEqual(both);
      for (let at = before; at < counting.calls.length; at += 1) {
        const world = await seededTwice();
        const faults = new FaultInjector(at, moment);
        const error = await tried(runRestore(world.context(faults), several, executionOf("one")));
        const what = `${moment} ${faults.calls[at]}`;
        const there = await standing(world);
        for (const name of ["first", "second"]) {
          const old = Object.entries(there).find(([key]) => key.startsWith(`${name}_replaced_`));
          expect(there[name]?.rows ?? old?.[1].rows, what).toBeOneOf([7n, 32n]);
        }
        if (error !== undefined && world.work.keys("restores/").length > 0) {
          await runRestore(world.context(), several, executionOf("two"));
        }
        expect(await standing(world), what).toEqual(both);
      }
    });

    test("is discarded with both old ones under their names, or refused with nothing changed", async () => {
      const counting = new FaultInjector();
      let before = 0;
      await runRestore((await seededTwice()).context(counting), several, executionOf("one"), {
        after: (step) => {
          if (step === "import") before = counting.calls.length;
        },
      });
      for (let at = before; at < counting.calls.length; at += 1) {
        const world = await seededTwice();
        const faults = new FaultInjector(at, moment);
        await tried(runRestore(world.context(faults), several, executionOf("one")));
        const what = `${moment} ${faults.calls[at]}`;
        const left = await standing(world);
        const refused = await tried(runRestore(world.context(), { ...several, discard: true }, executionOf("two")));
        const there = await standing(world);
        if (refused !== undefined) {
          expect(refused.name, what).toBe("TargetExists");
          expect(there, what).toEqual(left);
        }
        for (const name of ["first", "second"]) {
          const old = Object.entries(there).find(([key]) => key.startsWith(`${name}_replaced_`));
          expect(there[name]?.rows ?? old?.[1].rows, what).toBeOneOf([7n, 32n]);
        }
      }
    });
  },
);

test.each<FaultMoment>(["before", "after"])(
  "a discard killed %s any of its calls gives the old one its name back when it is asked again",
  async (moment) => {
    async function movedAside(): Promise<PipelineWorld> {
      const world = await seeded();
      const toTarget = (name: unknown, to: unknown) =>
        JSON.stringify(name).includes("_restoring_") && to === target.collection;
      const busy = new PipelineError("MilvusUnreachable", "away");
      world.milvus("dr").fail("renameCollection", busy, { when: toTarget, times: 1 });
      await tried(runRestore(world.context(), input, executionOf("one")));
      expect((await standing(world))[aside.collection]?.rows).toBe(7n);
      return world;
    }
    const discard = { ...input, discard: true };
    const old = { [target.collection]: { id: oldId, rows: 7n, aliases: ["library", "reading"] } };
    const counting = new FaultInjector();
    const whole = await movedAside();
    await runRestore(whole.context(counting), discard, executionOf("two"));
    expect(await standing(whole)).toEqual(old);

    for (let at = 0; at < counting.calls.length; at += 1) {
      const world = await movedAside();
      const faults = new FaultInjector(at, moment);
      await tried(runRestore(world.context(faults), discard, executionOf("two")));
      await tried(runRestore(world.context(), discard, executionOf("three")));
      expect(await standing(world), `${moment} ${faults.calls[at]}`).toEqual(old);
    }
  },
);
