import { beforeEach, expect, test } from "vitest";
import { prepareTransfer } from "../../../../src/steps/transfer/prepare-transfer.ts";
import { releaseTransfer } from "../../../../src/steps/transfer/release-transfer.ts";
import {
  copyBatches,
  executionArn,
  type TransferWorld,
  transfer,
  transferRequest,
  transferWorld,
} from "../../../support/transfer-world.ts";

const failure = {
  Error: "Runtime.HandlerError",
  Cause: JSON.stringify({ errorType: "StoreAccessDenied", errorMessage: "no grant" }),
};

let world: TransferWorld;

beforeEach(() => {
  world = transferWorld();
  world.running.add(executionArn("first"));
});

function release(execution = "first") {
  return releaseTransfer({ ...transferRequest(execution), failure }, world.context);
}

test("stops the copies, gives the name free, keeps what is copied and says so", async () => {
  await prepareTransfer(transferRequest("first"), world.context);
  await copyBatches(world, "first");
  const before = world.destination.keys();

  const result = await release();

  expect(result.error).toBe("StoreAccessDenied");
  expect(result.left).toContain('milvus-backup --environment b delete -n my_backup --incomplete" removes them');
  expect(JSON.parse(result.cause)).toMatchObject({
    errorMessage: expect.stringMatching(/no grant\. What is left: segments already copied to b stay/),
  });
  expect(world.destination.keys()).toEqual(before);
  expect(JSON.parse(world.destination.read(world.to.claim) ?? "")).toMatchObject({ state: "failed" });
  expect(world.work.keys("readers/")).toEqual([]);
  expect(world.work.keys("executions/transfer/first/")).toEqual(
    expect.arrayContaining(["executions/transfer/first/cancelled", "executions/transfer/first/failure.json"]),
  );
  await expect(transfer(world, "second")).resolves.toMatchObject({ finalized: { outcome: "transferred" } });
});

test("while it runs its source is marked as read, and no longer when it is done", async () => {
  await prepareTransfer(transferRequest("first"), world.context);
  expect(world.work.keys("readers/")).toEqual([expect.stringMatching(/\/transfer-first\.json$/)]);

  await transfer(world, "first");
  expect(world.work.keys("readers/")).toEqual([]);
  expect(world.destination.read(world.to.claim)).toBeUndefined();
});

test("what failed before anything was planned leaves nothing", async () => {
  expect(await release()).toMatchObject({ error: "StoreAccessDenied", left: "" });
});

test("a backup that was there before stays one", async () => {
  await transfer(world, "first");
  await prepareTransfer(transferRequest("again"), world.context);

  expect(await release("again")).toMatchObject({ left: "" });
  expect(world.destination.read(world.to.meta.full_meta)).toBeDefined();
  expect(world.destination.read(world.to.claim)).toBeUndefined();
});
