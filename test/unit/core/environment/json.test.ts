import { describe, expect, test } from "vitest";
import type { Environment } from "../../../../src/core/environment/environment.ts";
import { parseStoredEnvironment, redact, serializeEnvironment } from "../../../../src/core/environment/json.ts";
import { sameBucket } from "../../../../src/core/environment/storage-identity.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";

function environment(): Environment {
  const yaml = [
    "milvus:",
    "  user: root",
    "  password: milvus-secret",
    "  tlsMode: 2",
    "  caCertPath: ca",
    "  mtlsCertPath: cert",
    "  mtlsKeyPath: key-secret",
    "  ezkMappingPath: mapping",
    "minio:",
    "  accessKeyID: AKIAEXAMPLE1",
    "  secretAccessKey: store-secret",
    "  token: token-secret",
    "  backupRoleArn: arn:aws:iam::111122223333:role/backups",
    "  backupExternalId: external-secret",
  ].join("\n");
  const readFile = (path: string) => (path === "mapping" ? '{"old-secret": "new-secret"}' : `PEM ${path}`);
  return parseEnvironment(yaml, { name: "prod", fileName: "backup.yaml", readFile });
}

describe("the stored environment", () => {
  test("comes back as it was", () => {
    expect(parseStoredEnvironment(serializeEnvironment(environment()), "prod")).toEqual(environment());
  });

  test("is the same text however the keys are ordered", () => {
    const { name, ...rest } = environment();
    expect(serializeEnvironment({ ...rest, name })).toBe(serializeEnvironment(environment()));
  });

  test("one that was changed by hand is refused with the key, without its content", () => {
    const text = serializeEnvironment(environment()).replace('"port":19530', '"port":"store-secret"');

    expect(() => parseStoredEnvironment(text, "prod")).toThrowError(
      expect.objectContaining({
        name: "InvalidEnvironment",
        message: expect.stringMatching(/^(?!.*store-secret).*prod is not valid at milvus\.port/),
      }),
    );
  });

  test("one that is no JSON is refused", () => {
    expect(() => parseStoredEnvironment("AKIA store-secret", "prod")).toThrowError(
      expect.objectContaining({ name: "InvalidEnvironment", message: expect.not.stringContaining("secret") }),
    );
  });
});

describe("showing an environment", () => {
  test("hides every secret, and says which key is used by its end", () => {
    const shown = redact(environment());

    expect(JSON.stringify(shown)).not.toMatch(/-secret/);
    expect(shown.storage.credentials).toEqual({
      kind: "static",
      accessKeyId: "***PLE1",
      secretAccessKey: "***",
      token: "***",
    });
    expect(shown.milvus).toMatchObject({ user: "root", password: "***", mtlsKey: "***", caCert: "PEM ca" });
    expect(shown.backupStorage.credentials).toMatchObject({ roleArn: "arn:aws:iam::111122223333:role/backups" });
  });

  test("leaves what is empty empty", () => {
    const shown = redact(parseEnvironment("", { name: "prod", fileName: "backup.yaml" }));

    expect(shown.milvus.password).toBe("");
    expect(shown.storage.credentials).toMatchObject({ token: "" });
  });
});

test("shown without its key, an account of Azure is the store that it was; no secret of any kind is shown", () => {
  const read = (yaml: string) =>
    parseEnvironment(yaml, {
      name: "prod",
      fileName: "backup.yaml",
      readFile: () => '{"type":"service_account","private_key":"s3cret"}',
    });
  const azure = read("minio:\n  storageType: azure\n  accessKeyID: account1\n  secretAccessKey: s3cret\n");
  const google = read("minio:\n  storageType: gcpnative\n  gcpCredentialJSON: key.json\n");

  expect(sameBucket(redact(azure).storage, azure.storage)).toBe(true);
  expect(sameBucket(redact(google).storage, google.storage)).toBe(true);
  expect(JSON.stringify([redact(azure), redact(google)])).not.toContain("s3cret");
  for (const environment of [azure, google]) {
    expect(parseStoredEnvironment(serializeEnvironment(environment), "prod")).toEqual(environment);
  }
});
