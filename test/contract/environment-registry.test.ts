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
  for (const name of await registry.list()) await registry.delete(name, { force: true });
});

function environment(name: string, bucket = "bucket-a"): Environment {
  return parseEnvironment(`minio:\n  bucketName: ${bucket}\n  backupBucketName: backups\n`, {
    name,
    fileName: "backup.yaml",
  });
}

test("an environment is registered, read back, left alone, replaced when asked, forgotten, and registered again", async () => {
  expect(await registry.put(environment("prod"))).toBe("created");
  const { version, ...registered } = await registry.get("prod");
  expect(registered).toEqual(environment("prod"));
  expect(await registry.put(environment("prod"))).toBe("unchanged");
  expect(await registry.get("prod")).toMatchObject({ version });
  expect(await registry.put(environment("prod", "bucket-b"))).toBe("refused");
  expect((await registry.get("prod")).storage.bucket).toBe("bucket-a");
  expect(await registry.compare(environment("prod", "bucket-b"))).toMatchObject({
    registered: "other",
    changes: [{ key: "minio.bucketName", values: { before: "bucket-a", after: "bucket-b" } }],
  });
  expect(await registry.put(environment("prod", "bucket-b"), { replace: true })).toBe("updated");
  expect((await registry.get("prod")).storage.bucket).toBe("bucket-b");
  await registry.delete("prod");
  await expect(registry.get("prod")).rejects.toMatchObject({ name: "UnknownEnvironment" });
  expect(await registry.put(environment("prod"))).toBe("created");
});

test("an environment that was removed can be brought back for 7 days, and gives its name to others", async () => {
  await registry.put(environment("back"));
  const { version } = await registry.get("back");
  const week = 7 * 86_400_000;

  const until = await registry.delete("back");

  expect(Math.abs((until?.getTime() ?? 0) - Date.now() - week)).toBeLessThan(300_000);
  expect(await registry.list()).not.toContain("back");
  await expect(registry.get("back")).rejects.toThrow(/env restore back/);
  expect(await registry.restore("back")).toBe("restored");
  expect(await registry.get("back")).toMatchObject({ version });

  await registry.delete("back");
  expect(await registry.put(environment("back", "bucket-b"))).toBe("created");
  expect((await registry.get("back")).storage.bucket).toBe("bucket-b");
  await registry.delete("back");
  // AWS makes no second version with the token of another one, so that one of the two is refused (PutSecretValue, ClientRequestToken; unit
  // tests hold it). The emulator replaces the first one's content: who was told "created" may have been followed by the other.
  const buckets = ["bucket-c", "bucket-d"];
  const outcomes = await Promise.all(buckets.map((bucket) => registry.put(environment("back", bucket))));
  const created = buckets.filter((_, index) => outcomes[index] === "created");
  expect(outcomes.every((outcome) => outcome === "created" || outcome === "refused")).toBe(true);
  expect(created).toContain((await registry.get("back")).storage.bucket);

  await registry.delete("back");
  expect(await registry.delete("back", { force: true })).toBeUndefined();
  await expect(registry.restore("back")).rejects.toMatchObject({ name: "UnknownEnvironment" });
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

test("what an execution began with is used again for a while, what is registered now is seen at once", async () => {
  const cached = environmentRegistry({ prefix, client, cacheMilliseconds: 60_000 });
  await cached.put(environment("cached"));
  const { version } = await cached.get("cached");

  await registry.put(environment("cached", "changed-elsewhere"), { replace: true });
  expect((await cached.get("cached", { version })).storage.bucket).toBe("bucket-a");
  expect((await cached.get("cached")).storage.bucket).toBe("changed-elsewhere");
  await expect(cached.get("cached", { version })).rejects.toMatchObject({ name: "EnvironmentChanged" });

  await cached.put(environment("cached", "changed-here"), { replace: true });
  expect((await cached.get("cached")).storage.bucket).toBe("changed-here");
});

test("an environment that was replaced is told by what changed, and the one before is still to be had", async () => {
  await registry.put(environment("pinned"));
  const { version } = await registry.get("pinned");
  expect(await registry.get("pinned", { version })).toMatchObject({ version });
  await registry.put(environment("pinned", "bucket-b"), { replace: true });

  await expect(registry.get("pinned", { version })).rejects.toMatchObject({
    name: "EnvironmentChanged",
    message: expect.stringContaining("minio.bucketName (bucket-a, now bucket-b)"),
  });
  expect((await registry.getVersion("pinned", version))?.storage.bucket).toBe("bucket-a");
  expect(await registry.getVersion("pinned", randomUUID())).toBeUndefined();

  await registry.delete("pinned");
  await expect(registry.get("pinned", { version })).rejects.toMatchObject({
    name: "EnvironmentChanged",
    message: expect.stringContaining("was removed"),
  });
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
