import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { azuriteService, blobClient } from "../../local/azurite.ts";
import { startService, stopService } from "../../local/index.ts";
import { connectAzure } from "../../src/adapters/azure/container.ts";
import { AzureObjectStore } from "../../src/adapters/azure/object-store.ts";
import type { StreamingStoreOptions } from "../../src/adapters/streams/streaming-store.ts";
import type { StorageSettings } from "../../src/core/environment/environment.ts";
import { MemoryObjectStore } from "../support/memory-object-store.ts";
import { collect, md5, objectStoreContract, type StoreFixture, summary } from "./object-store.contract.ts";

const azurite = azuriteService({
  name: "contract-azurite",
  port: 9580,
  account: "contractaccount",
  key: Buffer.from("the key of the contract tests").toString("base64"),
  containers: [],
});
const mebibyte = 2 ** 20;

beforeAll(async () => {
  await startService(azurite, { afresh: true });
}, 120_000);
afterAll(() => stopService(azurite));

function settingsOf(
  bucket: string,
  credentials: Partial<{ accessKeyId: string; secretAccessKey: string; token: string }> = {},
): StorageSettings {
  return {
    type: "azure",
    address: azurite.host,
    port: azurite.port,
    region: "",
    useSSL: false,
    bucket,
    rootPath: "files",
    credentials: {
      kind: "static",
      accessKeyId: azurite.account,
      secretAccessKey: azurite.key,
      token: "",
      ...credentials,
    },
  };
}

async function newContainer(options: StreamingStoreOptions = {}): Promise<StoreFixture & { name: string }> {
  const name = `contract-${randomUUID()}`;
  const container = blobClient(azurite).getContainerClient(name);
  await container.create();
  return {
    name,
    store: new AzureObjectStore(connectAzure(settingsOf(name)), name, options),
    etag: /^0x[0-9A-F]+$/,
    async put(key, body) {
      await container.getBlockBlobClient(key).upload(body, body.length);
    },
  };
}

objectStoreContract("Azure in azurite, server-side", async () => ({
  source: await newContainer(),
  destination: await newContainer({ copyMode: "server-side" }),
}));

objectStoreContract("Azure in azurite, streamed", async () => ({
  source: await newContainer(),
  destination: await newContainer({ copyMode: "streamed" }),
}));

describe("blobs of several blocks", () => {
  test("are copied whole, and known again", async () => {
    const body = randomBytes(40 * mebibyte + 7);
    const [source, destination] = [await newContainer(), await newContainer({ copyMode: "streamed" })];
    await source.put("large", body);
    const object = await summary(source, "large");

    const copied = await destination.store.copyFrom(source.store, object, "copy");
    const again = await destination.store.copyFrom(source.store, object, "copy");

    expect(copied).toMatchObject({ size: body.length, checksum: `md5:${md5(body)}`, skipped: false });
    expect(again).toMatchObject({ skipped: true, checksum: copied.checksum });
    expect(md5(Buffer.from(await destination.store.getBytes("copy")))).toBe(md5(body));
  });

  test("that a killed function had staged are not sent again", async () => {
    const body = randomBytes(20 * mebibyte);
    const memory = new MemoryObjectStore("elsewhere");
    memory.seed("large", body);
    const [object] = await collect(memory.list("large"));
    if (object === undefined) throw new Error("the test did not put its object");
    const destination = await newContainer();
    const broken = Object.assign(Object.create(memory) as MemoryObjectStore, {
      readRange: async (of: typeof object, range: { offset: number; size: number }) => {
        if (range.offset > 0) throw new Error("killed");
        return memory.readRange(of, range);
      },
      hasContent: async () => undefined,
    });
    await expect(destination.store.copyFrom(broken, object, "copy")).rejects.toThrow("killed");
    const blob = blobClient(azurite).getContainerClient(destination.name).getBlockBlobClient("copy");
    const staged = (await blob.getBlockList("uncommitted")).uncommittedBlocks ?? [];
    expect(await destination.store.head("copy")).toBeUndefined();

    const copied = await destination.store.copyFrom(memory, object, "copy");

    expect(staged.map(({ size }) => size)).toEqual([8 * mebibyte]);
    const committed = (await blob.getBlockList("committed")).committedBlocks ?? [];
    expect(committed[0]?.name).toBe(staged[0]?.name);
    expect(copied.checksum).toBe(`md5:${md5(body)}`);
  });
});

describe("what is wrong is told", () => {
  const check = (settings: StorageSettings) =>
    new AzureObjectStore(connectAzure(settings), settings.bucket).checkAccess();

  test("a container that does not exist", async () => {
    await expect(check(settingsOf("nowhere"))).rejects.toMatchObject({
      name: "BucketNotFound",
      message: expect.stringContaining(`container nowhere does not exist in account ${azurite.account}`),
    });
  });

  test("a wrong account key, which is not repeated", async () => {
    const wrong = Buffer.from("another key").toString("base64");
    const refused = await check(settingsOf((await newContainer()).name, { secretAccessKey: wrong })).catch(
      (error) => error,
    );

    expect(refused).toMatchObject({ name: "StoreAccessDenied", message: expect.stringContaining("secretAccessKey") });
    expect(JSON.stringify(refused) + refused.stack).not.toContain(wrong);
  });

  test("an expired shared access signature, and one that may not list", async () => {
    const { name } = await newContainer();
    const container = blobClient(azurite).getContainerClient(name);
    const sas = async (permissions: string, expiresOn: Date) => {
      const { ContainerSASPermissions } = await import("@azure/storage-blob");
      const url = await container.generateSasUrl({
        permissions: ContainerSASPermissions.parse(permissions),
        expiresOn,
      });
      return new URL(url).search;
    };
    const hour = 3_600_000;
    const withToken = (token: string) => settingsOf(name, { secretAccessKey: "", token });

    await expect(check(withToken(await sas("racwdl", new Date(Date.now() + hour))))).resolves.toBeUndefined();
    await expect(check(withToken(await sas("racwdl", new Date(Date.now() - hour))))).rejects.toMatchObject({
      name: "StoreAccessDenied",
      message: expect.stringContaining("shared access signature"),
    });
    const readOnly = await check(withToken(await sas("r", new Date(Date.now() + hour)))).catch((error) => error);
    expect(readOnly).toMatchObject({ name: "StoreAccessDenied" });
    expect(String(readOnly.message)).not.toContain("sig=");
  });

  test("an account that does not answer", async () => {
    await expect(check({ ...settingsOf("x"), port: 1 })).rejects.toMatchObject({
      name: "StoreUnreachable",
      message: expect.stringContaining("127.0.0.1:1 cannot be reached (ECONNREFUSED)"),
    });
  });
});
