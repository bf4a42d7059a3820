import { stringify } from "yaml";
import type { ObjectStore } from "./milvus-config.ts";

/** One Milvus server and where its backups go. */
export interface BackupEnvironment {
  host: string;
  port: number;
  managementUrl: string;
  bucket: string;
  rootPath: string;
  storage: ObjectStore;
  backupBucket: string;
  backupRootPath: string;
  /** The store of the backups, when it is another one. */
  backupStorage?: ObjectStore;
  /** Keys of `minio` for a store of another kind, in place of those for the backups. */
  backupKeys?: Readonly<Record<string, unknown>>;
  user?: string;
  password?: string;
  /** Where milvus-backup writes its log; `logs/backup.log` below the current folder unless told otherwise. */
  logFile?: string;
}

/** A backup.yaml with milvus-backup's own keys: its binary and this project both read it. */
export function backupYaml(environment: BackupEnvironment): string {
  const { storage, backupStorage = storage } = environment;
  return stringify({
    log: {
      level: "info",
      console: true,
      ...(environment.logFile !== undefined && { file: { filename: environment.logFile } }),
    },
    milvus: {
      address: environment.host,
      port: environment.port,
      user: environment.user ?? "",
      password: environment.password ?? "",
      tlsMode: 0,
    },
    minio: {
      storageType: "minio",
      address: storage.host,
      port: storage.port,
      accessKeyID: storage.accessKeyId,
      secretAccessKey: storage.secretAccessKey,
      useSSL: false,
      useIAM: false,
      bucketName: environment.bucket,
      rootPath: environment.rootPath,
      ...(environment.backupKeys ?? {
        backupStorageType: "minio",
        backupAddress: backupStorage.host,
        backupPort: backupStorage.port,
        backupAccessKeyID: backupStorage.accessKeyId,
        backupSecretAccessKey: backupStorage.secretAccessKey,
        backupUseSSL: false,
        backupBucketName: environment.backupBucket,
        backupRootPath: environment.backupRootPath,
      }),
      crossStorage: environment.backupStorage !== undefined,
    },
    backup: { gcPause: { enable: true, address: environment.managementUrl } },
  });
}
