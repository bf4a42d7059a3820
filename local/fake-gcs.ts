import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { goProgram } from "./go-program.ts";
import { localDir } from "./paths.ts";
import type { Service } from "./service.ts";

/** Google Cloud Storage as fake-gcs-server has it, which publishes its server as a Go module. */
const fakeGcs = goProgram({
  step: "fake-gcs-server",
  title: "fake-gcs-server",
  module: "github.com/fsouza/fake-gcs-server",
  version: "v1.56.1",
  program: "fake-gcs-server",
  folder: "fake-gcs-server",
  variable: "FAKE_GCS_BINARY",
});

/** Builds the server from its Go module, once for each version; does nothing where `FAKE_GCS_BINARY` names one. */
export const ensureFakeGcs = fakeGcs.ensure;

/** A server of it, with what its users need to know. */
export interface FakeGcsService extends Service {
  readonly host: string;
  readonly port: number;
  readonly buckets: readonly string[];
}

/** A server whose buckets are folders of its own folder under .local. It asks for no credentials. */
export function fakeGcsService({
  name,
  port,
  buckets,
}: {
  name: string;
  port: number;
  buckets: readonly string[];
}): FakeGcsService {
  const host = "127.0.0.1";
  const dataDir = join(localDir, name);
  const root = join(dataDir, "buckets");
  const idFile = join(dataDir, "data-id");
  const address = `${host}:${port}`;
  return {
    name,
    host,
    port,
    buckets,
    address,
    ports: [port],
    dataDirs: [dataDir],
    startTimeoutMs: 60_000,
    async prepare() {
      await ensureFakeGcs();
      await mkdir(root, { recursive: true });
      for (const bucket of buckets) await mkdir(join(root, bucket), { recursive: true });
      if (!existsSync(idFile)) await writeFile(idFile, randomUUID());
      const storage = ["-backend", "filesystem", "-filesystem-root", root];
      return {
        file: fakeGcs.file(),
        args: [
          "-scheme",
          "http",
          "-host",
          host,
          "-port",
          String(port),
          "-public-host",
          address,
          "-external-url",
          `http://${address}`,
          ...storage,
        ],
        cwd: dataDir,
        env: { PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: dataDir },
      };
    },
    async checkHealth(signal) {
      const response = await fetch(`http://${address}/_internal/healthcheck`, { signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
    },
    dataId: () => readFile(idFile, "utf8").catch(() => undefined),
  };
}
