import fc from "fast-check";
import { expect, test } from "vitest";
import type { ObjectStore } from "../../../../src/ports/object-store.ts";
import type { PrepareBackupContext } from "../../../../src/steps/backup/prepare-backup.ts";
import { deleteBackup } from "../../../../src/steps/catalog/delete-backup.ts";
import { findBackup } from "../../../../src/steps/shared/find-backup.ts";
import { sweepSegments } from "../../../../src/steps/shared/sweep-segments.ts";
import { backUp, deployment, incrementalWorld, lacking } from "../../../support/incremental-world.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { addBookSegment, compactBooks } from "../../../support/seed-shop.ts";

/**
 * Backups, deletions and sweeps at once, each call to the backup store in an order that fast-check chooses, some of them killed on the way:
 * after every change to the store each complete backup has all of its objects.
 */
const place = { rootPath: "backup", address: "127.0.0.1", port: 4566, bucket: "bucket-b" };

/** A process that was killed: none of its calls is answered any more. */
const never = new Promise<never>(() => undefined);

interface Actor {
  readonly name: string;
  /** After so many calls to the store it is killed; never where absent. */
  readonly killedAfter: number | undefined;
}

/** What an actor gets: its calls to stores wait for their turn. */
function scheduled(
  world: PipelineWorld,
  actor: Actor,
  scheduler: fc.Scheduler,
  check: () => Promise<void>,
): PrepareBackupContext {
  const context = world.context();
  let calls = 0;
  const wrap = (store: ObjectStore): ObjectStore =>
    new Proxy(store, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function" || typeof property !== "string") return value;
        if (property === "list" || property === "readText") {
          return (...args: unknown[]) => listed(() => Reflect.apply(value, target, args));
        }
        if (property === "openText") return (...args: unknown[]) => wrap(Reflect.apply(value, target, args));
        return async (...args: unknown[]) => {
          await turn(property);
          const answer = await Reflect.apply(
            value,
            target,
            args.map((argument) => stores.get(argument as object) ?? argument),
          );
          if (/put|copy|delete|finish/.test(property)) await check();
          return answer;
        };
      },
    });
  const turn = async (what: string) => {
    calls += 1;
    if (actor.killedAfter !== undefined && calls > actor.killedAfter) await never;
    await scheduler.schedule(Promise.resolve(), `${actor.name}.${what}`);
  };
  async function* listed(list: () => AsyncIterable<unknown>) {
    await turn("list");
    yield* list();
  }
  const stores = new Map<object, ObjectStore>();
  return {
    ...context,
    openStore: async (...args) => {
      const store = await context.openStore(...args);
      const wrapped = wrap(store);
      stores.set(wrapped, store);
      return wrapped;
    },
    clock: {
      now: context.clock.now,
      sleep: async (milliseconds) => {
        await turn("sleep");
        await context.clock.sleep(milliseconds);
      },
    },
  };
}

const actors = fc.record({
  /** The second backup of the first deployment, and one of another at the same time. */
  killBackup: fc.option(fc.integer({ min: 1, max: 150 }), { nil: undefined, freq: 3 }),
  killOther: fc.option(fc.integer({ min: 1, max: 150 }), { nil: undefined, freq: 3 }),
  killDelete: fc.option(fc.integer({ min: 1, max: 25 }), { nil: undefined, freq: 3 }),
  killSweep: fc.option(fc.integer({ min: 1, max: 25 }), { nil: undefined, freq: 3 }),
  /** Turns that pass before the two begin: a backup takes many more than they do. */
  deleteAfter: fc.integer({ min: 0, max: 200 }),
  sweepAfter: fc.integer({ min: 0, max: 200 }),
  /** What happens to the collection between the backups. */
  change: fc.constantFrom("nothing", "insert", "compact"),
});

test("no order of backups, deletions, sweeps and kills leaves a complete backup without an object", async () => {
  await fc.assert(
    fc.asyncProperty(actors, fc.scheduler(), async (plan, scheduler) => {
      const world = incrementalWorld();
      await backUp(world, "night_1");
      if (plan.change === "insert") addBookSegment(world, "470000000000000399");
      if (plan.change === "compact") compactBooks(world);
      world
        .bucket("bucket-b")
        .seed(`backup/milvus-backup-segments/${sourceOf(world)}/insert_log/1/2/3/3/100/4`, "left over");
      const violations: string[] = [];
      const check = async () => void violations.push(...(await lacking(world)));
      const context = (name: string, killedAfter: number | undefined) =>
        scheduled(world, { name, killedAfter }, scheduler, check);
      const backup = (name: string, killedAfter: number | undefined) => {
        const execution = executionOf(name);
        world.memory.running.add(execution.id);
        const input = { environment: "prod", backupName: name, incremental: true };
        return runBackup(context(name, killedAfter), input, execution).finally(() =>
          world.memory.running.delete(execution.id),
        );
      };
      const sweep = async (name: string, killedAfter: number | undefined) => {
        const sweeping = context(name, killedAfter);
        const store = await sweeping.openStore({ environment: "prod", side: "backup" });
        return sweepSegments(store, place, { holder: name, deployment }, sweeping);
      };
      const remove = async (name: string, killedAfter: number | undefined) => {
        const deleting = context(name, killedAfter);
        const store = await deleting.openStore({ environment: "prod", side: "backup" });
        const request = { place, holder: name, deployment };
        await deleteBackup(await findBackup(store, place, "night_1"), request, deleting);
        await sweepSegments(store, place, request, deleting);
      };
      // whatever becomes of each: it may be killed, or find that somebody else is at work
      void backup("night_2", plan.killBackup).catch(() => undefined);
      void backup("night_3", plan.killOther).catch(() => undefined);
      const after = async (turns: number, begin: () => Promise<unknown>) => {
        for (let turn = 0; turn < turns; turn += 1) await scheduler.schedule(Promise.resolve(), "wait");
        await begin();
      };
      void after(plan.deleteAfter, () => remove("delete", plan.killDelete)).catch(() => undefined);
      void after(plan.sweepAfter, () => sweep("sweep", plan.killSweep)).catch(() => undefined);
      await scheduler.waitIdle();
      await check();
      expect(violations).toEqual([]);
    }),
    { numRuns: 300 },
  );
}, 300_000);

function sourceOf(world: PipelineWorld): string {
  const [key = ""] = world.bucket("bucket-b").keys("backup/milvus-backup-segments/");
  return key.split("/")[2] ?? "";
}

const sequences = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("create" as const), incremental: fc.boolean() }),
    fc.record({ do: fc.constantFrom("insert" as const, "compact" as const, "sweep" as const) }),
    fc.record({ do: fc.constant("delete" as const), which: fc.nat() }),
  ),
  { minLength: 3, maxLength: 14 },
);

test("after any sequence every backup that is listed restores completely", async () => {
  await fc.assert(
    fc.asyncProperty(sequences, async (sequence) => {
      const world = incrementalWorld();
      const rows = new Map<string, bigint>();
      let number = 0;
      let standing = 32n;
      for (const step of sequence) {
        number += 1;
        if (step.do === "insert") {
          addBookSegment(world, `47000000000000${String(1000 + number)}`);
          standing += 4n;
        } else if (step.do === "compact" && standing === 32n && number > 1 && sequence[0]?.do === "create") {
          compactBooks(world);
        } else if (step.do === "create") {
          const name = `backup_${number}`;
          const input = { environment: "prod", backupName: name, ...(step.incremental && { incremental: true }) };
          await runBackup(world.context(), input, executionOf(name));
          rows.set(name, standing);
        } else if (step.do === "delete" && rows.size > 0) {
          const name = [...rows.keys()][step.which % rows.size] ?? "";
          const context = world.context();
          const store = world.bucket("bucket-b");
          const request = { place, holder: `delete ${name}`, deployment };
          await deleteBackup(await findBackup(store, place, name), request, context);
          await sweepSegments(store, place, request, context);
          rows.delete(name);
        } else if (step.do === "sweep") {
          await sweepSegments(world.bucket("bucket-b"), place, { holder: "sweep", deployment }, world.context());
        }
      }
      expect(await lacking(world)).toEqual([]);
      for (const [name, expected] of rows) {
        const input = { environment: "dr", backupName: name, suffix: `_${name}` };
        const result = await runRestore(world.context(), input, executionOf(`restore-${name}`));
        const restored =
          "waitSeconds" in result ? result.collections.find(({ from }) => from === "default.books") : undefined;
        expect(restored?.rows, name).toBe(expected.toString());
      }
    }),
    { numRuns: 300 },
  );
}, 300_000);
