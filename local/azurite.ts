import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BlobServiceClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { localDir, projectDir } from "./paths.ts";
import type { Service } from "./service.ts";

/** An account of azurite, with what its users need to know. */
export interface AzuriteService extends Service {
  readonly host: string;
  readonly port: number;
  readonly account: string;
  /** Base64. */
  readonly key: string;
  readonly containers: readonly string[];
}

/** What to say about one. */
export interface AzuriteOptions {
  readonly name: string;
  readonly port: number;
  readonly account: string;
  readonly key: string;
  /** The containers that have to be there. */
  readonly containers: readonly string[];
}

/** Azure Blob Storage as azurite (npm) has it, in the folder of its name under .local. */
export function azuriteService({ name, port, account, key, containers }: AzuriteOptions): AzuriteService {
  const host = "127.0.0.1";
  const dataDir = join(localDir, name);
  const idFile = join(dataDir, "data-id");
  return {
    name,
    host,
    port,
    account,
    key,
    containers,
    address: `${host}:${port}`,
    ports: [port],
    dataDirs: [dataDir],
    startTimeoutMs: 60_000,
    async prepare() {
      await mkdir(dataDir, { recursive: true });
      await writeFile(idFile, randomUUID(), { flag: "wx" }).catch(() => undefined);
      const blobs = ["--blobHost", host, "--blobPort", String(port), "--location", dataDir];
      return {
        file: process.execPath,
        args: [
          join(projectDir, "node_modules/azurite/dist/src/blob/main.js"),
          ...blobs,
          "--silent",
          "--disableTelemetry",
          // it trails the versions of the service that clients ask for
          "--skipApiVersionCheck",
        ],
        cwd: dataDir,
        env: { PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: dataDir, AZURITE_ACCOUNTS: `${account}:${key}` },
      };
    },
    async checkHealth(signal) {
      const client = blobClient({ host, port, account, key });
      for (const container of containers) {
        await client.getContainerClient(container).createIfNotExists({ abortSignal: signal });
      }
      if (containers.length === 0) await client.getProperties({ abortSignal: signal });
    },
    dataId: () => readFile(idFile, "utf8").catch(() => undefined),
  };
}

/** A client with the account's key, to look at an account from outside. */
export function blobClient(account: Pick<AzuriteService, "host" | "port" | "account" | "key">): BlobServiceClient {
  const credential = new StorageSharedKeyCredential(account.account, account.key);
  return new BlobServiceClient(`http://${account.host}:${account.port}/${account.account}`, credential, {
    retryOptions: { maxTries: 1 },
  });
}
