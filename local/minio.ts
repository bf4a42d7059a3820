import { randomUUID } from "node:crypto";
import { accessSync, constants, existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LocalStackError } from "./errors.ts";
import type { ObjectStore } from "./milvus-config.ts";
import { localDir } from "./paths.ts";
import { type Reporter, type StepOutcome, silent } from "./reporter.ts";
import type { Service } from "./service.ts";
import { findProgram, runTool } from "./tool.ts";

/** MinIO publishes no binaries for this version: it is built from its Go module. */
const minioModule = "github.com/minio/minio";
const minioVersion = "v0.0.0-20260212201848-7aac2a2c5b7c";

/** The built server, once for each version. */
const cachedBinary = join(localDir, "minio-server", minioVersion, "minio");

/** The variable that names a MinIO server to use in place of building one. */
const binaryVariable = "MINIO_BINARY";

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
        file: minioBinary(),
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

/** Where the server lies: `MINIO_BINARY`, or the one that is built here. */
function minioBinary(): string {
  const given = process.env[binaryVariable];
  return given === undefined || given === "" ? cachedBinary : given;
}

/** Builds the MinIO server from its Go module, once for each version; does nothing where `MINIO_BINARY` names one. */
export async function ensureMinio({
  reporter = silent,
  signal,
}: {
  reporter?: Reporter;
  signal?: AbortSignal | undefined;
} = {}): Promise<StepOutcome> {
  const binary = minioBinary();
  if (isExecutable(binary)) return { unchanged: true, detail: binary };
  if (binary !== cachedBinary) {
    throw new LocalStackError(`${binaryVariable} is ${binary}, which is not there or cannot be executed.`);
  }
  const go = findProgram("go");
  if (go === undefined) {
    throw new LocalStackError(
      `go is not on the PATH. MinIO is built from its Go module: install Go, or name a MinIO server in ${binaryVariable}.`,
    );
  }
  reporter({ step: "minio", state: "note", detail: `building ${minioVersion}, some minutes the first time` });
  // Built aside and moved: a build that was interrupted, or another one at the same time, leaves nothing half-made.
  const aside = `${dirname(binary)}.${process.pid}`;
  try {
    await runTool(go, ["install", `${minioModule}@${minioVersion}`], {
      log: "minio-build",
      signal,
      env: { ...process.env, GOBIN: aside, CGO_ENABLED: "0" },
    });
    await mkdir(dirname(binary), { recursive: true });
    await rename(join(aside, "minio"), binary);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return { detail: `built ${minioVersion}` };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
