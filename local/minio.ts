import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import { goProgram } from "./go-program.ts";
import type { ObjectStore } from "./milvus-config.ts";
import { localDir } from "./paths.ts";
import type { Service } from "./service.ts";

/** MinIO publishes no binaries for this version: it is built from its Go module. */
const minio = goProgram({
  step: "minio",
  title: "MinIO",
  module: "github.com/minio/minio",
  version: "v0.0.0-20260212201848-7aac2a2c5b7c",
  program: "minio",
  folder: "minio-server",
  variable: "MINIO_BINARY",
});

/** Builds the MinIO server from its Go module, once for each version; does nothing where `MINIO_BINARY` names one. */
export const ensureMinio = minio.ensure;

/** What to say about a MinIO store. */
export interface MinioOptions {
  name: string;
  port: number;
  accessKey: string;
  /** At least 8 characters. */
  secretKey: string;
  /** The buckets that have to be there. */
  buckets: string[];
}

/** A MinIO store, with what its users need to know. */
export interface MinioService extends Service, ObjectStore {
  buckets: string[];
}

/** An S3 client of such a store. */
export function minioClient({ address, accessKeyId, secretAccessKey }: MinioService): S3Client {
  return new S3Client({
    endpoint: `http://${address}`,
    region: "us-east-1",
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
}

/** A MinIO server with one drive: the folder of its name under .local. What it holds stays until the stack goes down. */
export function minioService({ name, port, accessKey, secretKey, buckets }: MinioOptions): MinioService {
  const host = "127.0.0.1";
  const dataDir = join(localDir, name);
  const drive = join(dataDir, "drive");
  const idFile = join(dataDir, "data-id");
  return {
    name,
    host,
    port,
    accessKeyId: accessKey,
    secretAccessKey: secretKey,
    buckets,
    address: `${host}:${port}`,
    ports: [port],
    dataDirs: [dataDir],
    startTimeoutMs: 60_000,
    async prepare() {
      await ensureMinio();
      // A folder on its drive is a bucket.
      for (const bucket of buckets) await mkdir(join(drive, bucket), { recursive: true });
      if (!existsSync(idFile)) await writeFile(idFile, randomUUID());
      return {
        file: minio.file(),
        args: ["server", drive, "--address", `${host}:${port}`],
        cwd: dataDir,
        env: {
          PATH: process.env.PATH ?? "/usr/bin:/bin",
          HOME: dataDir,
          MINIO_ROOT_USER: accessKey,
          MINIO_ROOT_PASSWORD: secretKey,
          MINIO_BROWSER: "off", // its console would take another port
          MINIO_UPDATE: "off",
        },
      };
    },
    async checkHealth(signal) {
      const response = await fetch(`http://${host}:${port}/minio/health/cluster`, { signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
    },
    dataId: () => readFile(idFile, "utf8").catch(() => undefined),
  };
}
