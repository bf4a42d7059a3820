import { beforeEach, expect, test } from "vitest";
import type { CopyItem, TransferInput } from "../../../../src/core/execution/messages.ts";
import { backupLayout, sharedLayout } from "../../../../src/core/format/layout.ts";
import { copySegments } from "../../../../src/steps/copy/copy-segments.ts";
import { sourceOf } from "../../../../src/steps/shared/segment-claims.ts";
import { finalizeTransfer } from "../../../../src/steps/transfer/finalize-transfer.ts";
import { prepareTransfer } from "../../../../src/steps/transfer/prepare-transfer.ts";
import { releaseTransfer } from "../../../../src/steps/transfer/release-transfer.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore, runVerify } from "../../../support/run-machines.ts";
import { addBookSegment, seedShop } from "../../../support/seed-shop.ts";

let world: PipelineWorld;
beforeEach(async () => {
  world = newWorld();
  await backUp("night_1");
});

function newWorld(): PipelineWorld {
  const made = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version: "2.4.15" } },
    far: { milvusAt: "bucket-c/files", backupAt: "bucket-c/copies", milvus: { version: "2.4.15" } },
  });
  seedShop(made);
  const users = [{ name: "app", password: "its-hash", roles: ["reader"] }];
  made.milvus("prod").rbac = { users, roles: ["reader"], grants: [], privilegeGroups: [] };
  return made;
}

async function backUp(name: string, incremental = true) {
  const input = { environment: "prod", backupName: name, rbac: true, ...(incremental && { incremental }) };
  return runBackup(world.context(), input, executionOf(name));
}

/** The machine `transfer`, in process; a failure is released and thrown. */
async function transfer(
  name: string,
  options: Partial<TransferInput> = {},
  faults?: FaultInjector,
  run = `copy-${name}`,
) {
  const context = world.context(faults);
  const execution = executionOf(run);
  const request = { execution, input: { backupName: name, from: "prod", to: "far", ...options }, attempt: 0 };
  try {
    const { itemsKey } = await prepareTransfer(request, context);
    const items = JSON.parse(await context.work.getText(itemsKey)) as CopyItem[];
    for (const { batchKey } of items) await copySegments({ execution: run, batchKey }, context);
    return await finalizeTransfer(request, context);
  } catch (error) {
    if (faults === undefined) await releaseTransfer({ ...request, failure: { Error: "E", Cause: "" } }, context);
    throw error;
  }
}

const source = () => sourceOf(world.environment("prod").storage);
const there = () => world.bucket("bucket-c");
const shared = () => sharedLayout("copies", source());

async function rowsRestored(name: string): Promise<string | undefined> {
  const input = { environment: "far", backupName: name, suffix: `_${name}` };
  const result = await runRestore(world.context(), input, executionOf(`restore-${name}`));
  return "waitSeconds" in result ? result.collections.find(({ from }) => from === "default.books")?.rows : undefined;
}

test("a copy of an incremental backup is incremental there too: the next one moves only what is new", async () => {
  expect(await transfer("night_1")).toMatchObject({ objects: 13, skippedObjects: 0 });
  addBookSegment(world, "470000000000000399");
  await backUp("night_2");

  expect(await transfer("night_2")).toMatchObject({ objects: 17, skippedObjects: 12 });

  expect(there().keys(shared().insertLogs)).toHaveLength(16);
  expect(there().keys(shared().claims)).toEqual([]);
  const files = (bucket: string, root: string) =>
    world
      .bucket(bucket)
      .keys(root)
      .map((key) => key.slice(root.length));
  expect(files("bucket-c", "copies/night_2/")).toEqual(files("bucket-b", "backup/night_2/"));
  expect(await rowsRestored("night_1")).toBe("32");
  expect(await rowsRestored("night_2")).toBe("36");
});

test("--plain makes it what a plain backup is, byte for byte but for the manifest", async () => {
  await backUp("plain", false);
  const plain = backupLayout("backup", "plain");

  await transfer("night_1", { plain: true });

  const { root, meta, manifest } = backupLayout("copies", "night_1");
  expect(there().keys("copies/milvus-backup-segments/")).toEqual([]);
  const relative = (bucket: string, at: string) =>
    world
      .bucket(bucket)
      .keys(at)
      .map((key) => key.slice(at.length));
  expect(relative("bucket-c", root)).toEqual(relative("bucket-b", plain.root));
  expect(there().read(`${root}meta/full_meta.json`)).toContain("its-hash");
  const own = backupLayout("backup", "night_1", source());
  expect(there().read(meta.full_meta)).toBe(world.bucket("bucket-b").read(own.meta.full_meta));
  const index = JSON.parse(there().read(manifest) ?? "");
  expect(index).toMatchObject({ version: 2, objects: 13 });
  expect(index).not.toHaveProperty("incremental");
  expect(await rowsRestored("night_1")).toBe("32");
  // again: it is there already
  expect(await transfer("night_1", { plain: true }, undefined, "again")).toMatchObject({ outcome: "already-there" });
});

test("a copy is refused over one of the other kind", async () => {
  await transfer("night_1");
  await expect(transfer("night_1", { plain: true }, undefined, "plain")).rejects.toMatchObject({
    name: "BackupExists",
    message: expect.stringContaining("an incremental backup night_1 exists"),
  });
  const layout = backupLayout("copies", "night_1", source());
  expect(there().read(layout.meta.full_meta)).toBeDefined();
});

test("what is stored there with other content is told, and stays", async () => {
  const [key = ""] = world.bucket("bucket-b").keys(`backup/milvus-backup-segments/${source()}/insert_log/`);
  const other = key.replace("backup/", "copies/");
  there().seed(other, "something else");

  await expect(transfer("night_1")).rejects.toMatchObject({
    name: "CopyMismatch",
    message: expect.stringMatching(/other content.*14 bytes.*sweep/),
  });
  expect(there().read(other)).toBe("something else");
  expect(there().read(backupLayout("copies", "night_1", source()).meta.full_meta)).toBeUndefined();
});

test.each(["kept", "plain"])(
  "killed before any call, a copy that is %s is made whole by the same command",
  async (kind) => {
    const options = kind === "plain" ? { plain: true } : {};
    const counted = new FaultInjector();
    await transfer("night_1", options, counted);
    const contents = () =>
      Object.fromEntries(
        there()
          .keys("copies/")
          .map((key) => [key, there().read(key)]),
      );
    const undisturbed = contents();
    for (let at = 0; at < counted.calls.length; at += 1) {
      world = newWorld();
      await backUp("night_1");
      await transfer("night_1", options, new FaultInjector(at), "first").catch(() => undefined);
      await transfer("night_1", options, undefined, "second");

      const claims = `${shared().claims}`;
      const left = Object.fromEntries(Object.entries(contents()).filter(([key]) => !key.startsWith(claims)));
      expect(left, counted.calls[at]).toEqual(undisturbed);
    }
  },
);

test("takes no record of verifications along: the copy is another thing", async () => {
  await backUp("plain_1", false);
  for (const backupName of ["night_1", "plain_1"]) {
    await runVerify(world.context(), { environment: "prod", backupName }, executionOf(`verify-${backupName}`));
    await transfer(backupName);
  }

  const records = (bucket: string) =>
    world
      .bucket(bucket)
      .keys()
      .filter((key) => key.endsWith("-verified.json"));
  expect(records("bucket-b")).toHaveLength(2);
  expect(records("bucket-c")).toEqual([]);
});
