import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import { restBase } from "../../../../src/adapters/milvus/rest-client.ts";
import type { MilvusSettings } from "../../../../src/core/environment/environment.ts";
import type { ImportRequest, Milvus } from "../../../../src/ports/milvus.ts";
import { certificateAuthority } from "../../../support/certificates.ts";
import { success } from "../../../support/fake-milvus/grpc-server.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";
import { shortPatience } from "../../../support/short-patience.ts";

const name = { database: "default", collection: "coll" };
const request: ImportRequest = {
  name,
  partition: "p1",
  kind: "segments",
  storageVersion: "0",
  files: [{ insert: "stage/insert_log/1/2/", delta: "stage/delta_log/1/2/" }],
};
/** A job as the proxy of 2.4 and later tells it: by its ID with rows, in a list without either (milvus#38051, #38172). */
const job = (state: string, rows = 0, infos: Record<string, string> = {}) => ({
  status: success,
  state,
  row_count: rows,
  id: 0,
  infos: Object.entries({ failed_reason: "", progress_percent: "50", ...infos }).map(([key, value]) => ({
    key,
    value,
  })),
});
const unknown = { code: 2100, error_code: "UnexpectedError", reason: "import job does not exist, jobID=7" };

describe("imports of Milvus 2.4 and later whose REST interface is out of reach", () => {
  let fake: FakeMilvus;
  let milvus: Milvus;
  let logged: ReturnType<typeof shortPatience>["logged"];
  beforeEach(async () => {
    fake = await startFakeMilvus({ version: "v2.6.4" });
    const short = shortPatience();
    logged = short.logged;
    milvus = await connectMilvus(milvusEnvironment(fake.port), { patience: short.patience });
    await fake.rest.close();
  });
  afterEach(async () => {
    closeMilvusConnections();
    await fake.close();
  });

  it("are made over gRPC, one pair each: decided once, and logged", async () => {
    fake.grpc.on("Import", () => ({ status: success, tasks: ["7"] }));

    expect(await milvus.submitImport(request)).toBe("7");
    expect(await milvus.submitImport(request)).toBe("7");

    expect(await milvus.importWay()).toMatchObject({
      over: "grpc",
      pairsPerJob: 1,
      namesFiles: false,
      closed: { base: `http://127.0.0.1:${fake.port}`, reason: expect.stringMatching(/./) },
    });
    expect(logged.filter(({ message }) => message.includes("REST"))).toMatchObject([
      { message: expect.stringContaining("over gRPC"), details: { address: `http://127.0.0.1:${fake.port}` } },
    ]);
  });

  it("name their paths and the options of jobs", async () => {
    fake.grpc.on("Import", () => ({ status: success, tasks: ["7"] }));
    const end = { timestamp: "470616978630901767", unit: "hybrid" } as const;

    await milvus.submitImport({ ...request, storageVersion: "2", end });

    expect(fake.grpc.requests).toMatchObject([
      {
        call: "Import",
        request: {
          collection_name: "coll",
          partition_name: "p1",
          files: ["stage/insert_log/1/2/", "stage/delta_log/1/2/"],
          options: [
            { key: "backup", value: "true" },
            { key: "skip_disk_quota_check", value: "true" },
            { key: "storage_version", value: "2" },
            { key: "end_ts", value: "470616978630901767" },
          ],
        },
      },
    ]);
  });

  it.each<[string, Partial<ImportRequest>, readonly string[]]>([
    // an empty one would be read as everything in the bucket
    ["without deletes, no second path", { files: [{ insert: "a/", delta: "" }] }, ["a/"]],
    ["of L0 segments", { kind: "l0", partition: "", files: [{ insert: "", delta: "d/" }] }, ["d/"]],
  ])("%s", async (_, rest, files) => {
    fake.grpc.on("Import", () => ({ status: success, tasks: ["7"] }));

    await milvus.submitImport({ ...request, ...rest });

    expect(fake.grpc.requests).toMatchObject([{ request: { files } }]);
  });

  it("of several pairs were planned for REST: they wait for it, and say which keys name it", async () => {
    const files = [...request.files, { insert: "b/", delta: "" }];

    await expect(milvus.submitImport({ ...request, files })).rejects.toMatchObject({
      name: "MilvusUnreachable",
      message: expect.stringMatching(/milvus\.restAddress and milvus\.restPort/),
    });
    expect(fake.grpc.requests).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ["ImportPending", job("ImportPending"), { state: "pending", progress: 50, rows: 0n }],
    ["ImportStarted", job("ImportStarted", 5), { state: "importing", progress: 50, rows: 5n }],
    ["ImportCompleted", job("ImportCompleted", 296), { state: "completed", progress: 100, rows: 296n }],
    [
      "ImportFailed",
      job("ImportFailed", 0, { failed_reason: "no binlog" }),
      { state: "failed", failedReason: "no binlog" },
    ],
  ])("%s is told by its ID", async (_, answer, expected) => {
    fake.grpc.on("GetImportState", () => answer);
    fake.grpc.on("ListImportTasks", () => ({ status: success, tasks: [] }));

    expect(await milvus.listImports(name, { own: new Set(["7"]) })).toMatchObject([
      { id: "7", files: [], partition: "", ...expected },
    ]);
    expect(fake.grpc.requests[0]).toMatchObject({ call: "GetImportState", request: { task: "7" } });
  });

  it("that the server does not know are left out", async () => {
    fake.grpc.on("GetImportState", ({ task }) => (task === "7" ? { status: unknown } : job("ImportStarted")));
    fake.grpc.on("ListImportTasks", () => ({ status: success, tasks: [job("ImportStarted")] }));

    expect((await milvus.listImports(name, { own: new Set(["7", "8"]) })).map(({ id }) => id)).toEqual(["8"]);
  });

  it("of others are as many as the list has more that run, without IDs and files", async () => {
    fake.grpc.on("GetImportState", () => job("ImportStarted"));
    fake.grpc.on("ListImportTasks", () => ({
      status: success,
      tasks: [job("ImportCompleted"), job("ImportStarted"), job("ImportPending"), job("ImportFailed")],
    }));

    expect(await milvus.listImports(name, { own: new Set(["8"]) })).toMatchObject([
      { id: "8" },
      { id: "unlisted-0", state: "pending", files: [] },
    ]);
  });

  const reason = "cannot unwrap wrapped-key-1: another root key";
  it.each<[string, () => Record<string, unknown>]>([
    ["its status", () => ({ status: { code: 2100, error_code: "UnexpectedError", reason } })],
    [
      "a fault of the call",
      () => {
        throw { code: status.INTERNAL, details: reason };
      },
    ],
  ])("of an encrypted database fail without its key, should %s repeat it", async (_, answer) => {
    fake.grpc.on("Import", answer);

    const error = await milvus.submitImport({ ...request, encryptionKey: "wrapped-key-1" }).catch((it: unknown) => it);

    expect(inspect(error, { depth: 10 })).toContain("cannot unwrap ***");
    expect(inspect(error, { depth: 10 })).not.toContain("wrapped-key-1");
  });

  it("may have begun where Milvus itself waits no longer", async () => {
    fake.grpc.on("Import", () => ({
      status: { code: 10001, error_code: "UnexpectedError", reason: "deadline exceeded" },
    }));

    await expect(milvus.submitImport(request)).rejects.toMatchObject({
      name: "MilvusBusy",
      details: { mayHaveBegun: true },
    });
  });
});

describe("where REST is looked for", () => {
  const settings = milvusEnvironment(19530).milvus;
  it.each<[Partial<MilvusSettings>, string]>([
    [{}, "http://127.0.0.1:19530"],
    [{ tlsMode: 1 }, "https://127.0.0.1:19530"],
    [{ restPort: 8080 }, "http://127.0.0.1:8080"],
    [{ restAddress: "rest.internal", tlsMode: 2 }, "https://rest.internal:19530"],
    [{ restAddress: "https://rest.internal", restPort: 443 }, "https://rest.internal:443"],
    [{ restAddress: "http://rest.internal", tlsMode: 1 }, "http://rest.internal:19530"],
    [{ restAddress: "::1" }, "http://[::1]:19530"],
    [{ restAddress: "http://[::1]", restPort: 1 }, "http://[::1]:1"],
    [{ address: "::1" }, "http://[::1]:19530"],
  ])("%o is %s", (given, base) => {
    expect(restBase({ ...settings, ...given })).toBe(base);
  });

  it("is another host, whose certificate is checked for its own name", async () => {
    const authority = certificateAuthority("test");
    const server = createServer(authority.issue("rest", ["127.0.0.1"]), (_, response) => {
      response.end('{"code":0,"data":{"has":false}}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port: restPort } = server.address() as AddressInfo;
    const fake = await startFakeMilvus({ version: "v2.6.4" });
    const rest = { restAddress: "https://127.0.0.1", restPort, caCert: authority.cert, serverName: "milvus.internal" };

    const milvus = await connectMilvus(milvusEnvironment(fake.port, { milvus: rest }));
    expect(await milvus.importWay()).toMatchObject({ over: "rest" });
    const untrusted = await connectMilvus(milvusEnvironment(fake.port, { milvus: { ...rest, caCert: "" } }));
    expect(await untrusted.importWay()).toMatchObject({
      over: "grpc",
      closed: { base: `https://127.0.0.1:${restPort}`, reason: expect.stringContaining("certificate") },
    });

    closeMilvusConnections();
    server.closeAllConnections();
    server.close();
    await fake.close();
  });
});
