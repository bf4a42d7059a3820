import { describe, expect, test } from "vitest";
import { readFailure, releasedFailure, unansweredStep } from "../../../../src/core/execution/failure.ts";

const lambdaCause = (errorType: string, errorMessage: string) => JSON.stringify({ errorType, errorMessage, trace: [] });

describe("readFailure", () => {
  test("takes a Lambda's error from its cause, which emulators name in general only", () => {
    const caught = {
      Error: "Runtime.HandlerError",
      Cause: lambdaCause("BackupExists", "backup nightly exists already"),
    };

    expect(readFailure(caught)).toEqual({ error: "BackupExists", message: "backup nightly exists already" });
  });

  test("takes the name from the message where that is all there is", () => {
    const caught = { Error: "Error", Cause: lambdaCause("Error", "BackupExists: backup nightly exists already") };

    expect(readFailure(caught)).toEqual({ error: "BackupExists", message: "backup nightly exists already" });
  });

  test.each([
    ["no JSON", "the task timed out", "the task timed out"],
    ["nothing", "", "States.Timeout"],
    ["JSON that is no object", "[1]", "[1]"],
    ["JSON null", "null", "null"],
  ])("shows a cause that is %s as it is", (_, Cause, message) => {
    expect(readFailure({ Error: "States.Timeout", Cause })).toEqual({ error: "States.Timeout", message });
  });
});

describe("releasedFailure", () => {
  test("can be read again, and says what is left", () => {
    const released = releasedFailure(
      { Error: "E", Cause: lambdaCause("ImportFailed", "no space") },
      "the unfinished default.a",
    );

    expect(released).toMatchObject({ error: "ImportFailed", left: "the unfinished default.a" });
    expect(readFailure({ Error: released.error, Cause: released.cause })).toEqual({
      error: "ImportFailed",
      message: "no space. What is left: the unfinished default.a",
    });
  });

  test("adds nothing where nothing is left", () => {
    const released = releasedFailure({ Error: "ImportFailed", Cause: lambdaCause("ImportFailed", "no space") }, "");

    expect(readFailure({ Error: released.error, Cause: released.cause }).message).toBe("no space");
  });
});

describe("unansweredStep", () => {
  test("says of a step that was killed which one it was, why, and what to do", () => {
    const Cause = lambdaCause("Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: signal: killed");

    const { name, message } = unansweredStep("FinalizeBackup", { Error: "Runtime.ExitError", Cause });

    expect(name).toBe("StepKilled");
    expect(message).toMatch(/^Finalize Backup was killed, and killed again .* out of memory/);
    expect(message).toContain("functions.finalize-backup.memoryMiB in pipeline.yaml");
    expect(message).toContain("signal: killed");
  });

  test.each(["States.Timeout", "Sandbox.Timedout", "Lambda.Unknown"])(
    "says of one that ended with %s that it gave no answer",
    (error) => {
      const { name, message } = unansweredStep("RunRestore", { Error: error, Cause: "" });

      expect(name).toBe("StepTimedOut");
      expect(message).toMatch(/^Run Restore gave no answer within its time/);
      expect(message).toContain(`(${error})`);
      expect(message.includes("memory")).toBe(error === "Lambda.Unknown");
    },
  );
});
