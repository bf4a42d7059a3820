import { join } from "node:path";
import { type BackupEnvironment, backupYaml } from "./backup-yaml.ts";
import { type MilvusService, milvusService } from "./milvus.ts";
import { type MinioService, minioService } from "./minio.ts";
import { localDir } from "./paths.ts";
import { logFileOf } from "./tool.ts";

/** A Milvus server that keeps its data in a MinIO store of its own, its backups beside it. */
export interface MinioEnvironment {
  /** Of the environment and of its store: `minio-a`. */
  name: string;
  store: MinioService;
  milvus: MilvusService;
  backups: { bucket: string; rootPath: string };
  /** Its backup.yaml. */
  backupYaml: string;
}

/** Two object stores that know nothing of each other; neither takes the other's keys. */
export const minioEnvironments: MinioEnvironment[] = [
  minioEnvironment({ letter: "a", storePort: 9500, milvusPort: 29530 }),
  minioEnvironment({ letter: "b", storePort: 9600, milvusPort: 29550 }),
];

function minioEnvironment(of: { letter: string; storePort: number; milvusPort: number }): MinioEnvironment {
  const name = `minio-${of.letter}`;
  const bucket = `bucket-${of.letter}`;
  const store = minioService({
    name,
    port: of.storePort,
    accessKey: `access-${name}`,
    secretKey: `secret-${name}`,
    buckets: [bucket],
  });
  return {
    name,
    store,
    milvus: milvusService({
      name: `milvus-${name}`,
      port: of.milvusPort,
      bucket,
      rootPath: "files",
      storage: store,
    }),
    backups: { bucket, rootPath: "backup" },
    backupYaml: join(localDir, `${name}.yaml`),
  };
}

/** The backup.yaml of such an environment. */
export function minioBackupYaml({ name, milvus, backups }: MinioEnvironment): string {
  const environment: BackupEnvironment = {
    ...milvus,
    backupBucket: backups.bucket,
    backupRootPath: backups.rootPath,
    logFile: logFileOf(`milvus-backup-${name}`),
  };
  return backupYaml(environment);
}
