import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import type { ImportRequest, Milvus } from "../../../../src/ports/milvus.ts";
import { type HttpListener, listen } from "../../../support/fake-milvus/http.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

const key = "d3JhcHBlZA+/==";

let fake: FakeMilvus;
let management: HttpListener;
let asked: string[];
let answer: { status: number; body: string };
let milvus: Milvus;

beforeEach(async () => {
  asked = [];
  answer = { status: 200, body: JSON.stringify({ msg: "OK", ezk: key }) };
  management = await listen((request, _, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(answer.body);
  });
  fake = await startFakeMilvus({ version: "v2.6.4" });
  const environment = milvusEnvironment(fake.grpc.port, { managementPort: management.port });
  milvus = await connectMilvus(environment);
});

afterEach(async () => {
  closeMilvusConnections();
  await Promise.all([fake.close(), management.close()]);
});

describe("the key of an encrypted database", () => {
  test("is asked for on the management port, by the database's name", async () => {
    expect(await milvus.encryptionKey("vault & co")).toBe(key);
    expect(asked).toEqual(["GET /management/rootcoord/ez/backup?db_name=vault+%26+co"]);
  });

  test.each([
    ["a server without the call", 404, "404 page not found"],
    ["a refusal", 500, JSON.stringify({ msg: `cannot tell ${key}` })],
    ["an answer that is no success", 200, JSON.stringify({ msg: `failed with ${key}`, ezk: key })],
    ["an empty key", 200, JSON.stringify({ msg: "OK", ezk: "" })],
  ])("%s is told by its status, and by nothing that was answered", async (_, status, body) => {
    answer = { status, body };

    const failed = await milvus.encryptionKey("vault").catch((error: unknown) => error);

    expect(failed).toMatchObject({ name: "MilvusFailed" });
    expect(String(failed)).toContain(`encrypted database vault (/management/rootcoord/ez/backup, HTTP ${status})`);
    expect(JSON.stringify([failed, String(failed)])).not.toContain(key);
  });

  test("nobody there says which address, and what for", async () => {
    await management.close();

    await expect(milvus.encryptionKey("vault")).rejects.toMatchObject({
      name: "MilvusUnreachable",
      message: expect.stringMatching(
        /management port at http:\/\/127\.0\.0\.1:\d+ .*database vault.*backup\.gcPause\.address/,
      ),
    });
  });
});

describe("an import of an encrypted database", () => {
  const request: ImportRequest = {
    name: { database: "vault", collection: "docs" },
    ...{ partition: "p", kind: "segments", storageVersion: "2" },
    files: [{ insert: "stage/insert_log/1/2/", delta: "" }],
    encryptionKey: key,
  };

  test("has it among its options", async () => {
    await milvus.submitImport(request);

    const options = { backup: "true", skip_disk_quota_check: "true", storage_version: "2", ezk: key };
    expect(fake.rest.requests.at(-1)).toMatchObject({ body: { options } });
  });

  test("is refused without the key in the reason, should the server repeat it", async () => {
    fake.rest.answerOnce(200, JSON.stringify({ code: 2100, message: `bad option ezk=${key}` }));

    const failed = await milvus.submitImport(request).catch((error: unknown) => error);

    expect(String(failed)).toContain("bad option ezk=***");
  });

  test("nor over gRPC", async () => {
    const old = await startFakeMilvus({ version: "v2.3.5" });
    old.grpc.on("Import", () => ({ status: { error_code: "UnexpectedError", code: 65535, reason: `bad ${key}` } }));
    const other = await connectMilvus(milvusEnvironment(old.grpc.port));

    const failed = await other.submitImport(request).catch((error: unknown) => error);

    await old.close();
    expect(old.grpc.requests.at(-1)).toMatchObject({ call: "Import" });
    expect(String(failed)).toContain("bad ***");
  });
});
