import { expect, test } from "vitest";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";

function parse(...lines: readonly string[]) {
  return parseEnvironment(["minio:", ...lines].join("\n  "), { name: "prod", fileName: "backup.yaml" });
}
const arn = "arn:aws:iam::111122223333:role/backups";
const aws = ["storageType: aws", "address: s3.eu-west-1.amazonaws.com"];
const role = ["address: minio.internal", "useIAM: true"];

test.each([
  [
    "AWS, where it is left out",
    aws,
    "minio.useSSL",
    /: minio\.useSSL is false, and must be true with storageType: aws/,
  ],
  ["AWS, where it is written", [...aws, "useSSL: false"], "minio.useSSL", /^backup\.yaml:4: minio\.useSSL is false/],
  ["the functions' role", role, "minio.useSSL", /must be true with a role \(useIAM, roleArn\): minio\.internal is not/],
  ["no keys at all", ["address: minio.internal", 'accessKeyID: ""', 'secretAccessKey: ""'], "minio.useSSL", /a role/],
  ["a role", ["address: 10.0.0.7", `roleArn: ${arn}`], "minio.useSSL", /with a role/],
  [
    "a name that only looks like the host itself",
    ["address: 127.0.0.1.example.com", "useIAM: true"],
    "minio.useSSL",
    /a role/,
  ],
  [
    "backups in AWS",
    ["backupStorageType: aws", "backupAddress: s3.amazonaws.com"],
    "minio.backupUseSSL",
    /storageType: aws/,
  ],
  ["backups, by a role", ["address: minio.internal", `backupRoleArn: ${arn}`], "minio.backupUseSSL", /with a role/],
  [
    "TLS for Milvus's bucket only",
    [...aws, "useSSL: true", "backupUseSSL: false"],
    "minio.backupUseSSL",
    /storageType: aws/,
  ],
  [
    "an STS without TLS",
    [...aws, "useSSL: true", `roleArn: ${arn}`, "iamEndpoint: http://sts.internal"],
    "minio.iamEndpoint",
    /must begin with https:/,
  ],
])("without TLS is refused: %s", (_, lines, key, message) => {
  expect(() => parse(...lines)).toThrow(
    expect.objectContaining({
      name: "InvalidEnvironment",
      message: expect.stringMatching(message),
      details: expect.objectContaining({ key }),
    }),
  );
});

test.each([
  ["AWS with TLS", [...aws, "useSSL: true"]],
  ["a store with keys of its own", ["address: minio.internal", "accessKeyID: a", "secretAccessKey: b"]],
  ["backups of a store with keys, by TLS", ["address: minio.internal", `backupRoleArn: ${arn}`, "backupUseSSL: true"]],
  ["keys that are not used for the role", [...role, "useSSL: true", "iamEndpoint: http://elsewhere"]],
  ["an STS on the host itself", ["storageType: aws", `roleArn: ${arn}`, "iamEndpoint: http://127.0.0.1:4566"]],
])("is taken: %s", (_, lines) => {
  expect(parse(...lines).name).toBe("prod");
});

test.each(["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", '"::1"', '"[::1]"'])(
  "is taken of the host itself: %s",
  (address) => {
    expect(parse(`address: ${address}`, "storageType: aws", "useIAM: true").storage.useSSL).toBe(false);
  },
);
