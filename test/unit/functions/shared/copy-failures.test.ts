import { describe, expect, it } from "vitest";
import { explainMapFailure, recordCopyFailure, tellingWhy } from "../../../../functions/shared/copy-failures.ts";
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

  it("takes a batch that was still tried again for the reason only where there is no other", async () => {
    const work = new MemoryObjectStore("work");
    const died = { Error: "Runtime.ExitError", Cause: "" };
    // the map was ended by another batch while these two went on: one gently, one after a wait
    void tellingWhy({ execution: "one", batchKey: layout.batch("0-000000"), died }, work, () => new Promise(() => {}));
    await recordCopyFailure(work, layout.batch("0-000001"), new PipelineError("StoreBusy", "slow down"));
    const killed = await explainMapFailure(work, layout, mapFailure);
    expect(killed.Error).toBe("StepKilled");
    // of what the last try died is not known to who began it
    expect(killed.Cause).toMatch(/Copy Segments was killed, and not seen to end when it was tried once more/);

    for (let nth = 100; nth < 150; nth += 1) {
      await recordCopyFailure(work, layout.batch(`0-000${nth}`), new PipelineError("StoreBusy", "slow down"));
      work.seed(layout.receipt(`0-000${nth}`), "{}");
    }
    await recordCopyFailure(work, layout.batch("0-000200"), new PipelineError("StoreAccessDenied", "grant PutObject"));
    expect((await explainMapFailure(work, layout, mapFailure)).Error).toBe("StoreAccessDenied");
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
