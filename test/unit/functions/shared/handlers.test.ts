import type { Context } from "aws-lambda";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { releaseHandler } from "../../../../functions/shared/release-handler.ts";
import { stepHandler } from "../../../../functions/shared/step-handler.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { readFailure, releasedFailure } from "../../../../src/core/execution/failure.ts";
import {
  type BackupStepRequest,
  backupStepRequest,
  type CaughtFailure,
} from "../../../../src/core/execution/messages.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import type { StepContext } from "../../../../src/ports/step-context.ts";
import { memoryContext } from "../../../support/memory-context.ts";

const execution = { name: "one", id: "arn:one", startTime: "2026-11-21T11:03:07Z" };
const input = { environment: "prod" };
const invocation = { functionName: "prepare-backup", awsRequestId: "request-1" } as Context;

function stepContext() {
  const memory = memoryContext();
  const context: StepContext = {
    ...memory,
    environments: {
      get: async (name) => {
        throw new PipelineError("UnknownEnvironment", name);
      },
      getVersion: async () => undefined,
    },
  };
  return { context, work: memory.work };
}

let written: string[];
beforeEach(() => {
  written = [];
  for (const method of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, method).mockImplementation((...parts) => void written.push(parts.join(" ")));
  }
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => written.push(String(chunk)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => written.push(String(chunk)) > 0);
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("stepHandler", () => {
  it("hands the parsed request to the step and its result back", async () => {
    const { context } = stepContext();
    const handler = stepHandler(
      backupStepRequest,
      async (request) => ({ outcome: request.input.environment }),
      context,
    );

    const result = await handler({ execution, input }, invocation);

    expect(result).toEqual({ outcome: "prod" });
  });

  it("throws what Step Functions can match on, and no more", async () => {
    const { context } = stepContext();
    const cause = Object.assign(new Error("denied"), { CanonicalRequest: "s3cret" });
    const handler = stepHandler(
      backupStepRequest,
      async () => {
        throw new PipelineError("StoreBusy", "slow down", { cause });
      },
      context,
    );

    const thrown = await handler({ execution, input }, invocation).catch((error: unknown) => error);

    expect(thrown).toMatchObject({ name: "StoreBusy", message: "StoreBusy: slow down", stack: "StoreBusy: slow down" });
    expect(thrown).not.toHaveProperty("cause");
  });

  it("calls no step for an input that is not valid, and writes none of it anywhere", async () => {
    const { context } = stepContext();
    const step = vi.fn(async () => ({}));
    const handler = stepHandler(backupStepRequest, step, context);

    const thrown = await handler({ execution, input: { ...input, password: "s3cret" } }, invocation).catch(
      (error: unknown) => error,
    );

    expect(thrown).toMatchObject({ name: "InvalidInput" });
    expect(step).not.toHaveBeenCalled();
    expect(written.join("\n")).not.toContain("s3cret");
  });
});

describe("releaseHandler", () => {
  const failure = { Error: "StoreFailed", Cause: '{"errorType":"StoreFailed","errorMessage":"broken"}' };
  const releasing = () => {
    const step = vi.fn(async (request: BackupStepRequest & { failure: CaughtFailure }) =>
      releasedFailure(request.failure, "copies"),
    );
    const { context, work } = stepContext();
    return { step, work, handler: releaseHandler("backup", backupStepRequest, step, context) };
  };

  it("hands the failure to the step", async () => {
    const { step, handler } = releasing();

    const result = await handler({ execution, input, failure }, invocation);

    expect(step.mock.calls[0]?.[0]).toEqual({ execution, input, attempt: 0, failure });
    expect(result).toMatchObject({ error: "StoreFailed", left: "copies" });
  });

  it("hands on which step gave no answer, and what to do, whatever the machine began with", async () => {
    const { step, handler } = releasing();
    const unanswered = { FinalizeBackup: { Error: "Runtime.ExitError", Cause: "" } };

    const result = await handler({ execution, input, failure, unanswered }, invocation);

    expect(step.mock.calls[0]?.[0].failure.Error).toBe("StepKilled");
    expect(result.error).toBe("StepKilled");
    expect(readFailure({ Error: result.error, Cause: result.cause }).message).toMatch(/^Finalize Backup was killed/);
  });

  it("hands on why a batch failed where the map only says that one did", async () => {
    const { work, handler } = releasing();
    const cause = JSON.stringify({ errorType: "StoreAccessDenied", errorMessage: "grant PutObject" });
    work.seed(`${workLayout("backup", "one").copyFailures}0-000001.json`, cause);
    const caught = { Error: "States.ExceedToleratedFailureThreshold", Cause: "exceeded" };

    const result = await handler({ execution, input, failure: caught }, invocation);

    expect(result.error).toBe("StoreAccessDenied");
    expect(result.cause).toContain("grant PutObject");
  });

  it("has nothing to release where the input was not valid to begin with", async () => {
    const { step, handler } = releasing();

    const result = await handler({ execution, input: { colections: [] }, failure }, invocation);

    expect(step).not.toHaveBeenCalled();
    expect(result).toMatchObject({ error: "StoreFailed", left: "" });
  });
});
