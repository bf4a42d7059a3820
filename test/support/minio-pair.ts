import { type BackupEnvironment, backupYaml } from "../../local/backup-yaml.ts";
import { startService, stopService } from "../../local/index.ts";
import { type MinioService, minioService } from "../../local/minio.ts";
import type { Environment } from "../../src/core/environment/environment.ts";
import { parseEnvironment } from "../../src/core/environment/yaml.ts";

/**
 * Two MinIO stores for one test file, which know nothing of each other. Names and ports are the file's own, so that the local
 * stack's stores, and those of a file that runs beside it, stay out of it.
 */
export function minioPair(prefix: string, port: number): { a: MinioService; b: MinioService } {
  const store = (letter: string, at: number) =>
    minioService({
      name: `${prefix}-${letter}`,
      port: at,
      accessKey: `access-${prefix}-${letter}`,
      secretKey: `secret-${prefix}-${letter}`,
      buckets: [`bucket-${letter}`],
    });
  return { a: store("a", port), b: store("b", port + 1) };
}

/** Starts both on empty drives. */
export async function startPair({ a, b }: { a: MinioService; b: MinioService }): Promise<void> {
  await startService(a, { afresh: true });
  await startService(b, { afresh: true });
}

/** Ends both and removes what they held. */
export async function stopPair({ a, b }: { a: MinioService; b: MinioService }): Promise<void> {
  await Promise.all([stopService(a), stopService(b)]);
}

/** An environment with its Milvus bucket in one store and its backups in the same, or in another one; it has no Milvus. */
export function environmentOn(
  name: string,
  storage: MinioService,
  options: { backups?: MinioService; set?: Readonly<Record<string, string>> } = {},
): Environment {
  const { backups = storage, set = {} } = options;
  const described: BackupEnvironment = {
    host: "127.0.0.1",
    port: 1,
    managementUrl: "http://127.0.0.1:1",
    bucket: storage.buckets[0] ?? "",
    rootPath: "files",
    storage,
    backupBucket: backups.buckets[0] ?? "",
    backupRootPath: "backup",
    ...(backups !== storage && { backupStorage: backups }),
  };
  return parseEnvironment(backupYaml(described), { name, fileName: `${name}.yaml`, overrides: set });
}
