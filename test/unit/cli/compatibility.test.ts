import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { normalizeArguments } from "../../../cli/arguments.ts";
import { main } from "../../../cli/main.ts";
import { findKey, knownKeys } from "../../../src/core/environment/keys.ts";
import { commandContext as context, program } from "../../support/command.ts";

/** What the help of milvus-backup 0.5.16 lists: options by verb, `""` for those of all verbs. */
const verbs: Readonly<Record<string, string>> = {
  "": "config set",
  create: "backup_index_extra colls database_collections databases filter force meta_only name rbac strategy",
  restore:
    "collections database_collections databases drop_exist_collection drop_exist_index filter meta_only name rbac rebuild_index rename restore_index " +
    "skip_create_collection suffix use_auto_index use_v2_restore",
  "restore secondary": "name source_cluster_id target_cluster_id",
  list: "collection",
  get: "detail name",
  delete: "name",
  check: "",
  "check config": "",
  server: "port",
  migrate: "cluster_id name",
};

/** Its short options, with the long ones they stand for. */
const shorts: readonly (readonly [verb: string, short: string, long: string])[] = [
  ["create", "-a", "--database_collections"],
  ["create", "-c", "--colls"],
  ["create", "-d", "--databases"],
  ["create", "-f", "--force"],
  ["create", "-n", "--name"],
  ["restore", "-a", "--database_collections"],
  ["restore", "-c", "--collections"],
  ["restore", "-d", "--databases"],
  ["restore", "-n", "--name"],
  ["restore", "-r", "--rename"],
  ["restore", "-s", "--suffix"],
  ["list", "-c", "--collection"],
  ["get", "-d", "--detail"],
  ["get", "-n", "--name"],
  ["delete", "-n", "--name"],
];

/** The keys that milvus-backup 0.5.16 reads, with the environment variables that stand for them. */
const keys: Readonly<Record<string, string>> = {
  "log.level": "",
  "log.console": "",
  "log.file.filename": "",
  "log.file.maxSize": "",
  "log.file.maxDays": "",
  "log.file.maxBackups": "",
  "http.enabled": "",
  "http.debugMode": "",
  "http.swaggerBasePath": "",
  "cloud.address": "",
  "cloud.apikey": "",
  "milvus.address": "MILVUS_ADDRESS",
  "milvus.port": "MILVUS_PORT",
  "milvus.user": "MILVUS_USER",
  "milvus.password": "MILVUS_PASSWORD",
  "milvus.tlsMode": "MILVUS_TLS_MODE",
  "milvus.caCertPath": "MILVUS_CA_CERT_PATH",
  "milvus.serverName": "MILVUS_SERVER_NAME",
  "milvus.mtlsCertPath": "MILVUS_MTLS_CERT_PATH",
  "milvus.mtlsKeyPath": "MILVUS_MTLS_KEY_PATH",
  "milvus.rpcChannelName": "MILVUS_RPC_CHANNEL_NAME",
  "milvus.etcd.endpoints": "",
  "milvus.etcd.rootPath": "",
  "storage.storageType": "",
  "minio.storageType": "",
  "minio.cloudProvider": "",
  "minio.address": "MINIO_ADDRESS",
  "minio.port": "MINIO_PORT",
  "minio.region": "MINIO_REGION",
  "minio.accessKeyID": "MINIO_ACCESS_KEY",
  "minio.secretAccessKey": "MINIO_SECRET_KEY",
  "minio.token": "MINIO_TOKEN",
  "minio.gcpCredentialJSON": "GCP_KEY_JSON",
  "minio.useSSL": "MINIO_USE_SSL",
  "minio.bucketName": "MINIO_BUCKET_NAME",
  "minio.rootPath": "MINIO_ROOT_PATH",
  "minio.useIAM": "MINIO_USE_IAM",
  "minio.iamEndpoint": "MINIO_IAM_ENDPOINT",
  "storage.backupStorageType": "",
  "minio.backupStorageType": "",
  "minio.backupAddress": "MINIO_BACKUP_ADDRESS",
  "minio.backupPort": "MINIO_BACKUP_PORT",
  "minio.backupRegion": "MINIO_BACKUP_REGION",
  "minio.backupAccessKeyID": "MINIO_BACKUP_ACCESS_KEY",
  "minio.backupSecretAccessKey": "MINIO_BACKUP_SECRET_KEY",
  "minio.backupToken": "MINIO_BACKUP_TOKEN",
  "minio.backupGcpCredentialJSON": "BACKUP_GCP_KEY_JSON",
  "minio.backupUseSSL": "MINIO_BACKUP_USE_SSL",
  "minio.backupBucketName": "MINIO_BACKUP_BUCKET_NAME",
  "minio.backupRootPath": "MINIO_BACKUP_ROOT_PATH",
  "minio.backupUseIAM": "MINIO_BACKUP_USE_IAM",
  "minio.backupIamEndpoint": "MINIO_BACKUP_IAM_ENDPOINT",
  "minio.crossStorage": "",
  "minio.multipartCopyThresholdMiB": "",
  "backup.parallelism.copydata": "BACKUP_PARALLELISM_COPYDATA",
  "backup.parallelism.backupCollection": "BACKUP_PARALLELISM_BACKUP_COLLECTION",
  "backup.parallelism.backupSegment": "",
  "backup.parallelism.restoreCollection": "BACKUP_PARALLELISM_RESTORE_COLLECTION",
  "backup.parallelism.importJob": "",
  "backup.keepTempFiles": "BACKUP_KEEP_TEMP_FILES",
  "backup.gcPause.enable": "BACKUP_GC_PAUSE_ENABLE",
  "backup.gcPause.address": "BACKUP_GC_PAUSE_ADDRESS",
};

const document = readFileSync(new URL("../../../docs/compatibility.md", import.meta.url), "utf8");
/** The rows of its table of verbs. */
const rows = [...document.matchAll(/^\| (?:`([a-z ]+)`|all verbs) +\| (?:`(--[a-z0-9_]+)`)? *\| (\w+) +\|/gm)].map(
  ([, verb = "", option = "", here = ""]) => ({ verb, option, here }),
);
/** The rows of its table of keys. */
const keyRows = [...document.matchAll(/^\| `([a-z]+\.[A-Za-z.]+)` +\| (?:`([A-Z_]+)`)? *\| (\w+) +\|/gm)].map(
  ([, key = "", variable = "", here = ""]) => ({ key, variable, here }),
);

const known = rows.filter(({ here }) => here !== "refused");
const refused = rows.filter(({ here }) => here === "refused");

/** `check config` is one below another. */
function commandOf(verb: string): Command | undefined {
  const find = (of: Command | undefined, name: string) => of?.commands.find((one) => one.name() === name);
  return verb.split(" ").reduce<Command | undefined>(find, program);
}

test("the document has every verb and option of milvus-backup 0.5.16", () => {
  const theirs = Object.entries(verbs).flatMap(([verb, options]) => {
    const named = options.split(" ").filter(Boolean);
    const alone = named.length === 0 || (verb !== "" && rows.some((row) => row.verb === verb && row.option === ""));
    return [...(alone ? [`${verb} `] : []), ...named.map((option) => `${verb} --${option}`)];
  });

  expect(rows.map(({ verb, option }) => `${verb} ${option}`).sort()).toEqual(theirs.sort());
  expect(new Set(rows.map(({ here }) => here))).toEqual(new Set(["same", "differs", "accepted", "refused"]));
});

test("the document has every key and variable of milvus-backup 0.5.16", () => {
  const told = Object.fromEntries(keyRows.map(({ key, variable }) => [key, variable]));

  expect(told).toEqual(keys);
  expect(keyRows).toHaveLength(Object.keys(keys).length);
});

describe("keys are taken as the document says", () => {
  test.each(keyRows)("$key $variable: $here", ({ key, variable, here }) => {
    expect(["same", "differs", "accepted"]).toContain(here);
    const isAccepted = here === "accepted";
    expect(findKey(key, { variables: false })).toBe(isAccepted ? "ignored" : key);
    if (variable !== "") expect(findKey(variable, { variables: true })).toBe(isAccepted ? "ignored" : key);
    if (!isAccepted) expect(knownKeys[key as keyof typeof knownKeys].variable ?? "").toBe(variable);
  });
});

test("the document has the verbs of the command that milvus-backup has not", () => {
  const [, told = ""] = /^Verbs of this command that milvus-backup has not: (.*)\.$/m.exec(document) ?? [];
  const theirs = new Set(rows.map(({ verb }) => verb));
  const visible = program.createHelp().visibleCommands(program);
  const ours = visible.map((verb) => verb.name()).filter((name) => name !== "help" && !theirs.has(name));

  expect([...told.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort()).toEqual(ours.sort());
});

describe("what it says is taken", () => {
  test.each(known)("$verb $option", ({ verb, option }) => {
    const command = verb === "" ? program : commandOf(verb);
    expect(command).toBeDefined();
    const [name = ""] = option === "" ? [] : normalizeArguments([option], program);
    if (option !== "") expect(command?.options.map(({ long }) => long)).toContain(name);
  });
});

test.each(shorts)("%s %s is %s", (verb, short, long) => {
  const found = commandOf(verb)?.options.find((option) => option.short === short);

  expect(found?.long).toBe(normalizeArguments([long], program)[0]);
});

describe("what it says is refused", () => {
  test.each(refused)("$verb $option says what to use instead", async ({ verb, option }) => {
    const written: string[] = [];
    const stderr = { ...context.terminal.stderr, write: (text: string) => written.push(text) > 0 };
    const terminal = { ...context.terminal, stderr } as typeof context.terminal;
    const isVerb = refused.some((row) => row.verb === verb && row.option === "");
    const words = [...verb.split(" "), "-n", "x", ...(option === "" ? [] : [isVerb ? `${option}=x` : option])];

    const code = await main(words, { ...context, terminal });

    expect(code).toBe(1);
    const what = isVerb ? verb : `${verb} ${option}`;
    expect(written.join("")).toMatch(new RegExp(`^Error \\(Usage\\): ${what}: .{40}`));
  });
});

test("they are in no help", () => {
  const helps = [program, ...program.createHelp().visibleCommands(program)]
    .map((command) => command.helpInformation())
    .join("");
  expect(helps).not.toMatch(/secondary|migrate/);
});
