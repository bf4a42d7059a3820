import { expect, test } from "vitest";
import { changedSettings, describeChanges, environmentChanged } from "../../../../src/core/environment/changes.ts";
import { redact } from "../../../../src/core/environment/json.ts";
import { type KnownKey, knownKeys } from "../../../../src/core/environment/keys.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";

const base = {
  "milvus.password": "s3cret-one",
  "milvus.tlsMode": "2",
  "milvus.mtlsCertPath": "cert",
  "milvus.mtlsKeyPath": "key",
  "minio.accessKeyID": "AKIA-ONE",
  "minio.secretAccessKey": "s3cret-two",
  "minio.backupAccessKeyID": "AKIA-TWO",
  "minio.backupSecretAccessKey": "s3cret-three",
};
const roles = {
  "minio.useIAM": "true",
  "minio.backupUseIAM": "true",
  "minio.roleArn": "arn:one",
  "minio.externalId": "s3cret",
};

const google = {
  "minio.storageType": "gcpnative",
  "minio.gcpCredentialJSON": "s3cret-json",
  "minio.backupGcpCredentialJSON": "s3cret-other-json",
};
const account = (name: string) => `AccountName=${name};AccountKey=s3cret-${name}`;
const azure = {
  "minio.storageType": "azure",
  "minio.connectionString": account("one"),
  "minio.backupConnectionString": account("two"),
};

function environment(values: Readonly<Record<string, string>>) {
  const readFile = (path: string) =>
    path.endsWith("json") ? JSON.stringify({ type: "service_account", path }) : `PEM ${path}`;
  return parseEnvironment("", { name: "prod", fileName: "f", readFile, overrides: values });
}

/** What a change of this key needs around it. */
function around(key: KnownKey): Readonly<Record<string, string>> {
  if (/CredentialJSON$/.test(key)) return google;
  if (/onnectionString$/.test(key)) return azure;
  if (/LockMode$/.test(key)) return { ...base, "minio.backupObjectLock": "1d" };
  return needRoles.test(key) ? roles : base;
}

/** A value that differs from what `base` or the default has. */
function another(key: KnownKey): string {
  if (/[pP]ort$/.test(key)) return "4321";
  if (/tlsMode$/.test(key)) return "1";
  if (/useSSL|UseSSL|crossStorage|keepTempFiles|protected|equesterPays/.test(key)) return "true";
  if (/gcPause.enable$/.test(key)) return "false";
  if (/ObjectLock$/.test(key)) return "30d";
  if (/LockMode$/.test(key)) return "compliance";
  if (/StorageClass$/.test(key)) return "GLACIER";
  if (/ucketOwner$/.test(key)) return "111122223333";
  if (/[aA]cl$/.test(key)) return "bucket-owner-full-control";
  if (/copyMode$/.test(key)) return "streamed";
  if (/[sS]torageType$|cloudProvider$/.test(key)) return "aws";
  if (/MiB$|parallelism/.test(key)) return "7";
  if (/onnectionString$/.test(key)) return account("another");
  if (/CredentialJSON$|MappingPath$/.test(key)) return "another.json";
  return `another-${key}`;
}

const spelledOtherwise: Readonly<Record<string, KnownKey>> = {
  "storage.storageType": "minio.storageType",
  "minio.cloudProvider": "minio.storageType",
  "storage.backupStorageType": "minio.backupStorageType",
  "minio.connectionString": "minio.accessKeyID",
  "minio.backupConnectionString": "minio.backupAccessKeyID",
};
const needRoles = /[iI]amEndpoint|[rR]oleArn|[eE]xternalId/;
const switches = /[uU]seIAM/;

test.each((Object.keys(knownKeys) as KnownKey[]).filter((key) => !switches.test(key)))(
  "a change of %s is named",
  (key) => {
    // otherwise it lies on Milvus's host, and goes along with it
    const given = { "backup.gcPause.address": "http://management:9091", ...around(key) };

    const changes = changedSettings(environment(given), environment({ ...given, [key]: another(key) }));

    expect(changes.map((change) => change.key)).toContain(spelledOtherwise[key] ?? key);
    // a tlsMode without mutual TLS has no client certificate, a connection string has name and key; nothing else takes others along
    if (key !== "milvus.tlsMode") expect(changes).toHaveLength(/onnectionString$/.test(key) ? 2 : 1);
  },
);

test("keys in place of a role are named, and what both sides inherit is named once", () => {
  const changes = changedSettings(
    environment({ "minio.address": "one", "minio.useSSL": "true" }),
    environment({ "minio.address": "two", "minio.useSSL": "true", ...roles }),
  );

  expect(changes.map(({ key }) => key)).toEqual([
    "minio.address",
    "minio.useIAM",
    "minio.accessKeyID",
    "minio.secretAccessKey",
    "minio.roleArn",
    "minio.externalId",
  ]);
});

test("the same content under another name has not changed", () => {
  expect(changedSettings(environment(base), { ...environment(base), name: "dr" })).toEqual([]);
});

test("no secret, key or certificate is told, only that it differs", () => {
  const after = environment(
    Object.fromEntries(Object.keys(base).map((key) => [key, key === "milvus.tlsMode" ? "2" : "s3cret-new"])),
  );
  const changes = changedSettings(environment(base), after);

  expect(changes).toHaveLength(7);
  const told =
    describeChanges(changes, (was, is) => `${was} ${is}`) +
    environmentChanged("prod", environment(base), after).message;
  expect(told).toContain("minio.backupSecretAccessKey");
  expect(told).not.toMatch(/s3cret|AKIA|PEM/);
});

test("the error names environment, keys, values and what to do", () => {
  const error = environmentChanged("prod", environment({}), environment({ "minio.bucketName": "bucket-new" }));

  expect(error).toMatchObject({ name: "EnvironmentChanged", kind: "permanent" });
  expect(error.message).toContain(
    "environment prod was registered anew with other values of minio.bucketName (a-bucket, now bucket-new)",
  );
  expect(error.message).toContain("env set prod --replace");
  expect(error.details).toEqual({ environment: "prod", changed: ["minio.bucketName"] });
});

test("where only secrets changed and nobody knows the earlier ones, and where it is gone, the error says that", () => {
  const now = environment({ ...base, "milvus.password": "s3cret-new" });

  expect(environmentChanged("prod", redact(environment(base)), redact(now)).message).toContain("with another secret");
  expect(environmentChanged("prod", environment(base), undefined).message).toContain("was removed");
});
