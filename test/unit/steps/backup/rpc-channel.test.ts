import { expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { prepareBackup } from "../../../../src/steps/backup/prepare-backup.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";

const execution = executionOf("nightly-1");
const input = { environment: "prod", backupName: "nightly" };

function worldOf(version: string): PipelineWorld {
  const world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version } },
  });
  world.milvus("prod").addCollection(collectionDescription("books", { id: "5" }));
  return world;
}

function meta(world: PipelineWorld) {
  return parseFullMeta(world.bucket("bucket-b").read("backup/nightly/meta/full_meta.json") ?? "").value;
}

test("Milvus 2.5 is asked where the channel of CDC stands, before any collection is looked at; the metas keep it", async () => {
  const world = worldOf("2.5.12");
  await runBackup(world.context(), input, execution);

  expect(meta(world).rpc_channel_info).toEqual({
    name: "by-dev-replicate-msg",
    position: btoa("by-dev-replicate-msg 1"),
  });
  const { calls } = world.milvus("prod");
  expect(calls.indexOf("rpcChannelPosition by-dev-replicate-msg")).toBeLessThan(calls.indexOf("flush default.books"));
  expect(world.bucket("bucket-b").read("backup/nightly/meta/backup_meta.json")).not.toContain("rpc_channel");
});

test("the first answer counts, however often the step runs, also in later attempts", async () => {
  const world = worldOf("2.5.12");
  const layout = workLayout("backup", execution.name);
  await prepareBackup({ execution, input, attempt: 0 }, world.context());
  await prepareBackup({ execution, input, attempt: 0 }, world.context());
  world.work.seed(layout.torn(0), JSON.stringify({ collectionIds: ["5"] }));
  await prepareBackup({ execution, input, attempt: 1 }, world.context());

  expect(JSON.parse(world.work.read(layout.plan) ?? "")).toMatchObject({
    rpcChannel: { position: btoa("by-dev-replicate-msg 1") },
  });
});

test("it is the channel that backup.yaml names", async () => {
  const world = worldOf("2.5.12");
  const { milvus } = world.environment("prod");
  world.registerAnew("prod", { milvus: { ...milvus, rpcChannelName: "other-replicate-msg" } });
  await runBackup(world.context(), input, execution);

  expect(meta(world).rpc_channel_info?.name).toBe("other-replicate-msg");
});

test.each(["2.4.15", "2.6.12"])("Milvus %s has none, and nothing is said of it", async (version) => {
  const world = worldOf(version);
  const { warnings } = await runBackup(world.context(), input, execution);

  expect(meta(world).rpc_channel_info).toBeUndefined();
  expect(warnings).toEqual([]);
});

test("a server that does not tell is no reason to fail: a warning says what it means", async () => {
  const world = worldOf("2.5.12");
  world.milvus("prod").fail("rpcChannelPosition", new PipelineError("MilvusFailed", "not today"));
  const { warnings } = await runBackup(world.context(), input, execution);

  expect(meta(world).rpc_channel_info).toBeUndefined();
  expect(warnings).toEqual([expect.stringMatching(/by-dev-replicate-msg \(milvus\.rpcChannelName\).*CDC.*not today/)]);
});
