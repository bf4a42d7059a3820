import { beforeEach, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { CopyItem } from "../../../../src/core/execution/messages.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { finalizeBackup } from "../../../../src/steps/backup/finalize-backup.ts";
import { type PrepareBackupContext, prepareBackup } from "../../../../src/steps/backup/prepare-backup.ts";
import { releaseBackup } from "../../../../src/steps/backup/release-backup.ts";
import { type CopyContext, copySegments } from "../../../../src/steps/copy/copy-segments.ts";
import { pauseSeconds } from "../../../../src/steps/shared/gc-pause.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const execution = executionOf("one");
const request = { execution, input: { environment: "prod", backupName: "nightly" }, attempt: 0 };
const layout = workLayout("backup", execution.name);
const minutes = 60_000;

let world: PipelineWorld;
let context: PrepareBackupContext & CopyContext;

function newWorld(version: string): void {
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version } },
  });
  seedShop(world);
  const made = world.context();
  const garbageCollectionOf = async (name: string) => made.garbageCollection(await made.environments.get(name));
  context = { ...made, garbageCollectionOf };
}
beforeEach(() => newWorld("2.4.0"));

const items = (): CopyItem[] => JSON.parse(world.work.read(layout.items(0)) ?? "[]");
const copyAll = () =>
  Promise.all(items().map(({ batchKey }) => copySegments({ execution: execution.name, batchKey }, context)));
const pauses = () => world.milvus("prod").calls.filter((call) => call.startsWith("pauseGarbageCollection"));
const redo = () => {
  for (const { batchKey } of items()) world.work.remove(batchKey.replace("/batches/", "/receipts/"));
};

test("a pause is renewed while segments are copied, however long that takes, and never twice at once", async () => {
  await prepareBackup(request, context);
  for (let quarters = 1; quarters <= 8; quarters += 1) {
    await context.clock.sleep(15 * minutes);
    redo();
    await Promise.all([copyAll(), copyAll(), copyAll()]);
    expect(pauses()).toHaveLength(1 + quarters);
  }
  expect(new Set(pauses())).toEqual(new Set([`pauseGarbageCollection ${pauseSeconds}`]));
});

test("with tickets two pauses are open at most: Milvus keeps 64, and loses all of them with one more", async () => {
  await prepareBackup(request, context);
  for (let quarters = 1; quarters <= 8; quarters += 1) {
    await context.clock.sleep(15 * minutes);
    redo();
    await copyAll();
    expect(world.milvus("prod").openPauses).toHaveLength(2);
  }
});

test("an earlier pause that cannot be given back is ended with the backup", async () => {
  await prepareBackup(request, context);
  await context.clock.sleep(16 * minutes);
  await copyAll();
  world.milvus("prod").fail("resumeGarbageCollection", new PipelineError("MilvusUnreachable", "no"), { times: 1 });
  await context.clock.sleep(16 * minutes);
  redo();
  await copyAll();
  expect(world.milvus("prod").openPauses).toHaveLength(3);
  redo();
  await copyAll();

  await finalizeBackup(request, context);

  expect(world.milvus("prod").openPauses).toEqual([]);
});

test("every pause is ended where Milvus does not answer over gRPC", async () => {
  await prepareBackup(request, context);
  await copyAll();
  const away = new PipelineError("MilvusUnreachable", "19530 is closed");
  const failure = { Error: "MilvusUnreachable", Cause: away.message };

  await releaseBackup({ ...request, failure }, { ...context, connectMilvus: () => Promise.reject(away) });

  expect(world.milvus("prod").openPauses).toEqual([]);
});

test("a copy that begins soon after the pause does not renew it", async () => {
  await prepareBackup(request, context);
  await context.clock.sleep(14 * minutes);
  await copyAll();

  expect(pauses()).toHaveLength(1);
});

test("planning that takes several invocations renews it as well", async () => {
  await prepareBackup(request, context);
  await context.clock.sleep(16 * minutes);
  await prepareBackup(request, context);

  expect(pauses()).toHaveLength(2);
});

test("a pause whose record was never written is renewed by the first copy", async () => {
  await prepareBackup(request, context);
  world.work.remove(layout.pauseRenewals);
  await copyAll();

  expect(pauses()).toHaveLength(2);
});

test.each([
  ["backed up", () => finalizeBackup(request, context)],
  ["failed", () => releaseBackup({ ...request, failure: { Error: "StoreFailed", Cause: "no" } }, context)],
])("every pause is ended when the backup is %s, even where one has run out before", async (_, end) => {
  await prepareBackup(request, context);
  await context.clock.sleep(16 * minutes);
  await copyAll();
  expect(world.milvus("prod").openPauses).toHaveLength(2);
  world.milvus("prod").fail("resumeGarbageCollection", new PipelineError("MilvusFailed", "no such ticket"), {
    times: 1,
  });

  await end();

  expect(world.milvus("prod").openPauses).toHaveLength(1);
  expect(world.memory.logged).toContainEqual(
    expect.objectContaining({ message: expect.stringContaining("could not be resumed") }),
  );
});

test("a renewal that fails does not fail the copy, and is a warning of the backup", async () => {
  await prepareBackup(request, context);
  await context.clock.sleep(16 * minutes);
  const unreachable = new PipelineError("MilvusUnreachable", "port 9091 is closed: check backup.gcPause.address");
  world.milvus("prod").fail("pauseGarbageCollection", unreachable);

  expect(await copyAll()).toMatchObject([{ outcome: "copied" }]);
  const result = await finalizeBackup(request, context);

  expect(result.warnings).toEqual([expect.stringMatching(/could not be renewed.*backup\.gcPause\.address/)]);
  expect(world.milvus("prod").openPauses).toEqual([]);
});

test("nothing is paused again where the server cannot, the pause failed, or the execution is over", async () => {
  newWorld("2.3.5");
  await prepareBackup(request, context);
  await context.clock.sleep(16 * minutes);
  await copyAll();
  expect(pauses()).toHaveLength(1);

  newWorld("2.4.0");
  world.milvus("prod").fail("pauseGarbageCollection", new PipelineError("MilvusUnreachable", "no"), { times: 1 });
  await prepareBackup(request, context);
  await context.clock.sleep(16 * minutes);
  await copyAll();
  expect(pauses()).toHaveLength(1);

  newWorld("2.4.0");
  await prepareBackup(request, context);
  await releaseBackup({ ...request, failure: { Error: "StoreFailed", Cause: "no" } }, context);
  await context.clock.sleep(16 * minutes);
  await expect(copyAll()).rejects.toMatchObject({ name: "ClaimLost" });
  expect(world.milvus("prod").openPauses).toEqual([]);
});
