import { describe, expect, it } from "vitest";
import { explainMapFailure, recordCopyFailure } from "../../../../functions/shared/copy-failures.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

const layout = workLayout("backup", "one");
const mapFailure = { Error: "States.ExceedToleratedFailureThreshold", Cause: "The threshold was exceeded" };

describe("explainMapFailure", () => {
  it("says what the first failed batch failed with", async () => {
    const work = new MemoryObjectStore("work");
    await recordCopyFailure(work, layout.batch("0-000001"), new PipelineError("StoreAccessDenied", "grant PutObject"));
    await recordCopyFailure(work, layout.batch("0-000002"), new PipelineError("StoreFailed", "another"));

    const explained = await explainMapFailure(work, layout, mapFailure);

    expect(explained.Error).toBe("StoreAccessDenied");
    expect(JSON.parse(explained.Cause)).toMatchObject({
      errorType: "StoreAccessDenied",
      errorMessage: expect.stringContaining("grant PutObject"),
    });
  });

  it("passes over a batch that was copied when it was tried again", async () => {
    const work = new MemoryObjectStore("work");
    await recordCopyFailure(work, layout.batch("0-000001"), new PipelineError("StoreBusy", "slow down"));
    work.seed(layout.receipt("0-000001"), "{}");
    await recordCopyFailure(work, layout.batch("0-000002"), new PipelineError("CopyMismatch", "sizes differ"));

    expect((await explainMapFailure(work, layout, mapFailure)).Error).toBe("CopyMismatch");
  });

  it("says where to look when batches failed without leaving a reason", async () => {
    const explained = await explainMapFailure(new MemoryObjectStore("work"), layout, mapFailure);

    expect(explained.Error).toBe("States.ExceedToleratedFailureThreshold");
    expect(JSON.parse(explained.Cause)).toMatchObject({
      errorMessage: expect.stringContaining("a batch failed without saying why"),
    });
  });

  it("leaves every other failure as it is, and that of an item file nobody could read", async () => {
    const work = new MemoryObjectStore("work");
    const timeout = { Error: "States.Timeout", Cause: "" };
    const noItems = { Error: "States.ItemReaderFailed", Cause: "access denied" };

    expect(await explainMapFailure(work, layout, noItems)).toBe(noItems);
    await recordCopyFailure(work, layout.batch("0-000001"), new PipelineError("StoreFailed", "broken"));
    expect(await explainMapFailure(work, layout, timeout)).toBe(timeout);
  });
});

describe("recordCopyFailure", () => {
  it("does not hide the failure behind one of its own", async () => {
    const work = new MemoryObjectStore("work");
    work.failOn(
      () => true,
      () => new PipelineError("StoreFailed", "the work bucket is gone"),
    );

    await expect(recordCopyFailure(work, layout.batch("0-000001"), new Error("copy failed"))).resolves.toBeUndefined();
  });
});
