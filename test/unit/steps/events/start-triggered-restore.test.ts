import { describe, expect, test } from "vitest";
import type { TriggeredRestoreRequest } from "../../../../src/core/deployment/restore-trigger.ts";
import { restoreInput } from "../../../../src/core/execution/messages.ts";
import { startTriggeredRestore } from "../../../../src/steps/events/start-triggered-restore.ts";
import { memoryContext } from "../../../support/memory-context.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

const environment = milvusEnvironment(19530);
const { bucket, rootPath } = environment.backupStorage;

const request: TriggeredRestoreRequest = {
  trigger: "standby",
  backups: "nightly_*",
  restore: { environment: "dr", from: "prod", collections: ["coll"], suffix: "_standby" },
  object: { bucket, key: `${rootPath}/nightly_1/meta/full_meta.json`, etag: "abc" },
};

function world() {
  const started = new Map<string, object>();
  const asked: string[] = [];
  const context = {
    ...memoryContext(),
    environments: {
      async get(name: string) {
        asked.push(name);
        return { ...environment, name, version: "1" };
      },
    },
    restores: {
      async startOnce(name: string, input: object) {
        if (started.has(name)) return "already-started" as const;
        started.set(name, input);
        return "started" as const;
      },
    },
  };
  return { context, started, asked };
}

describe("startTriggeredRestore", () => {
  test("starts the restore of the backup by the trigger's rule", async () => {
    const { context, started, asked } = world();

    const result = await startTriggeredRestore(request, context);

    expect(result).toMatchObject({ outcome: "started", backupName: "nightly_1" });
    expect(asked).toEqual(["prod"]);
    const input = started.get(result.execution ?? "");
    expect(restoreInput.parse(input)).toEqual({
      environment: "dr",
      from: "prod",
      collections: ["coll"],
      suffix: "_standby",
      backupName: "nightly_1",
      trigger: "standby",
    });
  });

  test("leaves a backup alone that lies in another root below its own, which its rule sees as well", async () => {
    const { context, started } = world();
    const object = { ...request.object, key: `${rootPath}/team-b/nightly_1/meta/full_meta.json` };

    expect(await startTriggeredRestore({ ...request, prefix: rootPath, object }, context)).toEqual({
      outcome: "ignored",
    });
    expect(started.size).toBe(0);
    expect(await startTriggeredRestore({ ...request, prefix: rootPath }, context)).toMatchObject({
      outcome: "started",
    });
  });

  test("starts the restore of an incremental backup too", async () => {
    const { context } = world();
    const key = `${rootPath}/nightly_2/incremental/0123456789ab/full_meta.json`;

    const result = await startTriggeredRestore({ ...request, object: { ...request.object, key } }, context);

    expect(result).toMatchObject({ outcome: "started", backupName: "nightly_2" });
  });

  test("starts it once, however often the event comes", async () => {
    const { context, started } = world();

    const outcomes = [];
    for (let time = 0; time < 3; time += 1) outcomes.push((await startTriggeredRestore(request, context)).outcome);

    expect(outcomes).toEqual(["started", "already-started", "already-started"]);
    expect(started.size).toBe(1);
  });

  test.each([
    ["another name", { backups: "weekly_*" }],
    ["another object", { object: { ...request.object, key: `${rootPath}/nightly_1/meta/backup_meta.json` } }],
  ])("ignores %s", async (_, other) => {
    const { context, started } = world();

    expect(await startTriggeredRestore({ ...request, ...other }, context)).toEqual({ outcome: "ignored" });
    expect(started.size).toBe(0);
  });

  test.each([
    ["bucket", { ...request.object, bucket: "elsewhere" }],
    ["root path", { ...request.object, key: "other/nightly_1/meta/full_meta.json" }],
  ])("refuses a backup in another %s than its environment reads", async (_, object) => {
    const { context } = world();

    await expect(startTriggeredRestore({ ...request, object }, context)).rejects.toMatchObject({
      name: "InvalidInput",
      message: expect.stringMatching(/restore trigger standby saw .*environment prod keeps its backups in/),
    });
  });
});
