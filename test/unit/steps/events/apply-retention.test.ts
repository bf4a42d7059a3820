import { describe, expect, test } from "vitest";
import { type DetailType, eventDetails } from "../../../../src/core/deployment/events.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { applyRetention } from "../../../../src/steps/events/apply-retention.ts";
import { memoryContext } from "../../../support/memory-context.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

const request = {
  input: { schedule: "nightly", environment: "prod", keep: { last: 1 }, timeZone: "UTC" },
  execution: "arn:aws:states:eu-west-1:111122223333:execution:MilvusBackup-backup:one",
  startTime: "2026-11-21T03:00:00Z",
};

function world(options: { busDown?: boolean } = {}) {
  const memory = memoryContext();
  memory.store({ environment: "prod", side: "backup" });
  const announced: [DetailType, unknown][] = [];
  const context = {
    ...memory,
    environments: { get: async (name: string) => ({ ...milvusEnvironment(19530), name, version: "1" }) },
    events: {
      async publish(type: DetailType, detail: object) {
        if (options.busDown) throw new Error("the bus is down");
        announced.push([type, eventDetails[type].parse({ stack: "MilvusBackup", ...detail })]);
      },
    },
  };
  return { context, announced, memory };
}

describe("applyRetention", () => {
  test("announces what it did, in the documented schema", async () => {
    const { context, announced } = world();

    const result = await applyRetention(request, context);

    expect(announced).toEqual([
      ["Retention Applied", { stack: "MilvusBackup", machine: "retention", ...request, result }],
    ]);
  });

  test.each([false, true])("announces why it failed, and fails with that (bus down: %s)", async (busDown) => {
    const { context, announced, memory } = world({ busDown });
    const denied = new PipelineError("StoreAccessDenied", "grant s3:DeleteObject");
    memory.store({ environment: "prod", side: "backup" }).failOn(
      (call) => call.startsWith("list"),
      () => denied,
    );

    await expect(applyRetention(request, context)).rejects.toBe(denied);

    if (busDown) return expect(memory.logged.at(-1)).toMatchObject({ level: "warn" });
    expect(announced).toMatchObject([
      [
        "Retention Failed",
        {
          failure: {
            Error: "StoreAccessDenied",
            Cause: '{"errorType":"StoreAccessDenied","errorMessage":"StoreAccessDenied: grant s3:DeleteObject"}',
          },
        },
      ],
    ]);
  });
});
