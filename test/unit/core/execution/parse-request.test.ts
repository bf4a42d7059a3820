import { describe, expect, it } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { backupStepRequest, restoreStepRequest } from "../../../../src/core/execution/messages.ts";
import { parseRequest } from "../../../../src/core/execution/parse-request.ts";

const execution = { name: "one", id: "arn:one", startTime: "2026-11-21T11:03:07Z" };

function errorOf(act: () => unknown): PipelineError {
  try {
    act();
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("parseRequest", () => {
  it("answers the request, with its defaults", () => {
    const request = parseRequest(backupStepRequest, { execution, input: { environment: "prod" } });

    expect(request).toEqual({ execution, input: { environment: "prod" }, attempt: 0 });
  });

  it("names an unknown key of the input and what is accepted instead", () => {
    const error = errorOf(() =>
      parseRequest(backupStepRequest, { execution, input: { environment: "prod", colections: ["coll"] } }),
    );

    expect(error.name).toBe("InvalidInput");
    expect(error.message).toBe(
      'unknown key "colections"; accepted: environment, backupName, collections, strategy, incremental, rbac, lock, schedule, scheduledTime',
    );
    expect(error.details).toEqual({ keys: ["colections"] });
  });

  it.each([
    [{ environment: "prod" }, /^backupName: expected string, received undefined$/],
    [{ environment: 7, backupName: "b" }, /^environment: expected string, received number$/],
    [{ environment: "prod", backupName: "b", collections: ["coll", 7] }, /^collections\[1\]: expected string/],
    [{ environment: "prod", backupName: "b", renames: { coll: 7 } }, /^renames\.coll: expected string or a list/],
    [{ environment: "prod", backupName: "b", shards: 0 }, /^shards: Too small: expected number to be >=1/],
    [
      { environment: "prod", backupName: "b", verify: "all" },
      /^verify: Invalid option: expected one of "none"\|"size"\|"content"$/,
    ],
    ["prod", /^input: expected object, received string$/],
    [{ environment: "prod", metadataOnly: "yes" }, /backupName: .*; metadataOnly: expected boolean, received string/],
  ])("says what is wrong with the input %j", (input, message) => {
    const error = errorOf(() => parseRequest(restoreStepRequest, { execution, input }));

    expect(error.name).toBe("InvalidInput");
    expect(error.message).toMatch(message);
  });

  it("repeats no value: what stands there may be a secret in the wrong place", () => {
    const error = errorOf(() =>
      parseRequest(restoreStepRequest, {
        execution,
        input: { environment: ["s3cret"], backupName: { key: "s3cret" } },
      }),
    );

    expect(error.message + JSON.stringify(error.details)).not.toContain("s3cret");
  });
});
