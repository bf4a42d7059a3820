import { jsonOrUndefined } from "../execution/work-json.ts";
import type { Environment, MilvusSettings, StorageCredentials, StorageSettings } from "./environment.ts";
import { parseEzkMapping } from "./ezk-mapping.ts";
import { backupKeeping, bucketRequests } from "./keeping.ts";
import type { GivenValues, KnownKey } from "./keys.ts";
import { sameBucket, sameStore } from "./storage-identity.ts";
import { checkTls } from "./tls.ts";

/** milvus-backup's default access key and secret key. */
const defaultKey = "minioadmin";
const googleAddress = "storage.googleapis.com";
const azureAddress = "core.windows.net";
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

interface Given {
  readonly values: GivenValues;
  readonly readFile: ((path: string) => string) | undefined;
}

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

function milvusSettings(given: Given): MilvusSettings {
  const { values } = given;
  const asked = values.get("milvus.tlsMode") ?? 0;
  const mtlsCert = asked === 2 ? fileOf(given, "milvus.mtlsCertPath") : "";
  const mtlsKey = asked === 2 ? fileOf(given, "milvus.mtlsKeyPath") : "";
  if ((mtlsCert === "") !== (mtlsKey === "")) {
    const missing = mtlsCert === "" ? "milvus.mtlsCertPath" : "milvus.mtlsKeyPath";
    throw values.error(missing, "is missing: a client's certificate and its key are given together");
  }
  return {
    address: values.get("milvus.address") ?? "localhost",
    port: values.get("milvus.port") ?? 19530,
    ...restInterface(values),
    user: values.get("milvus.user") ?? "",
    password: values.get("milvus.password") ?? "",
    // as milvus-backup: mutual TLS without a client's certificate is one-way TLS
    tlsMode: asked === 2 && mtlsCert === "" ? 1 : asked,
    serverName: values.get("milvus.serverName") ?? "",
    caCert: asked === 0 ? "" : fileOf(given, "milvus.caCertPath"),
    mtlsCert,
    mtlsKey,
    ...(values.get("milvus.rpcChannelName") && { rpcChannelName: values.get("milvus.rpcChannelName") }),
    ...ezkMapping(given),
  };
}

/** Where REST is served elsewhere than gRPC. */
function restInterface(values: GivenValues): Pick<MilvusSettings, "restAddress" | "restPort"> {
  const [restAddress, restPort] = [values.get("milvus.restAddress"), values.get("milvus.restPort")];
  return { ...(restAddress && { restAddress }), ...(restPort !== undefined && { restPort }) };
}

/** The content of the file that `milvus.ezkMappingPath` names: keys are secrets, and in no message. */
function ezkMapping(given: Given): Pick<MilvusSettings, "ezkMapping"> {
  const key = "milvus.ezkMappingPath";
  const text = fileOf(given, key);
  if (text === "") return {};
  const mapping = parseEzkMapping(text);
  if (!mapping) {
    throw given.values.error(
      key,
      'names a file that is no JSON of the form {"<key in the backup>": "<key to import with>"}',
    );
  }
  return { ezkMapping: JSON.stringify(mapping) };
}

type FileKey = Extract<KnownKey, `${string}CertPath` | `${string}KeyPath` | `${string}MappingPath`>;

/** The text of the file that a key names; "" where it names none. */
function fileOf({ values, readFile }: Given, key: FileKey): string {
  const path = values.get(key) ?? "";
  if (path === "") return "";
  if (readFile === undefined) throw values.error(key, "names a file, which cannot be read here");
  try {
    return readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw values.error(key, `names a file that cannot be read: ${reason}`);
  }
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

type Endpoint = Pick<StorageSettings, "address" | "port" | "useSSL">;
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

function iamCredentials(
  values: GivenValues,
  type: StorageType,
  typeKey: KnownKey,
  role: { iamEndpoint: string; roleArn: string; externalId: string },
): StorageCredentials {
  if (type === "gcp" || type === "ali" || type === "tencent" || type === "hwc") {
    throw values.error(typeKey, `is ${type}, which needs access keys: roles (useIAM) work with minio, s3 and aws`);
  }
  return { kind: "iam", ...role };
}

function staticCredentials(
  values: GivenValues,
  type: StorageType,
  given: {
    keys: readonly [accessKey: KnownKey, secretKey: KnownKey, token: KnownKey];
    accessKeyId: string;
    secretAccessKey: string;
    token: string;
  },
): StorageCredentials {
  const { keys, accessKeyId, secretAccessKey, token } = given;
  if (accessKeyId === "") throw values.error(keys[0], "is empty while the secret key is not");
  if (secretAccessKey === "") throw values.error(keys[1], "is empty while the access key is not");
  if (type === "gcp" && token !== "")
    throw values.error(keys[2], "does not work with gcp: use HMAC keys without a token");
  return { kind: "static", accessKeyId, secretAccessKey, token };
}

const primaryAzureKeys = {
  address: "minio.address",
  port: "minio.port",
  useSSL: "minio.useSSL",
  account: "minio.accessKeyID",
  key: "minio.secretAccessKey",
  token: "minio.token",
  useIAM: "minio.useIAM",
  connectionString: "minio.connectionString",
} as const satisfies Record<string, KnownKey>;
const backupAzureKeys = {
  address: "minio.backupAddress",
  port: "minio.backupPort",
  useSSL: "minio.backupUseSSL",
  account: "minio.backupAccessKeyID",
  key: "minio.backupSecretAccessKey",
  token: "minio.backupToken",
  useIAM: "minio.backupUseIAM",
  connectionString: "minio.backupConnectionString",
} as const satisfies Record<keyof typeof primaryAzureKeys, KnownKey>;

/** Where accounts are named in the path, TLS is a choice; Azure itself takes nothing else (milvus-backup asks by TLS always). */
const isBareHost = /^(?:localhost|\d+\.\d+\.\d+\.\d+|\[?[0-9a-f]*:[0-9a-f:]+\]?)$/i;

/**
 * An account of Azure Blob Storage: from a connection string, or from its name (accessKeyID) with its key (secretAccessKey) or a shared
 * access signature (token).
 * @param primary of whose account the values are that are not given
 */
function azureAccount(
  values: GivenValues,
  keys: Record<keyof typeof primaryAzureKeys, KnownKey>,
  primary?: StorageSettings,
): { endpoint: Endpoint; credentials: StorageCredentials } {
  const textOf = (key: KnownKey) => String(values.get(key) ?? "");
  const inherited = primary?.type === "azure" && primary.credentials.kind === "static" ? primary : undefined;
  const own = inherited?.credentials.kind === "static" ? inherited.credentials : undefined;
  const isOther = isGiven(values, keys.account) || isGiven(values, keys.connectionString);
  if (values.get(keys.useIAM) === true) {
    throw values.error(
      keys.useIAM,
      "is true, but Azure's managed identities exist on machines of Azure only, not in a Lambda: give accessKeyID (the account) with " +
        "secretAccessKey (its key) or token (a shared access signature)",
    );
  }
  const parts = connectionString(values, keys.connectionString);
  const given = parts.endpoint ?? {
    address: textOf(keys.address) || inherited?.address || azureAddress,
    port: (values.get(keys.port) as number | undefined) ?? inherited?.port ?? 443,
    useSSL: (values.get(keys.useSSL) as boolean | undefined) ?? inherited?.useSSL ?? true,
  };
  const endpoint = { ...given, useSSL: given.useSSL || !isBareHost.test(given.address) };
  const accessKeyId = parts.account ?? (textOf(keys.account) || own?.accessKeyId || "");
  const token = parts.token ?? (textOf(keys.token) || (isOther ? "" : (own?.token ?? "")));
  const secretAccessKey = parts.key ?? (textOf(keys.key) || (isOther ? "" : (own?.secretAccessKey ?? "")));
  if (accessKeyId === "") throw values.error(keys.account, "is missing: with azure it is the account's name");
  if (!/^[a-z0-9]{3,24}$/.test(accessKeyId)) {
    throw values.error(keys.account, "is no name of an account of Azure: 3 to 24 small letters and digits");
  }
  if (secretAccessKey === "" && token === "") {
    throw values.error(
      keys.key,
      "is missing: with azure it is the account's key, or token is a shared access signature",
    );
  }
  // a signature is narrower than the key: where both are given it is meant
  return {
    endpoint,
    credentials: { kind: "static", accessKeyId, secretAccessKey: token === "" ? secretAccessKey : "", token },
  };
}

function connectionString(
  values: GivenValues,
  key: KnownKey,
): { account?: string; key?: string; token?: string; endpoint?: Endpoint } {
  const text = String(values.get(key) ?? "");
  if (text === "") return {};
  const parts = new Map(
    text.split(";").flatMap((part): [string, string][] => {
      const at = part.indexOf("=");
      return at < 1 ? [] : [[part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()]];
    }),
  );
  const blob = parts.get("blobendpoint") ?? "";
  const url = URL.canParse(blob) ? new URL(blob) : undefined;
  const ofHost = url?.hostname.split(".", 1)[0];
  const ofPath = url?.pathname.split("/").find((part) => part !== "");
  const account = parts.get("accountname") ?? ofPath ?? ofHost;
  if (account === undefined || account === "") {
    throw values.error(key, "is no connection string: it has neither AccountName nor BlobEndpoint");
  }
  const secret = parts.get("accountkey") ?? "";
  const token = parts.get("sharedaccesssignature") ?? "";
  if (secret === "" && token === "") {
    throw values.error(key, "is no connection string: it has neither AccountKey nor SharedAccessSignature");
  }
  const useSSL = (url?.protocol.replace(":", "") ?? parts.get("defaultendpointsprotocol") ?? "https") !== "http";
  const endpoint = {
    address:
      url?.hostname.replace(new RegExp(`^${account}\\.blob\\.`), "") ?? parts.get("endpointsuffix") ?? azureAddress,
    port: Number(url?.port || (useSSL ? 443 : 80)),
    useSSL,
  };
  return { account, key: secret, token, endpoint };
}

/** The JSON in the file that a key names, of a service account or a workload identity federation. */
function googleCredentials({ values, readFile }: Given, key: KnownKey, typeKey: KnownKey): StorageCredentials {
  const path = String(values.get(key) ?? "");
  if (path === "") {
    const useIAM = "gcpnative needs the JSON of a service account or of a workload identity federation";
    throw values.error(typeKey, `is gcpnative, and ${key} is missing: ${useIAM}, as a file`);
  }
  if (readFile === undefined) throw values.error(key, "names a file, which cannot be read here");
  let json: string;
  try {
    json = readFile(path);
  } catch (error) {
    throw values.error(key, `names a file that cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  const kinds = ["service_account", "external_account"];
  const parsed = jsonOrUndefined(json);
  const type = typeof parsed === "object" && parsed !== null && "type" in parsed ? parsed.type : undefined;
  if (typeof type === "string" && kinds.includes(type)) return { kind: "google", json };
  throw values.error(
    key,
    'names a file that is no service account: it has to be JSON whose "type" is "service_account" or "external_account"',
  );
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

function isGiven(values: GivenValues, key: KnownKey): boolean {
  return values.get(key) !== undefined;
}

function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}
