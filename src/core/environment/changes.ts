import { PipelineError } from "../execution/errors.ts";
import { shortList } from "../execution/short-list.ts";
import { type Environment, rpcChannelName, type StorageCredentials, type StorageSettings } from "./environment.ts";
import type { KnownKey } from "./keys.ts";

/** One key of backup.yaml in which two environments differ. */
export interface SettingChange {
  readonly key: KnownKey;
  /** Absent where a value is a secret, a certificate or a part of one. */
  readonly values?: { readonly before: string; readonly after: string };
}

/** What a message may show of a value: secrets and certificates are only compared. */
type Shown = "shown" | "hidden";
type Setting = readonly [key: KnownKey, value: string | number | boolean, shown: Shown];

/**
 * The keys of backup.yaml in which two environments differ, their names aside. A backup key that only inherits what differs in the
 * primary key is left out.
 */
export function changedSettings(before: Environment, after: Environment): SettingChange[] {
  const [old, now] = [settingsOf(before), settingsOf(after)];
  const differs = (key: KnownKey) => (old.get(key)?.value ?? "") !== (now.get(key)?.value ?? "");
  const inherits = (key: KnownKey) => {
    const primary = primaryKeyOf(key);
    return primary !== undefined && [old, now].every((all) => all.get(primary)?.value === all.get(key)?.value);
  };
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((key) => differs(key) && !inherits(key))
    .map((key) => {
      const [was, is] = [old.get(key), now.get(key)];
      const hidden = was?.shown === "hidden" || is?.shown === "hidden";
      return { key, ...(!hidden && { values: { before: textOf(was?.value), after: textOf(is?.value) } }) };
    });
}

/** `minio.bucketName (bucket-a, bucket-b in the file), minio.secretAccessKey` */
export function describeChanges(
  changes: readonly SettingChange[],
  say: (before: string, after: string) => string,
): string {
  return shortList(
    changes.map(({ key, values }) => (values === undefined ? key : `${key} (${say(values.before, values.after)})`)),
  );
}

/**
 * The error of a step that finds another environment than the one its execution began with.
 * @param before undefined where nobody knows any more what was registered
 * @param after undefined where none is registered under the name now
 */
export function environmentChanged(
  name: string,
  before: Environment | undefined,
  after: Environment | undefined,
): PipelineError {
  const changes = before !== undefined && after !== undefined ? changedSettings(before, after) : [];
  return new PipelineError(
    "EnvironmentChanged",
    `environment ${name} ${whatHappened(after, changes)} while this execution ran, which goes on in no other place than it began in. ` +
      "Start the same command again to work with what is registered now. If the earlier content was right, register that again " +
      `(milvus-backup --config FILE env set ${name} --replace) and start the same command again`,
    { details: { environment: name, changed: changes.map(({ key }) => key) } },
  );
}

function whatHappened(after: Environment | undefined, changes: readonly SettingChange[]): string {
  if (after === undefined) return "was removed from the registered ones";
  // Secrets are in no record of an execution: where the earlier registration is gone, nobody can compare them.
  if (changes.length === 0) return "was registered anew (with another secret, or after it had been removed)";
  return `was registered anew with other values of ${describeChanges(changes, (was, is) => `${was}, now ${is}`)}`;
}

/** `minio.backupBucketName` gives `minio.bucketName`; undefined for a key that inherits nothing. */
function primaryKeyOf(key: KnownKey): KnownKey | undefined {
  const primary = key.replace(/^minio\.backup([A-Z])/, (_, first: string) => `minio.${first.toLowerCase()}`);
  return primary === key ? undefined : (primary as KnownKey);
}

/** The values of an environment by the keys of backup.yaml, and which of them a message may show. */
export function settingsOf(environment: Environment): ReadonlyMap<KnownKey, { value: Setting[1]; shown: Shown }> {
  const { milvus, gcPause, parallelism, backupStorage } = environment;
  const settings: readonly Setting[] = [
    ["milvus.address", milvus.address, "shown"],
    ["milvus.port", milvus.port, "shown"],
    ["milvus.restAddress", milvus.restAddress ?? "", "shown"],
    ["milvus.restPort", milvus.restPort ?? "", "shown"],
    ["milvus.user", milvus.user, "shown"],
    ["milvus.password", milvus.password, "hidden"],
    ["milvus.tlsMode", milvus.tlsMode, "shown"],
    ["milvus.serverName", milvus.serverName, "shown"],
    ["milvus.caCertPath", milvus.caCert, "hidden"],
    ["milvus.mtlsCertPath", milvus.mtlsCert, "hidden"],
    ["milvus.mtlsKeyPath", milvus.mtlsKey, "hidden"],
    ["milvus.rpcChannelName", rpcChannelName(environment), "shown"],
    ["milvus.ezkMappingPath", milvus.ezkMapping ?? "", "hidden"],
    ...storageSettings(environment.storage, primaryKeys),
    ...storageSettings(backupStorage, backupKeys),
    ["minio.backupObjectLock", backupStorage.objectLock?.for ?? "", "shown"],
    ["minio.backupObjectLockMode", backupStorage.objectLock?.mode ?? "governance", "shown"],
    ["minio.backupStorageClass", backupStorage.storageClass ?? "", "shown"],
    ["minio.crossStorage", environment.crossStorage, "shown"],
    ["minio.copyMode", environment.copyMode, "shown"],
    ["minio.multipartCopyThresholdMiB", environment.multipartCopyThresholdBytes / 2 ** 20, "shown"],
    ["backup.gcPause.enable", gcPause.enable, "shown"],
    ["backup.gcPause.address", gcPause.address, "shown"],
    ["backup.keepTempFiles", environment.keepTempFiles, "shown"],
    ["backup.parallelism.importJob", parallelism.importJob, "shown"],
    ["backup.protected", environment.protected, "shown"],
  ];
  return new Map(settings.map(([key, value, shown]) => [key, { value, shown }]));
}

const primaryKeys = {
  type: "minio.storageType",
  address: "minio.address",
  port: "minio.port",
  region: "minio.region",
  useSSL: "minio.useSSL",
  caCert: "minio.caCertPath",
  bucket: "minio.bucketName",
  requesterPays: "minio.requesterPays",
  acl: "minio.acl",
  bucketOwner: "minio.bucketOwner",
  rootPath: "minio.rootPath",
  iam: "minio.useIAM",
  accessKeyId: "minio.accessKeyID",
  secretAccessKey: "minio.secretAccessKey",
  token: "minio.token",
  iamEndpoint: "minio.iamEndpoint",
  roleArn: "minio.roleArn",
  externalId: "minio.externalId",
  googleJson: "minio.gcpCredentialJSON",
} as const satisfies Record<string, KnownKey>;

const backupKeys = {
  type: "minio.backupStorageType",
  address: "minio.backupAddress",
  port: "minio.backupPort",
  region: "minio.backupRegion",
  useSSL: "minio.backupUseSSL",
  caCert: "minio.backupCaCertPath",
  bucket: "minio.backupBucketName",
  requesterPays: "minio.backupRequesterPays",
  acl: "minio.backupAcl",
  bucketOwner: "minio.backupBucketOwner",
  rootPath: "minio.backupRootPath",
  iam: "minio.backupUseIAM",
  accessKeyId: "minio.backupAccessKeyID",
  secretAccessKey: "minio.backupSecretAccessKey",
  token: "minio.backupToken",
  iamEndpoint: "minio.backupIamEndpoint",
  roleArn: "minio.backupRoleArn",
  externalId: "minio.backupExternalId",
  googleJson: "minio.backupGcpCredentialJSON",
} as const satisfies Record<keyof typeof primaryKeys, KnownKey>;

function storageSettings(storage: StorageSettings, keys: Record<keyof typeof primaryKeys, KnownKey>): Setting[] {
  const { credentials } = storage;
  return [
    [keys.type, storage.type, "shown"],
    [keys.address, storage.address, "shown"],
    [keys.port, storage.port, "shown"],
    [keys.region, storage.region, "shown"],
    [keys.useSSL, storage.useSSL, "shown"],
    [keys.caCert, storage.caCert ?? "", "hidden"],
    [keys.bucket, storage.bucket, "shown"],
    [keys.requesterPays, storage.requesterPays ?? false, "shown"],
    [keys.acl, storage.acl ?? "", "shown"],
    [keys.bucketOwner, storage.bucketOwner ?? "", "shown"],
    [keys.rootPath, storage.rootPath, "shown"],
    [keys.iam, credentials.kind === "iam", "shown"],
    ...credentialSettings(credentials, keys),
  ];
}

function credentialSettings(
  credentials: StorageCredentials,
  keys: Record<keyof typeof primaryKeys, KnownKey>,
): Setting[] {
  switch (credentials.kind) {
    case "iam":
      return [
        [keys.iamEndpoint, credentials.iamEndpoint, "shown"],
        [keys.roleArn, credentials.roleArn, "shown"],
        [keys.externalId, credentials.externalId, "hidden"],
      ];
    case "google":
      return [[keys.googleJson, credentials.json, "hidden"]];
    default:
      return [
        [keys.accessKeyId, credentials.accessKeyId, "hidden"],
        [keys.secretAccessKey, credentials.secretAccessKey, "hidden"],
        [keys.token, credentials.token, "hidden"],
      ];
  }
}

function textOf(value: Setting[1] | undefined): string {
  return value === undefined || value === "" ? "nothing" : String(value);
}
