import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { ensureMinio, minioService } from "../../../local/minio.ts";
import { minioBackupYaml, minioEnvironments } from "../../../local/minio-environments.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "local-minio-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

describe("the server's binary", () => {
  test("MINIO_BINARY names one that is used as it is", async () => {
    const binary = join(directory, "minio");
    writeFileSync(binary, "#!/bin/sh\n");
    chmodSync(binary, 0o755);
    vi.stubEnv("MINIO_BINARY", binary);

    expect(await ensureMinio()).toEqual({ unchanged: true, detail: binary });
  });

  test.each([
    ["is not there", false],
    ["cannot be executed", true],
  ])("MINIO_BINARY that %s is named, and nothing is built", async (_, exists) => {
    const binary = join(directory, "minio");
    if (exists) writeFileSync(binary, "");
    vi.stubEnv("MINIO_BINARY", binary);
    const reports: unknown[] = [];

    await expect(ensureMinio({ reporter: (report) => reports.push(report) })).rejects.toMatchObject({
      name: "LocalStackError",
      message: expect.stringContaining(`MINIO_BINARY is ${binary}`),
    });
    expect(reports).toEqual([]);
  });
});

test("a store says how its users reach it", () => {
  const store = minioService({ name: "s", port: 9999, accessKey: "access-s", secretKey: "secret-s", buckets: ["b"] });

  expect(store).toMatchObject({
    address: "127.0.0.1:9999",
    ports: [9999],
    accessKeyId: "access-s",
    secretAccessKey: "secret-s",
    buckets: ["b"],
  });
});

describe("the environments across two stores", () => {
  test("share no port, no folder, no key", () => {
    const services = minioEnvironments.flatMap(({ store, milvus }) => [store, milvus]);
    const ports = services.flatMap((service) => service.ports);
    const folders = services.flatMap((service) => service.dataDirs);

    expect(new Set(ports).size).toBe(ports.length);
    expect(new Set(folders).size).toBe(folders.length);
    expect(new Set(minioEnvironments.map(({ store }) => store.accessKeyId)).size).toBe(2);
    expect(new Set(minioEnvironments.map(({ store }) => store.secretAccessKey)).size).toBe(2);
  });

  test("keep data and backups in one store each, by their backup.yaml", () => {
    const [a] = minioEnvironments;
    if (a === undefined) throw new Error("there is no environment with MinIO");

    expect(parse(minioBackupYaml(a))).toMatchObject({
      milvus: { port: 29530 },
      minio: {
        port: 9500,
        bucketName: "bucket-a",
        rootPath: "files",
        backupPort: 9500,
        backupBucketName: "bucket-a",
        backupRootPath: "backup",
        accessKeyID: a.store.accessKeyId,
        backupAccessKeyID: a.store.accessKeyId,
        crossStorage: false,
      },
    });
  });
});
