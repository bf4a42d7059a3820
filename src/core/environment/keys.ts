import * as z from "zod";
import type { PipelineError } from "../execution/errors.ts";
import { lockDuration, lockModes } from "../execution/object-lock.ts";
import { storageClasses } from "../execution/storage-class.ts";

/** A value as it is written in the file or after `--set KEY=`; every kind is read from its text. */
const text = z.string();
const integer = z
  .string()
  .regex(/^[+-]?\d+$/, "must be a whole number")
  .transform(Number);
const port = integer.pipe(z.number().min(1, "must be a port, 1 to 65535").max(65_535, "must be a port, 1 to 65535"));
const tlsMode = z
  .enum(["0", "1", "2"], "must be 0 (off), 1 (check the server) or 2 (mutual)")
  .transform((mode) => ({ "0": 0, "1": 1, "2": 2 })[mode] as 0 | 1 | 2);
/** What Go's strconv.ParseBool takes, which milvus-backup reads booleans with. */
const truths = ["1", "t", "T", "true", "TRUE", "True"];
const boolean = z
  .enum([...truths, "0", "f", "F", "false", "FALSE", "False"], "must be true or false")
  .transform((value) => truths.includes(value));
const restAddress = z
  .string()
  .regex(
    /^(?:https?:\/\/)?(?:[^/:\s[\]]+|\[[\da-fA-F:.]+\]|[\da-fA-F:.]+)$/,
    "must be a host, http://host or https://host; the port is milvus.restPort",
  );
const copyMode = z.enum(["auto", "server-side", "streamed"], "must be auto, server-side or streamed");

const account = z.string().regex(/^\d{12}$/, "must be the 12 digits of an AWS account");
const acl = z.enum(["bucket-owner-full-control"], "must be bucket-owner-full-control");
const lockMode = z.enum(lockModes, "must be governance or compliance");
const storageClass = z.enum(storageClasses, `must be one of ${storageClasses.join(", ")}`);

function key<T extends z.ZodType<unknown, string>>(schema: T, variable?: string) {
  return { schema, variable };
}

/**
 * The keys of a backup.yaml that mean something here, as milvus-backup 0.5.16 reads them, with the environment variable that it
 * lets stand for the key. Ours are milvus.restAddress, restPort and ezkMappingPath, minio.roleArn, externalId, caCertPath, connectionString, requesterPays, acl and bucketOwner (each
 * also with `backup`), copyMode, backupObjectLock, backupObjectLockMode and backupStorageClass, and backup.protected.
 */
export const knownKeys = {
  "milvus.address": key(text, "MILVUS_ADDRESS"),
  "milvus.port": key(port, "MILVUS_PORT"),
  "milvus.restAddress": key(restAddress, "MILVUS_REST_ADDRESS"),
  "milvus.restPort": key(port, "MILVUS_REST_PORT"),
  "milvus.user": key(text, "MILVUS_USER"),
  "milvus.password": key(text, "MILVUS_PASSWORD"),
  "milvus.tlsMode": key(tlsMode, "MILVUS_TLS_MODE"),
  "milvus.caCertPath": key(text, "MILVUS_CA_CERT_PATH"),
  "milvus.serverName": key(text, "MILVUS_SERVER_NAME"),
  "milvus.mtlsCertPath": key(text, "MILVUS_MTLS_CERT_PATH"),
  "milvus.mtlsKeyPath": key(text, "MILVUS_MTLS_KEY_PATH"),
  "milvus.rpcChannelName": key(text, "MILVUS_RPC_CHANNEL_NAME"),
  "milvus.ezkMappingPath": key(text),
  "storage.storageType": key(text),
  "storage.backupStorageType": key(text),
  "minio.storageType": key(text),
  "minio.cloudProvider": key(text),
  "minio.address": key(text, "MINIO_ADDRESS"),
  "minio.port": key(port, "MINIO_PORT"),
  "minio.region": key(text, "MINIO_REGION"),
  "minio.accessKeyID": key(text, "MINIO_ACCESS_KEY"),
  "minio.secretAccessKey": key(text, "MINIO_SECRET_KEY"),
  "minio.token": key(text, "MINIO_TOKEN"),
  "minio.connectionString": key(text),
  "minio.gcpCredentialJSON": key(text, "GCP_KEY_JSON"),
  "minio.useSSL": key(boolean, "MINIO_USE_SSL"),
  "minio.useIAM": key(boolean, "MINIO_USE_IAM"),
  "minio.iamEndpoint": key(text, "MINIO_IAM_ENDPOINT"),
  "minio.roleArn": key(text),
  "minio.externalId": key(text),
  "minio.caCertPath": key(text),
  "minio.requesterPays": key(boolean),
  "minio.acl": key(acl),
  "minio.bucketOwner": key(account),
  "minio.bucketName": key(text, "MINIO_BUCKET_NAME"),
  "minio.rootPath": key(text, "MINIO_ROOT_PATH"),
  "minio.backupStorageType": key(text),
  "minio.backupAddress": key(text, "MINIO_BACKUP_ADDRESS"),
  "minio.backupPort": key(port, "MINIO_BACKUP_PORT"),
  "minio.backupRegion": key(text, "MINIO_BACKUP_REGION"),
  "minio.backupAccessKeyID": key(text, "MINIO_BACKUP_ACCESS_KEY"),
  "minio.backupSecretAccessKey": key(text, "MINIO_BACKUP_SECRET_KEY"),
  "minio.backupToken": key(text, "MINIO_BACKUP_TOKEN"),
  "minio.backupConnectionString": key(text),
  "minio.backupGcpCredentialJSON": key(text, "BACKUP_GCP_KEY_JSON"),
  "minio.backupUseSSL": key(boolean, "MINIO_BACKUP_USE_SSL"),
  "minio.backupUseIAM": key(boolean, "MINIO_BACKUP_USE_IAM"),
  "minio.backupIamEndpoint": key(text, "MINIO_BACKUP_IAM_ENDPOINT"),
  "minio.backupRoleArn": key(text),
  "minio.backupExternalId": key(text),
  "minio.backupCaCertPath": key(text),
  "minio.backupRequesterPays": key(boolean),
  "minio.backupAcl": key(acl),
  "minio.backupBucketOwner": key(account),
  "minio.backupBucketName": key(text, "MINIO_BACKUP_BUCKET_NAME"),
  "minio.backupRootPath": key(text, "MINIO_BACKUP_ROOT_PATH"),
  "minio.backupObjectLock": key(lockDuration),
  "minio.backupObjectLockMode": key(lockMode),
  "minio.backupStorageClass": key(storageClass),
  "minio.crossStorage": key(boolean),
  "minio.copyMode": key(copyMode),
  "minio.multipartCopyThresholdMiB": key(integer),
  "backup.parallelism.importJob": key(integer),
  "backup.protected": key(boolean),
  "backup.keepTempFiles": key(boolean, "BACKUP_KEEP_TEMP_FILES"),
  "backup.gcPause.enable": key(boolean, "BACKUP_GC_PAUSE_ENABLE"),
  "backup.gcPause.address": key(text, "BACKUP_GC_PAUSE_ADDRESS"),
} as const;

export type KnownKey = keyof typeof knownKeys;
export type KnownValues = { [K in KnownKey]: z.output<(typeof knownKeys)[K]["schema"]> };

/** The values that are given, by key; defaults are not in here. */
export interface GivenValues {
  get<K extends KnownKey>(key: K): KnownValues[K] | undefined;
  /** An InvalidEnvironment that names file, line and key. */
  error(key: KnownKey, message: string): PipelineError;
}

/** Keys of milvus-backup, today's and earlier ones, that have no meaning here; a name ending in `.` stands for all below it. */
export const ignoredKeys: readonly string[] = [
  "log.",
  "http.",
  "cloud.",
  "milvus.authorizationEnabled",
  "milvus.etcd.",
  "backup.maxSegmentGroupSize",
  "backup.gcPause.seconds",
  "backup.parallelism.",
  "BACKUP_PARALLELISM_COPYDATA",
  "BACKUP_PARALLELISM_BACKUP_COLLECTION",
  "BACKUP_PARALLELISM_RESTORE_COLLECTION",
  "backup.copydata.",
];

const canonicalKeys = new Map<string, KnownKey>();
for (const [name, { variable }] of Object.entries(knownKeys) as [KnownKey, { variable: string | undefined }][]) {
  canonicalKeys.set(name.toLowerCase(), name);
  if (variable !== undefined) canonicalKeys.set(variable.toLowerCase(), name);
}

/**
 * The canonical spelling of a key (case does not matter, as in milvus-backup; with `variables`, names of environment variables
 * count too); `ignored` for one without meaning here; undefined for an unknown one.
 */
export function findKey(name: string, options: { variables: boolean }): KnownKey | "ignored" | undefined {
  const lower = name.toLowerCase();
  const known = canonicalKeys.get(lower);
  if (known !== undefined && (options.variables || known.toLowerCase() === lower)) return known;
  // backup.parallelism: most of it means nothing here, and importJob does
  if (Object.keys(knownKeys).some((key) => key.toLowerCase().startsWith(`${lower}.`))) return undefined;
  const isIgnored = ignoredKeys.some((ignored) =>
    ignored.endsWith(".") ? `${lower}.`.startsWith(ignored.toLowerCase()) : lower === ignored.toLowerCase(),
  );
  return isIgnored ? "ignored" : undefined;
}

/**
 * The variables that stand for keys of a backup.yaml, of those that are set: milvus-backup reads them, and they win over its file. An empty one counts
 * as none.
 */
export function environmentVariables(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const variables = Object.values(knownKeys).flatMap(({ variable }) => variable ?? []);
  return Object.fromEntries(variables.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

/** Whether keys lie below this name: `milvus`, `backup.gcPause`. */
export function isSection(name: string): boolean {
  const start = `${name.toLowerCase()}.`;
  return [...Object.keys(knownKeys), ...ignoredKeys].some((known) => known.toLowerCase().startsWith(start));
}

/** The known key that was probably meant: the same name in another section, or the one with the fewest typing errors. */
export function nearestKey(name: string): KnownKey | undefined {
  const lower = name.toLowerCase();
  const leaf = lower.slice(lower.lastIndexOf(".") + 1);
  const keys = Object.keys(knownKeys) as KnownKey[];
  const moved = keys.find((known) => known.toLowerCase().endsWith(`.${leaf}`));
  if (moved !== undefined) return moved;
  const ranked = keys
    .map((known) => ({ known, distance: editDistance(lower, known.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= Math.max(3, leaf.length / 3) ? best.known : undefined;
}

/** How many characters must be inserted, removed or replaced to make one text of the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
