import { beforeEach, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { RestoreInput } from "../../../../src/core/execution/messages.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { ExecutionFailed, executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const row = { collectionId: "5", partitionId: "6", state: "Flushed", isL0: false, storageVersion: "0" } as const;
const input: RestoreInput = {
  environment: "dr",
  backupName: "nightly",
  collections: ["books"],
  renames: { books: ["a", "b"] },
  dropExisting: true,
  trigger: "standby",
};
let world: PipelineWorld;

beforeEach(async () => {
  world = new PipelineWorld();
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  for (const [name, id] of [
    ["a", "7000000000000001"],
    ["b", "7000000000000002"],
  ] as const) {
    world
      .milvus("dr")
      .addCollection(collectionDescription(name, { id }), { segments: [{ ...row, id: `${id}1`, rows: 7n }] });
  }
});

const names = async () => (await world.milvus("dr").listCollections("default")).sort();

test("a triggered restore that failed between the names of two collections is finished with the input of the message", async () => {
  // b moved aside, Milvus gone when the new one is to get its name
  world.milvus("dr").fail("renameCollection", new PipelineError("MilvusBusy", "restarts"), {
    when: (_, to) => to === "b",
    times: 1,
  });
  const failed = await runRestore(world.context(), input, executionOf("one")).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(ExecutionFailed);
  expect((failed as ExecutionFailed).released.left).toContain("start the same restore again to go on");
  expect(await names()).not.toContain("b");

  const again = await runRestore(world.context(), input, executionOf("two"));

  expect(await names()).toEqual(["a", "b"]);
  expect(again).toMatchObject({ outcome: "restored" });
});

test("a triggered restore that failed while it loaded is finished with the input of the message", async () => {
  world.milvus("dr").fail("load", new Error("no memory"), { times: 1 });
  await expect(runRestore(world.context(), input, executionOf("one"))).rejects.toBeInstanceOf(ExecutionFailed);

  expect(await runRestore(world.context(), input, executionOf("two"))).toMatchObject({ outcome: "restored" });
});

test("metadata alone is not what a backup's trigger has nothing to add to", async () => {
  const { trigger: _, ...byHand } = input;
  await runRestore(world.context(), { ...byHand, metadataOnly: true, keepReplaced: true }, executionOf("one"));

  expect(await runRestore(world.context(), input, executionOf("two"))).toMatchObject({ outcome: "restored" });
});
