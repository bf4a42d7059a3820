import { randomUUID } from "node:crypto";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterAll, expect, test } from "vitest";
import { environmentRegistry } from "../../src/adapters/environment-registry.ts";
import { storeOpener } from "../../src/adapters/store-opener.ts";
import type { Environment } from "../../src/core/environment/environment.ts";
import { parseEnvironment } from "../../src/core/environment/yaml.ts";

const client = new SecretsManagerClient({
  endpoint: "http://127.0.0.1:4566",
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
});
const prefix = `milvus-backup/contract-${randomUUID()}/environments/`;
const registry = environmentRegistry({ prefix, client, cacheMilliseconds: 0 });

afterAll(async () => {
  for (const name of await registry.list()) await registry.delete(name);
});

function environment(name: string, bucket = "bucket-a"): Environment {
  return parseEnvironment(`minio:\n  bucketName: ${bucket}\n  backupBucketName: backups\n`, {
    name,
    fileName: "backup.yaml",
  });
}

test("an environment is registered, read back, replaced, left alone, forgotten, and registered again", async () => {
  expect(await registry.put(environment("prod"))).toBe("created");
  expect(await registry.get("prod")).toEqual(environment("prod"));
  expect(await registry.put(environment("prod"))).toBe("unchanged");
  expect(await registry.put(environment("prod", "bucket-b"))).toBe("updated");
  expect((await registry.get("prod")).storage.bucket).toBe("bucket-b");
  await registry.delete("prod");
  await expect(registry.get("prod")).rejects.toMatchObject({ name: "UnknownEnvironment" });
  expect(await registry.put(environment("prod"))).toBe("created");
});

test("an unknown environment is told from the registered ones", async () => {
  await registry.put(environment("dr"));
  await registry.put(environment("eu.prod-2"));

  expect(await registry.list()).toEqual(expect.arrayContaining(["dr", "eu.prod-2"]));
  await expect(registry.get("staging")).rejects.toMatchObject({
    name: "UnknownEnvironment",
    message: expect.stringMatching(/"staging" is not registered; registered are: dr, eu\.prod-2/),
  });
  await expect(registry.delete("staging")).rejects.toMatchObject({ name: "UnknownEnvironment" });
});

test.each(["", "a/b", "a b", "../other"])("%j is no name of an environment", async (name) => {
  await expect(registry.get(name)).rejects.toMatchObject({ name: "InvalidInput" });
  await expect(registry.put(environment(name))).rejects.toMatchObject({ name: "InvalidInput" });
});

test("what was read is used again for a while, and a change in this container is seen at once", async () => {
  const cached = environmentRegistry({ prefix, client, cacheMilliseconds: 60_000 });
  await cached.put(environment("cached"));
  await cached.get("cached");

  await registry.put(environment("cached", "changed-elsewhere"));
  expect((await cached.get("cached")).storage.bucket).toBe("bucket-a");

  await cached.put(environment("cached", "changed-here"));
  expect((await cached.get("cached")).storage.bucket).toBe("changed-here");
});

test("stores are opened by reference to an environment", async () => {
  await registry.put(environment("stores"));
  const openStore = storeOpener(registry);

  const [milvus, backup] = await Promise.all([
    openStore({ environment: "stores", side: "milvus" }),
    openStore({ environment: "stores", side: "backup" }),
  ]);

  expect([milvus.label, backup.label]).toEqual(["bucket-a at localhost:9000", "backups at localhost:9000"]);
  await expect(openStore({ environment: "nowhere", side: "milvus" })).rejects.toMatchObject({
    name: "UnknownEnvironment",
  });
});
