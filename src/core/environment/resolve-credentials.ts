import { jsonOrUndefined } from "../execution/work-json.ts";
import type { StorageCredentials, StorageSettings } from "./environment.ts";
import { type Given, isGiven } from "./given-files.ts";
import type { GivenValues, KnownKey } from "./keys.ts";

type StorageType = StorageSettings["type"];
/** Where a store answers. */
export type Endpoint = Pick<StorageSettings, "address" | "port" | "useSSL">;

const azureAddress = "core.windows.net";

/** @throws InvalidEnvironment where a store of that type takes no roles */
export function iamCredentials(
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

/** @throws InvalidEnvironment where one of the two keys is missing, or a token stands where none works */
export function staticCredentials(
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

/** The keys that say which account of Azure is meant. */
export const primaryAzureKeys = {
  address: "minio.address",
  port: "minio.port",
  useSSL: "minio.useSSL",
  account: "minio.accessKeyID",
  key: "minio.secretAccessKey",
  token: "minio.token",
  useIAM: "minio.useIAM",
  connectionString: "minio.connectionString",
} as const satisfies Record<string, KnownKey>;
/** The same of the backups. */
export const backupAzureKeys = {
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
export function azureAccount(
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
export function googleCredentials({ values, readFile }: Given, key: KnownKey, typeKey: KnownKey): StorageCredentials {
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
