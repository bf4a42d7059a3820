import { afterEach, expect, test } from "vitest";
import { openEnvironmentStore } from "../../../../src/adapters/store-opener.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";
import { type HttpAnswer, type SeenRequest, startAnswering } from "../../../support/http-answers.ts";
import { shortPatience } from "../../../support/short-patience.ts";

let server: Awaited<ReturnType<typeof startAnswering>>;
afterEach(() => server.close());

function open(port: number, patience: ReturnType<typeof shortPatience>["patience"]) {
  const yaml = `minio:
  address: 127.0.0.1
  port: ${port}
  accessKeyID: AKIAEXAMPLE1
  secretAccessKey: store-secret
  backupBucketName: bucket-b
  backupRootPath: backup
`;
  return openEnvironmentStore(parseEnvironment(yaml, { name: "prod", fileName: "backup.yaml" }), "backup", patience);
}

function answer({ method, url }: SeenRequest): HttpAnswer {
  const { searchParams } = new URL(url, "http://store");
  if (!searchParams.has("list-type")) return { status: 200, body: method === "GET" ? "content" : "" };
  const first = !searchParams.has("continuation-token");
  const more = first ? "<NextContinuationToken>2</NextContinuationToken>" : "";
  return {
    status: 200,
    body: `<ListBucketResult><Name>bucket-b</Name><KeyCount>1</KeyCount><IsTruncated>${first}</IsTruncated>${more}<Contents><Key>backup/${first ? "a" : "b"}</Key><Size>1</Size><ETag>"e"</ETag></Contents></ListBucketResult>`,
  };
}

test("a store that restarts between two pages of a list is waited for, and no key is missed or told twice", async () => {
  const { patience, logged } = shortPatience();
  server = await startAnswering(answer);
  const { port } = server;
  const store = await open(port, patience);

  const keys: string[] = [];
  for await (const { key } of store.list("backup/")) {
    keys.push(key);
    if (keys.length > 1) continue;
    await server.close();
    void expect
      .poll(() => logged.length)
      .toBeGreaterThan(0)
      .then(async () => {
        server = await startAnswering(answer, undefined, port);
      });
  }

  expect(keys).toEqual(["backup/a", "backup/b"]);
  expect(logged).toMatchObject([
    { message: "waiting", details: { for: `s3:ListBucket at 127.0.0.1:${port}`, reason: "outage" } },
    { message: "waited" },
  ]);
});

test.each<[string, (store: Awaited<ReturnType<typeof open>>) => Promise<unknown>, unknown]>([
  ["read", (store) => store.getText("backup/a"), "content"],
  ["written", (store) => store.putText("backup/a", "text"), true],
  ["written if absent", (store) => store.putText("backup/a", "text", { ifAbsent: true }), true],
  ["deleted", (store) => store.deleteKeys(["backup/a", "backup/b"]), undefined],
])("an object is %s when the store is there again", async (_, call, expected) => {
  const { patience, logged } = shortPatience();
  server = await startAnswering(answer);
  const { port } = server;
  const store = await open(port, patience);
  await store.checkAccess();
  await server.close();

  const asked = call(store);
  await expect.poll(() => logged.length).toBeGreaterThan(0);
  server = await startAnswering(
    (request) => (request.method === "POST" ? { status: 200, body: "<DeleteResult/>" } : answer(request)),
    undefined,
    port,
  );

  expect(await asked).toEqual(expected);
});

test("an answer that is an error is an answer: the store is known from then on", async () => {
  const { patience, logged } = shortPatience();
  server = await startAnswering(() => ({ status: 404 }));
  const { port } = server;
  const store = await open(port, patience);
  expect(await store.head("backup/none")).toBeUndefined();
  await server.close();

  const asked = store.head("backup/none");
  await expect.poll(() => logged.length).toBeGreaterThan(0);
  server = await startAnswering(() => ({ status: 404 }), undefined, port);

  expect(await asked).toBeUndefined();
});

test("a store that never answered is not waited for: its address may be wrong", async () => {
  const { patience, logged } = shortPatience();
  server = await startAnswering(answer);
  const { port } = server;
  await server.close();

  await expect((await open(port, patience)).checkAccess()).rejects.toMatchObject({ name: "StoreUnreachable" });
  expect(logged).toEqual([]);
});

test("an outage that lasts is told as one in the end", async () => {
  const { patience } = shortPatience({ outage: 50 });
  server = await startAnswering(answer);
  const store = await open(server.port, patience);
  await store.checkAccess();
  await server.close();

  await expect(store.getText("backup/a")).rejects.toMatchObject({ name: "StoreUnreachable", kind: "outage" });
});
