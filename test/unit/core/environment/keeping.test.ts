import { expect, test } from "vitest";
import { parseStoredEnvironment, serializeEnvironment } from "../../../../src/core/environment/json.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";

function parse(overrides: Readonly<Record<string, string>>) {
  return parseEnvironment("minio:\n  accessKeyID: key\n  secretAccessKey: secret\n", {
    name: "prod",
    fileName: "prod.yaml",
    overrides,
  });
}

test("an environment keeps its backups as it says, and is registered with that", () => {
  const environment = parse({
    "minio.backupObjectLock": "30d",
    "minio.backupObjectLockMode": "compliance",
    "minio.backupStorageClass": "GLACIER_IR",
  });

  expect(environment.backupStorage).toMatchObject({
    objectLock: { for: "30d", mode: "compliance" },
    storageClass: "GLACIER_IR",
  });
  expect(environment.storage).not.toHaveProperty("objectLock");
  expect(parseStoredEnvironment(serializeEnvironment(environment), "prod")).toEqual(environment);
  expect(parse({ "minio.backupObjectLock": "7d" }).backupStorage.objectLock?.mode).toBe("governance");
  expect(parse({}).backupStorage).not.toHaveProperty("objectLock");
});

test.each([
  [{ "minio.backupObjectLock": "soon" }, /minio.backupObjectLock.*30d, 12h/],
  [{ "minio.backupObjectLockMode": "compliance" }, /minio.backupObjectLockMode needs minio.backupObjectLock/],
  [{ "minio.backupObjectLock": "1d", "minio.backupObjectLockMode": "always" }, /must be governance or compliance/],
  [{ "minio.backupStorageClass": "COLD" }, /must be one of STANDARD,.*DEEP_ARCHIVE/],
  [
    {
      "minio.backupObjectLock": "1d",
      "minio.backupStorageType": "gcp",
      "minio.backupAddress": "storage.googleapis.com",
    },
    /minio.backupObjectLock works with minio, s3 and aws only/,
  ],
])("%j is refused with what is accepted", (given, message) => {
  expect(() => parse(given)).toThrow(
    expect.objectContaining({ name: "InvalidEnvironment", message: expect.stringMatching(message) }),
  );
});
