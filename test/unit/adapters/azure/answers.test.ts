import { afterEach, expect, test } from "vitest";
import { connectAzure } from "../../../../src/adapters/azure/container.ts";
import { AzureObjectStore } from "../../../../src/adapters/azure/object-store.ts";
import { collected } from "../../../support/collected.ts";
import { type HttpAnswer, type SeenRequest, startAnswering } from "../../../support/http-answers.ts";

let server: Awaited<ReturnType<typeof startAnswering>> | undefined;
afterEach(() => server?.close());

async function answering(answer: (request: SeenRequest) => HttpAnswer) {
  server = await startAnswering(answer);
  const connection = connectAzure({
    type: "azure",
    address: "127.0.0.1",
    port: server.port,
    region: "",
    useSSL: false,
    bucket: "backups",
    rootPath: "backup",
    credentials: { kind: "static", accessKeyId: "account1", secretAccessKey: "a2V5", token: "" },
  });
  return { store: new AzureObjectStore(connection, "backups"), seen: server.seen };
}

const entry = (name: string, metadata = "") =>
  `<Blob><Name>${name}</Name><Properties><Content-Length>3</Content-Length><Etag>0x1</Etag><BlobType>BlockBlob</BlobType>` +
  `<Last-Modified>Mon, 23 Nov 2026 12:00:00 GMT</Last-Modified></Properties><Metadata>${metadata}</Metadata></Blob>`;
const listing = (entries: string, next = "") =>
  `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://x/" ContainerName="backups"><Blobs>${entries}</Blobs>` +
  `<NextMarker>${next}</NextMarker></EnumerationResults>`;

test("directories of an account with hierarchical namespaces are no objects, and pages are asked for as they are read", async () => {
  const { store, seen } = await answering(({ url }) => ({
    status: 200,
    body: url.includes("marker=two")
      ? listing(entry("backup/n/2"))
      : listing(entry("backup/n", "<hdi_isfolder>true</hdi_isfolder>") + entry("backup/n/1"), "two"),
  }));

  const [first] = await collected(store.list("backup/"));

  expect(first).toEqual({ key: "backup/n/1", size: 3, etag: "0x1" });
  expect((await collected(store.list("backup/"))).map(({ key }) => key)).toEqual(["backup/n/1", "backup/n/2"]);
  expect(seen.length).toBeGreaterThanOrEqual(3);
});

test("what is busy is asked again, and what is forbidden once", async () => {
  let busy = 2;
  const { store, seen } = await answering(() => {
    busy -= 1;
    const headers = { "x-ms-error-code": busy >= 0 ? "ServerBusy" : "AuthorizationFailure" };
    return { status: busy >= 0 ? 503 : 403, headers };
  });

  await expect(store.checkAccess()).rejects.toMatchObject({ name: "StoreAccessDenied" });

  expect(seen).toHaveLength(3);
});

test("a deletion that may not be sent any more is not sent again", async () => {
  const { store, seen } = await answering(() => ({ status: 503, headers: { "x-ms-error-code": "ServerBusy" } }));
  const late = new Error("too late");

  const deleted = store.deleteKeys(["one"], {
    stillMay: () => {
      if (seen.length > 0) throw late;
    },
  });

  await expect(deleted).rejects.toMatchObject({ message: expect.stringContaining("too late") });
  expect(seen).toHaveLength(1);
});
