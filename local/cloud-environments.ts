import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { azuriteService } from "./azurite.ts";
import { backupYaml } from "./backup-yaml.ts";
import { fakeGcsService } from "./fake-gcs.ts";
import { type MinioEnvironment, minioEnvironments } from "./minio-environments.ts";
import { localDir } from "./paths.ts";
import type { Service } from "./service.ts";
import { logFileOf } from "./tool.ts";

/** The Milvus server and the data of minio-b, with its backups in the store of a cloud. */
export interface CloudEnvironment {
  /** Of the environment and of its store: `azurite`. */
  readonly name: string;
  readonly store: Service;
  readonly milvus: MinioEnvironment["milvus"];
  /** Its backup.yaml. */
  readonly backupYaml: string;
  /** Where its backups are, as a backup.yaml says it. */
  readonly backupKeys: Readonly<Record<string, unknown>>;
}

const azurite = azuriteService({
  name: "azurite",
  port: 10_000,
  account: "localaccount",
  key: Buffer.from("the key of the local stack").toString("base64"),
  containers: ["backups"],
});
const gcs = fakeGcsService({ name: "fake-gcs", port: 4443, buckets: ["backups"] });

/** The JSON of a service account that the local server does not ask for. */
const serviceAccountFile = join(localDir, "service-account.json");

const [, minioB] = minioEnvironments;

/** Azure Blob Storage and Google Cloud Storage as they run here, as the place of backups. */
export const cloudEnvironments: CloudEnvironment[] =
  minioB === undefined
    ? []
    : [
        environment(minioB, azurite, {
          backupStorageType: "azure",
          backupAddress: azurite.host,
          backupPort: azurite.port,
          backupAccessKeyID: azurite.account,
          backupSecretAccessKey: azurite.key,
        }),
        environment(minioB, gcs, {
          backupStorageType: "gcpnative",
          backupAddress: gcs.host,
          backupPort: gcs.port,
          backupGcpCredentialJSON: serviceAccountFile,
        }),
      ];

function environment(
  { milvus }: MinioEnvironment,
  store: Service,
  where: Readonly<Record<string, unknown>>,
): CloudEnvironment {
  return {
    name: store.name,
    store,
    milvus,
    backupYaml: join(localDir, `${store.name}.yaml`),
    backupKeys: { ...where, backupUseSSL: false, backupBucketName: "backups", backupRootPath: "backup" },
  };
}

/** Writes the backup.yaml of each, and what they name. */
export async function writeCloudYamls(): Promise<void> {
  const account = { type: "service_account", project_id: "local", client_email: "backup@local.example" };
  await writeFile(serviceAccountFile, `${JSON.stringify(account)}\n`);
  for (const { name, milvus, backupYaml: file, backupKeys } of cloudEnvironments) {
    const logFile = logFileOf(`milvus-backup-${name}`);
    await writeFile(file, backupYaml({ ...milvus, backupBucket: "", backupRootPath: "", backupKeys, logFile }));
  }
}
