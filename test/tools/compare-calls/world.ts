import { PutObjectCommand } from "@aws-sdk/client-s3";
import { type BackupEnvironment, backupYaml } from "../../../local/backup-yaml.ts";
import { type MinioService, minioClient, minioService } from "../../../local/minio.ts";
import { openEnvironmentStore } from "../../../src/adapters/store-opener.ts";
import type { Environment } from "../../../src/core/environment/environment.ts";
import { parseEnvironment } from "../../../src/core/environment/yaml.ts";
import { seedGoldenServer } from "../../support/fake-milvus/golden-server.ts";
import { type FakeMilvus, startFakeMilvus } from "../../support/fake-milvus/index.ts";

/** The user that both tools come as. */
const user = { user: "root", password: "Milvus" } as const;
const buckets = { a: "bucket-a", b: "bucket-b" } as const;

/** A store of the comparison's own. */
export function comparisonStore(): MinioService {
  return minioService({
    name: "compare-calls",
    port: 19_611,
    accessKey: "access-compare",
    secretKey: "secret-compare",
    buckets: Object.values(buckets),
  });
}

/** A server, and its backup.yaml. */
interface Server {
  readonly fake: FakeMilvus;
  readonly environment: Environment;
  readonly yaml: string;
}

/** Two servers of a version for one tool: A has collections, B is empty and has the bucket in which backups lie too. */
export interface World {
  readonly a: Server;
  readonly b: Server;
  close(): Promise<void>;
}

/** @param name of the tool and the version: what its keys begin with */
export async function openWorld(store: MinioService, version: string, name: string): Promise<World> {
  const a = await openServer(store, "a", version, name);
  const client = minioClient(store);
  await seedGoldenServer(
    a.fake.model,
    async (Key, Body) => void (await client.send(new PutObjectCommand({ Bucket: buckets.a, Key, Body }))),
    a.environment.storage.rootPath,
  );
  if (a.fake.model.databases.has("vault")) a.fake.management.encryptionKeys.set("vault", "ezk-of-vault");
  const b = await openServer(store, "b", version, name);
  return { a, b, close: async () => void (await Promise.all([a.fake.close(), b.fake.close()])) };
}

async function openServer(store: MinioService, letter: "a" | "b", version: string, name: string): Promise<Server> {
  const bucket = buckets[letter];
  const described = (port: number, managementPort: number): BackupEnvironment => ({
    ...user,
    host: "127.0.0.1",
    port,
    managementUrl: `http://127.0.0.1:${managementPort}`,
    bucket,
    rootPath: `files-${name}`,
    storage: store,
    backupBucket: buckets.b,
    backupRootPath: `backup-${name}`,
  });
  const read = (yaml: string) => parseEnvironment(yaml, { name: letter, fileName: `${letter}.yaml`, overrides: {} });
  const environment = read(backupYaml(described(1, 1)));
  const objects = await openEnvironmentStore(environment, "milvus");
  const fake = await startFakeMilvus({ version, ...user, store: { objects, rootPath: environment.storage.rootPath } });
  const yaml = backupYaml(described(fake.port, fake.management.port));
  return { fake, yaml, environment: read(yaml) };
}
