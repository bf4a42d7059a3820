import { beforeEach, expect, test } from "vitest";
import type { CopyReceipt } from "../../../../src/core/execution/copy-plan.ts";
import { batchName, workLayout } from "../../../../src/core/execution/work-layout.ts";
import { checkBackupReceipts, readBackupReceipts } from "../../../../src/steps/shared/backup-receipts.ts";
import { collected } from "../../../support/collected.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";

const layout = workLayout("restore", "r");
let world: PipelineWorld;

beforeEach(() => {
  world = new PipelineWorld();
});

/** One receipt for each outcome, of a batch with one segment. */
function seed(outcomes: readonly ("copied" | "mismatch" | "cancelled")[]): void {
  const batches = outcomes.map((_, index) => batchName(0, index));
  world.work.seed(layout.items(0), JSON.stringify(batches.map((batch) => ({ batchKey: layout.batch(batch) }))));
  for (const [index, outcome] of outcomes.entries()) {
    const segment = { collectionId: "1", partitionId: "2", segmentId: `${300 + index}`, insertLogs: [], deltaLogs: [] };
    const receipt: CopyReceipt = {
      batch: batches[index] ?? "",
      outcome: outcome === "cancelled" ? "cancelled" : "copied",
      objects: 1,
      bytes: 10,
      skippedObjects: 0,
      segments: outcome === "cancelled" ? [] : [{ ...segment, outcome }],
    };
    world.work.seed(layout.receipt(batches[index] ?? ""), JSON.stringify(receipt));
  }
}

const args = () => [world.context(), layout, "nightly", "Nothing was changed"] as const;

test("receipts come in order, and no more of them are read ahead than are worked on at once", async () => {
  seed(Array.from({ length: 200 }, () => "copied"));

  const receipts = readBackupReceipts(...args());
  expect((await receipts.next()).value).toMatchObject({ batch: batchName(0, 0) });

  expect(world.work.calls.filter((call) => call.includes("/receipts/")).length).toBeLessThan(50);
  expect((await collected(receipts)).map(({ batch }) => batch)).toEqual(
    Array.from({ length: 199 }, (_, index) => batchName(0, index + 1)),
  );
});

test("what is wrong is told at the end, counted, with the first ones by name", async () => {
  seed(["copied", ...Array.from({ length: 25 }, () => "mismatch" as const), "copied"]);

  await expect(checkBackupReceipts(...args())).rejects.toMatchObject({
    name: "CorruptBackup",
    message: expect.stringMatching(
      /^backup nightly does not hold what was backed up in 25 segments: segment 301: mismatch; .*segment 310: mismatch; and 15 more\. Nothing was changed$/,
    ),
  });
});

test("a batch that did not come to its end, or left no receipt, is not believed", async () => {
  seed(["copied", "cancelled"]);
  await expect(checkBackupReceipts(...args())).rejects.toMatchObject({
    name: "CopyMismatch",
    message: expect.stringContaining("1 batch was not copied to the end (cancelled)"),
  });

  world.work.remove(layout.receipt(batchName(0, 1)));
  await expect(checkBackupReceipts(...args())).rejects.toMatchObject({
    name: "CopyMismatch",
    message: expect.stringContaining("batch 0-000001 left no receipt"),
  });
});
