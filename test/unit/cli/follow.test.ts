import { describe, expect, test } from "vitest";
import { followExecution } from "../../../cli/pipeline/follow.ts";
import type { ExecutionDescription, PipelineExecutions } from "../../../src/ports/pipeline-executions.ts";

const arn = "arn:aws:states:us-east-1:000000000000:execution:backup:create-1";
const running: ExecutionDescription = {
  arn,
  name: "create-1",
  stateMachineArn: "arn:aws:states:us-east-1:000000000000:stateMachine:backup",
  status: "running",
  startedAt: new Date(0),
  input: "{}",
};
const nothing = { copied: { segments: 0, objects: 0, bytes: 0 } };

/** An execution that ends after so many milliseconds of a clock that passes as it is slept. */
function world(
  endsAfter: number,
  calls: { describe?: () => void; state?: () => void; read?: () => Promise<void> } = {},
) {
  let now = 0;
  let looks = 0;
  const executions: Pick<PipelineExecutions, "describe" | "currentState"> = {
    async describe() {
      looks += 1;
      calls.describe?.();
      return now >= endsAfter ? { ...running, status: "succeeded" } : running;
    },
    async currentState() {
      calls.state?.();
      return "Copy Segments";
    },
  };
  const follow = (options: { quiet?: boolean; onProgress?: () => void } = {}) =>
    followExecution({
      executions: executions as PipelineExecutions,
      reader: {
        async read() {
          await calls.read?.();
          return nothing;
        },
      },
      executionArn: arn,
      clock: {
        now: () => new Date(now),
        async sleep(milliseconds) {
          now += milliseconds;
          await new Promise(setImmediate);
        },
      },
      quiet: options.quiet ?? false,
      onProgress: options.onProgress ?? (() => {}),
      signal: new AbortController().signal,
    });
  return { follow, now: () => now, looks: () => looks };
}

describe("following an execution", () => {
  test.each([0, 40, 730, 4_000, 25_000, 90_000, 3_600_000])(
    "sees the end of one that takes %d ms at once, and asks seldom",
    async (took) => {
      const { follow, now, looks } = world(took);

      expect((await follow())?.status).toBe("succeeded");

      expect(now() - took).toBeLessThanOrEqual(Math.max(50, Math.min(2_000, took / 20)));
      expect(looks()).toBeLessThan(250 + took / 2_000);
    },
  );

  test("does not wait for progress, which may never come", async () => {
    const { follow, now } = world(1_000, { read: () => new Promise(() => {}) });

    expect((await follow())?.status).toBe("succeeded");
    expect(now()).toBeLessThanOrEqual(1_050);
  });

  test("reads no progress that nobody sees", async () => {
    let reads = 0;
    const counted = async () => {
      reads += 1;
    };

    await world(5_000, { state: counted, read: counted }).follow({ quiet: true });
    expect(reads).toBe(0);
    await world(5_000, { state: counted, read: counted }).follow();
    expect(reads).toBeGreaterThan(0);
  });

  test("outlasts a few requests that fail, of either kind, and tells one that fails again and again", async () => {
    let calls = 0;
    const sometimes = () => {
      calls += 1;
      if (calls % 7 < 2) throw new Error("lost");
    };
    const denied = () => {
      throw new Error("denied");
    };

    expect((await world(20_000, { describe: sometimes, state: sometimes }).follow())?.status).toBe("succeeded");
    await expect(world(20_000, { describe: denied }).follow()).rejects.toThrow("denied");
    await expect(world(20_000, { state: denied }).follow()).rejects.toThrow("denied");
  });
});
