import { beforeEach, describe, expect, test } from "vitest";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import type { PrepareBackupContext } from "../../../../src/steps/backup/prepare-backup.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const input = { environment: "prod", backupName: "nightly" };
const first = executionOf("first");
const second = executionOf("second");

/** All that a backup leaves: its files with their bytes, and what it holds. */
function outcome(world: PipelineWorld) {
  const bucket = world.bucket("bucket-b");
  return {
    files: Object.fromEntries(bucket.keys().map((key) => [key, withoutLaterRows(bucket.read(key) ?? "")])),
    pauses: world.milvus("prod").openPauses,
    flushes: world.milvus("prod").calls.filter((call) => call.startsWith("flush ")).length,
  };
}

/** A flush whose answer is lost has sealed: the next one, later, finds less to seal. */
function withoutLaterRows(text: string): string {
  return text.replace(/"laterRows": \[[^\]]*\]/g, "");
}

function seededWorld(): PipelineWorld {
  const world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version: "2.4.0" } },
  });
  seedShop(world);
  return world;
}

/** A pause whose answer is lost, which could not be written down, or not ended, ends by itself: nobody knows its ticket. */
function mayLosePause(call = ""): boolean {
  return /GarbageCollection|held\.json/.test(call);
}

let undisturbed: ReturnType<typeof outcome>;
let calls: readonly string[];

beforeEach(async () => {
  const world = seededWorld();
  const faults = new FaultInjector();
  await runBackup(world.context(faults), input, second);
  undisturbed = outcome(world);
  calls = faults.calls;
});

test("an undisturbed backup writes its commit record last and gives back what it held", () => {
  const { claim, meta, root } = backupLayout("backup", "nightly");
  const writes = calls.filter((call) => /^bucket-b(\.(putText|copyFrom|delete)| upload of .*\.finish)/.test(call));

  expect(writes[0]).toContain(claim);
  expect(writes.at(-1)).toBe(`bucket-b.deleteKeys ${JSON.stringify([claim])}`);
  expect(writes.filter((call) => !call.includes(claim)).at(-1)).toContain(meta.full_meta);
  expect(Object.keys(undisturbed.files).every((key) => key.startsWith(root))).toBe(true);
  expect(undisturbed.pauses).toEqual([]);
});

test("killed before any call and never released, it is made whole by the same command in a new execution", async () => {
  for (let at = 0; at < calls.length; at += 1) {
    const world = seededWorld();
    const faults = new FaultInjector(at, "before");
    await runBackup(world.context(faults), input, first, { release: false }).catch(() => undefined);
    const { full_meta } = backupLayout("backup", "nightly").meta;
    const committed = world.bucket("bucket-b").read(full_meta) !== undefined;
    const again = runBackup(world.context(), input, second);

    if (committed) await expect(again, calls[at]).rejects.toMatchObject({ name: "BackupExists" });
    else await again;

    expect(outcome(world).files[full_meta], calls[at]).toBeDefined();
    if (!committed) expect(outcome(world).files, calls[at]).toEqual(undisturbed.files);
  }
});

test("killed before any call, another deployment of the same backup root waits for two hours, and then makes it whole", async () => {
  const theirs = (world: PipelineWorld): PrepareBackupContext => ({
    ...world.context(),
    work: new MemoryObjectStore("theirs"),
  });
  for (let at = 0; at < calls.length; at += 1) {
    const world = seededWorld();
    world.memory.unknown.add(first.id);
    await runBackup(world.context(new FaultInjector(at)), input, first, { release: false }).catch(() => undefined);
    const { claim, meta } = backupLayout("backup", "nightly");
    const bucket = world.bucket("bucket-b");
    if (bucket.read(meta.full_meta) !== undefined || bucket.read(claim) === undefined) continue;

    await expect(runBackup(theirs(world), input, second), calls[at]).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringContaining("the name is free at 2026-11-21T13:03:07"),
    });
    await world.memory.clock.sleep(2 * 3_600_000);
    await runBackup(theirs(world), input, second);

    // two hours later is another instant, and so are the metas that tell it
    const { files } = outcome(world);
    const logsOf = (all: Record<string, string>) =>
      Object.fromEntries(Object.entries(all).filter(([key]) => key.includes("/binlogs/")));
    expect(Object.keys(files).sort(), calls[at]).toEqual(Object.keys(undisturbed.files).sort());
    expect(logsOf(files), calls[at]).toEqual(logsOf(undisturbed.files));
  }
});

describe.each<FaultMoment>(["before", "after"])("a fault %s any call", (moment) => {
  test("is survived by running the step again, with the same backup byte for byte", async () => {
    for (let at = 0; at < calls.length; at += 1) {
      const world = seededWorld();
      const faults = new FaultInjector(at, moment);

      await runBackup(world.context(faults), input, second, { retries: 1 });

      const { flushes, pauses, ...left } = outcome(world);
      expect(left, `${moment} ${faults.calls[at]}`).toEqual({ files: undisturbed.files });
      expect(flushes, `${moment} ${faults.calls[at]}`).toBeLessThanOrEqual(undisturbed.flushes + 2);
      if (!mayLosePause(calls[at])) expect(pauses, `${moment} ${faults.calls[at]}`).toEqual([]);
    }
  });

  test("leaves nothing held and no backup, and the same command in a new execution makes it whole", async () => {
    for (let at = 0; at < calls.length; at += 1) {
      const world = seededWorld();
      const faults = new FaultInjector(at, moment);
      const context = world.context(faults);
      const what = `${moment} ${calls[at]}`;

      const failed = await runBackup(context, input, first).then(
        () => undefined,
        (error: Error) => error,
      );
      const committed = world.bucket("bucket-b").read(backupLayout("backup", "nightly").meta.full_meta) !== undefined;
      if (!failed || committed) continue;
      await runBackup(context, input, second);

      const { flushes: _, pauses, ...left } = outcome(world);
      expect(left, what).toEqual({ files: undisturbed.files });
      if (!mayLosePause(calls[at])) expect(pauses, what).toEqual([]);
    }
  });
});
