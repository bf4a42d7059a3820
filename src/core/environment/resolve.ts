import type { Environment, MilvusSettings, StorageCredentials, StorageSettings } from "./environment.ts";
import { fileOf, type Given, isGiven } from "./given-files.ts";
import { backupKeeping, bucketRequests } from "./keeping.ts";
import type { GivenValues, KnownKey } from "./keys.ts";
import {
  azureAccount,
  backupAzureKeys,
  type Endpoint,
  googleCredentials,
  iamCredentials,
  primaryAzureKeys,
  staticCredentials,
} from "./resolve-credentials.ts";
import { milvusSettings } from "./resolve-milvus.ts";
import { sameBucket, sameStore } from "./storage-identity.ts";
import { checkTls } from "./tls.ts";

/** milvus-backup's default access key and secret key. */
const defaultKey = "minioadmin";
const googleAddress = "storage.googleapis.com";
const mebibyte = 2 ** 20;

type StorageType = StorageSettings["type"];

/** Every spelling of a storage type that milvus-backup takes and this pipeline can talk to. */
const storageTypes: Readonly<Record<string, StorageType>> = {
  minio: "minio",
  s3: "s3",
  aws: "aws",
  gcp: "gcp",
  ali: "ali",
  aliyun: "ali",
  alibaba: "ali",
  alicloud: "ali",
  tc: "tencent",
  tencent: "tencent",
  hwc: "hwc",
  azure: "azure",
  gcpnative: "gcpnative",
};

/** Fills in milvus-backup 0.5.16's defaults (but the host of backup.gcPause.address); backup keys that are not given inherit from the primary ones. */
export function resolveEnvironment(name: string, given: Given): Environment {
  const { values } = given;
  const milvus = milvusSettings(given);
  const storage = primaryStorage(given);
  const backups = backupStorage(given, storage);
  checkTls(values, "primary", storage);
  checkTls(values, "backup", backups);
  const thresholdMiB = values.get("minio.multipartCopyThresholdMiB") ?? 0;
  return {
    name,
    milvus,
    storage,
    backupStorage: backups,
    ...copying(values, storage, backups),
    multipartCopyThresholdBytes: (thresholdMiB > 0 ? thresholdMiB : 500) * mebibyte,
    gcPause: {
      enable: values.get("backup.gcPause.enable") ?? true,
      address: values.get("backup.gcPause.address") || managementAddress(milvus),
    },
    keepTempFiles: values.get("backup.keepTempFiles") ?? false,
    parallelism: {
      importJob: values.get("backup.parallelism.importJob") ?? 768,
    },
    protected: values.get("backup.protected") ?? false,
  };
}

/** Milvus's management port, on the host of Milvus: milvus-backup's default, localhost, is out of a Lambda's reach. */
function managementAddress({ address }: MilvusSettings): string {
  return `http://${address.includes(":") ? `[${address}]` : address}:9091`;
}

function primaryStorage(given: Given): StorageSettings {
  const { values } = given;
  const typeKey = firstGiven(values, ["storage.storageType", "minio.storageType", "minio.cloudProvider"]);
  const type = storageType(values, typeKey, "minio");
  const azure = type === "azure" ? azureAccount(values, primaryAzureKeys) : undefined;
  const endpoint = azure?.endpoint ?? primaryEndpoint(values, type);
  const common = {
    type,
    ...endpoint,
    ...authority(fileOf(given, "minio.caCertPath")),
    region: values.get("minio.region") ?? "",
    bucket: bucketName(values, "minio.bucketName", values.get("minio.bucketName") ?? "a-bucket"),
    ...bucketRequests(values, type, "primary"),
    rootPath: trimSlashes(values.get("minio.rootPath") ?? "files"),
  };
  if (azure) return { ...common, credentials: azure.credentials };
  if (type === "gcpnative")
    return { ...common, credentials: googleCredentials(given, "minio.gcpCredentialJSON", typeKey) };
  const keysGiven = isGiven(values, "minio.accessKeyID") || isGiven(values, "minio.secretAccessKey");
  const accessKeyId = values.get("minio.accessKeyID") ?? defaultKey;
  const secretAccessKey = values.get("minio.secretAccessKey") ?? defaultKey;
  const roleArn = values.get("minio.roleArn") ?? "";
  const useIAM = values.get("minio.useIAM") ?? false;
  const noKeys = accessKeyId === "" && secretAccessKey === "";
  if (roleArn !== "" && keysGiven && !noKeys && !useIAM) {
    throw values.error("minio.roleArn", "is used with useIAM: true, or without accessKeyID and secretAccessKey");
  }
  const iam = useIAM || noKeys || roleArn !== "";
  return {
    ...common,
    credentials: iam
      ? iamCredentials(values, type, typeKey, {
          iamEndpoint: values.get("minio.iamEndpoint") ?? "",
          roleArn,
          externalId: values.get("minio.externalId") ?? "",
        })
      : staticCredentials(values, type, {
          keys: ["minio.accessKeyID", "minio.secretAccessKey", "minio.token"],
          accessKeyId,
          secretAccessKey,
          token: values.get("minio.token") ?? "",
        }),
  };
}

function copying(values: GivenValues, storage: StorageSettings, backups: StorageSettings) {
  const crossStorage = values.get("minio.crossStorage") ?? false;
  const copyMode = values.get("minio.copyMode") ?? "auto";
  if (copyMode === "server-side" && crossStorage) {
    throw values.error(
      "minio.copyMode",
      "is server-side, while crossStorage: true says never to copy so: remove one of the two",
    );
  }
  if (copyMode === "server-side" && !sameStore(storage, backups)) {
    const [from, to] = [storage, backups].map(({ address, port }) => `${address}:${port}`);
    throw values.error(
      "minio.copyMode",
      `is server-side, but Milvus's bucket (${from}) and the backups (${to}) are in different object stores, and a store copies ` +
        "from its own buckets only: use auto or streamed",
    );
  }
  return { crossStorage, copyMode };
}

function backupStorage(given: Given, primary: StorageSettings): StorageSettings {
  const { values } = given;
  const typeKey = firstGiven(values, ["storage.backupStorageType", "minio.backupStorageType"]);
  const type = storageType(values, typeKey, primary.type);
  const inherited = inheritedEndpoint(type, primary);
  const rootPath = values.get("minio.backupRootPath") ?? (primary.rootPath || "backup");
  const azure = type === "azure" ? azureAccount(values, backupAzureKeys, primary) : undefined;
  const bucket = bucketName(values, "minio.backupBucketName", values.get("minio.backupBucketName") ?? primary.bucket);
  const address = azure?.endpoint.address ?? (values.get("minio.backupAddress") || inherited.address);
  const port = azure?.endpoint.port ?? values.get("minio.backupPort") ?? inherited.port;
  const isSame = sameBucket(primary, { type, address, port, bucket });
  return {
    type,
    address,
    port,
    useSSL: azure?.endpoint.useSSL ?? values.get("minio.backupUseSSL") ?? inherited.useSSL,
    ...authority(isGiven(values, "minio.backupCaCertPath") ? fileOf(given, "minio.backupCaCertPath") : primary.caCert),
    region: values.get("minio.backupRegion") ?? primary.region,
    bucket,
    ...bucketRequests(values, type, "backup", isSame ? primary : undefined),
    rootPath: trimSlashes(rootPath),
    credentials: azure?.credentials ?? backupCredentials(given, type, typeKey, primary),
    ...backupKeeping(values, type),
  };
}

function backupCredentials(
  given: Given,
  type: StorageType,
  typeKey: KnownKey,
  storage: StorageSettings,
): StorageCredentials {
  const { values } = given;
  if (type === "gcpnative") {
    const isOwn = isGiven(values, "minio.backupGcpCredentialJSON");
    if (!isOwn && storage.credentials.kind === "google") return storage.credentials;
    return googleCredentials(given, "minio.backupGcpCredentialJSON", typeKey);
  }
  // the name and key of an account of Azure are no keys of another store
  const primary: StorageCredentials =
    storage.type === "azure"
      ? { kind: "static", accessKeyId: "", secretAccessKey: "", token: "" }
      : storage.credentials;
  const own = primary.kind === "static" ? primary : { accessKeyId: "", secretAccessKey: "", token: "" };
  const primaryRole = primary.kind === "iam" ? primary : { iamEndpoint: "", roleArn: "", externalId: "" };
  const keysGiven = isGiven(values, "minio.backupAccessKeyID") || isGiven(values, "minio.backupSecretAccessKey");
  const accessKeyId = values.get("minio.backupAccessKeyID") ?? own.accessKeyId;
  const secretAccessKey = values.get("minio.backupSecretAccessKey") ?? own.secretAccessKey;
  const useIAM = values.get("minio.backupUseIAM") ?? values.get("minio.useIAM") ?? false;
  const ownRole = values.get("minio.backupRoleArn") ?? "";
  const noKeys = accessKeyId === "" && secretAccessKey === "";
  if (ownRole !== "" && keysGiven && !noKeys && !useIAM) {
    const problem = "is used with backupUseIAM: true, or without backupAccessKeyID and backupSecretAccessKey";
    throw values.error("minio.backupRoleArn", problem);
  }
  if (useIAM || noKeys || (ownRole !== "" && !keysGiven)) {
    return iamCredentials(values, type, typeKey, {
      iamEndpoint: values.get("minio.backupIamEndpoint") ?? primaryRole.iamEndpoint,
      roleArn: values.get("minio.backupRoleArn") ?? primaryRole.roleArn,
      externalId: values.get("minio.backupExternalId") ?? primaryRole.externalId,
    });
  }
  return staticCredentials(values, type, {
    keys: ["minio.backupAccessKeyID", "minio.backupSecretAccessKey", "minio.backupToken"],
    accessKeyId,
    secretAccessKey,
    // a session token belongs to its keys: other keys do not inherit it
    token: values.get("minio.backupToken") ?? (keysGiven ? "" : own.token),
  });
}

const minioEndpoint: Endpoint = { address: "localhost", port: 9000, useSSL: false };
const googleEndpoint: Endpoint = { address: googleAddress, port: 443, useSSL: true };

/** milvus-backup's defaults; Google's own where a gcp store names no address. */
function primaryEndpoint(values: GivenValues, type: StorageType): Endpoint {
  const address = values.get("minio.address") ?? "";
  const defaults = (type === "gcp" || type === "gcpnative") && address === "" ? googleEndpoint : minioEndpoint;
  return {
    address: address || defaults.address,
    port: values.get("minio.port") ?? defaults.port,
    useSSL: values.get("minio.useSSL") ?? defaults.useSSL,
  };
}

/** As milvus-backup: that of Milvus's store, but for a store that cannot be there. */
function inheritedEndpoint(type: StorageType, primary: StorageSettings): Endpoint {
  const isGoogle = (one: StorageType) => one === "gcp" || one === "gcpnative";
  const speaksS3 = (one: StorageType) => one !== "azure" && one !== "gcpnative";
  if (isGoogle(type)) return isGoogle(primary.type) ? primary : googleEndpoint;
  return speaksS3(primary.type) === speaksS3(type) ? primary : minioEndpoint;
}

function storageType(values: GivenValues, key: KnownKey, fallback: StorageType): StorageType {
  const written = values.get(key);
  if (written === undefined) return fallback;
  const type = storageTypes[String(written).toLowerCase()];
  if (type !== undefined) return type;
  if (String(written).toLowerCase() === "local") {
    throw values.error(
      key,
      "is local, the disk of Milvus's machine, which no Lambda reaches: give Milvus an object store (MinIO beside it will do), or back " +
        "up with milvus-backup on that machine into one, and go on from there with restore and copy",
    );
  }
  const supported =
    "minio, s3, aws, gcp (with HMAC keys), gcpnative, azure, ali (aliyun, alibaba, alicloud), tencent (tc), hwc";
  throw values.error(key, `is ${JSON.stringify(written)}, which is not supported; supported are ${supported}`);
}

function bucketName(values: GivenValues, key: KnownKey, name: string): string {
  if (name === "") throw values.error(key, "is empty: name a bucket");
  return name;
}

function authority(caCert: string | undefined): Pick<StorageSettings, "caCert"> {
  return caCert === undefined || caCert === "" ? {} : { caCert };
}

function firstGiven<const K extends readonly [KnownKey, ...KnownKey[]]>(values: GivenValues, keys: K): K[number] {
  return keys.find((key) => isGiven(values, key)) ?? keys[keys.length > 1 ? 1 : 0] ?? keys[0];
}

function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}
