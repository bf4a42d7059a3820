import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import type { ImportRequest, Milvus } from "../../../../src/ports/milvus.ts";
import { success } from "../../../support/fake-milvus/grpc-server.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

const request: ImportRequest = {
  name: { database: "default", collection: "coll" },
  partition: "p1",
  kind: "segments",
  storageVersion: "0",
  files: [{ insert: "stage/insert_log/1/2/", delta: "" }],
};

describe("imports of Milvus 2.2 and 2.3", () => {
  let fake: FakeMilvus;
  let milvus: Milvus;
  beforeEach(async () => {
    fake = await startFakeMilvus({ version: "2.2.16" });
    milvus = await connectMilvus(milvusEnvironment(fake.grpc.port));
  });
  afterEach(async () => {
    closeMilvusConnections();
    await fake.close();
  });

  it("submits the pair, the second path empty where nothing was deleted", async () => {
    fake.grpc.on("Import", () => ({ status: success, tasks: ["470616922670374636"] }));

    expect(await milvus.submitImport(request)).toBe("470616922670374636");
    expect(fake.grpc.requests).toMatchObject([
      {
        call: "Import",
        request: {
          collection_name: "coll",
          partition_name: "p1",
          files: ["stage/insert_log/1/2/", ""],
          options: [
            { key: "backup", value: "true" },
            { key: "skip_disk_quota_check", value: "true" },
          ],
        },
      },
    ]);
  });

  it("tells the end in milliseconds, which is what 2.2 and 2.3 shift into a timestamp", async () => {
    fake.grpc.on("Import", () => ({ status: success, tasks: ["1"] }));

    await milvus.submitImport({ ...request, end: { timestamp: "470616978630901767" } });

    expect(fake.grpc.requests).toMatchObject([
      { request: { options: [{}, {}, { key: "end_ts", value: "1795261301540" }] } },
    ]);
  });

  it.each([
    ["ImportPending", "pending"],
    ["ImportStarted", "importing"],
    ["ImportPersisted", "importing"],
    ["ImportFlushed", "importing"],
    ["ImportCompleted", "completed"],
    ["ImportFailed", "failed"],
    ["ImportFailedAndCleaned", "failed"],
  ])("reads %s as %s", async (state, expected) => {
    const infos = Object.entries({
      files: "stage/insert_log/1/2/,stage/delta_log/1/2/",
      collection: "coll",
      partition: "p1",
      failed_reason: "no such file",
      progress_percent: "30",
    }).map(([key, value]) => ({ key, value }));
    fake.grpc.on("ListImportTasks", () => ({ status: success, tasks: [{ id: "7", state, row_count: "98", infos }] }));

    expect(await milvus.listImports(request.name)).toEqual([
      {
        id: "7",
        state: expected,
        progress: expected === "completed" ? 100 : 30,
        rows: 98n,
        failedReason: expected === "failed" ? "no such file" : "",
        partition: "p1",
        files: [{ insert: "stage/insert_log/1/2/", delta: "stage/delta_log/1/2/" }],
      },
    ]);
  });

  it("refuses what such a server cannot do, before it is asked", async () => {
    await expect(milvus.submitImport({ ...request, kind: "l0" })).rejects.toMatchObject({
      name: "UnsupportedByTarget",
    });
    await expect(milvus.submitImport({ ...request, files: [] })).rejects.toMatchObject({ name: "InvalidInput" });
    expect(fake.grpc.requests).toEqual([]);
  });
});
