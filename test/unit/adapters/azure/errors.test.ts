import { expect, test } from "vitest";
import { azureError } from "../../../../src/adapters/azure/errors.ts";

const request = {
  container: "backups",
  address: "account1.blob.core.windows.net:443",
  account: "account1",
  signer: "the key of account account1",
  permission: "Read",
  key: "backup/n/1",
} as const;

function refusal(statusCode: number, errorCode: string, more: object = {}): Error {
  const url = "https://account1.blob.core.windows.net/backups?sig=s3cret";
  return Object.assign(new Error(`${errorCode}\nRequestId:1`), {
    statusCode,
    details: { errorCode, ...more },
    request: { url },
  });
}

test.each([
  [404, "BlobNotFound", "ObjectNotFound", "permanent"],
  [404, "ContainerNotFound", "BucketNotFound", "permanent"],
  [412, "ConditionNotMet", "ObjectNotFound", "permanent"],
  [403, "AuthorizationPermissionMismatch", "StoreAccessDenied", "permanent"],
  [403, "AuthenticationFailed", "StoreAccessDenied", "permanent"],
  [409, "BlobArchived", "StoreFailed", "permanent"],
  [400, "InvalidBlockList", "StoreBusy", "transient"],
  [429, "TooManyRequests", "StoreBusy", "transient"],
  [503, "ServerBusy", "StoreBusy", "transient"],
  [500, "InternalError", "StoreBusy", "transient"],
  [501, "NotImplemented", "StoreFailed", "permanent"],
])("HTTP %i %s is %s", (status, code, name, kind) => {
  const error = azureError(refusal(status, code), request);

  expect(error).toMatchObject({ name, kind });
  expect(error.message).toContain("backups");
});

test("a container that is not there is told with the key that names it", () => {
  const told = { ...request, bucketKey: "minio.backupBucketName of environment prod" };

  expect(azureError(refusal(404, "ContainerNotFound"), told).message).toMatch(
    /container backups does not exist .* correct minio.backupBucketName of environment prod$/,
  );
});

test.each([
  ["ENOTFOUND", "StoreUnreachable", "outage"],
  ["ECONNREFUSED", "StoreUnreachable", "outage"],
  ["ECONNRESET", "StoreBusy", "transient"],
  ["CERT_HAS_EXPIRED", "StoreUnreachable", "outage"],
])("a network fault %s is %s", (code, name, kind) => {
  expect(azureError(Object.assign(new Error("x"), { code }), request)).toMatchObject({ name, kind });
});

test("an expired signature is told from a wrong key, and neither is shown", () => {
  const signed = { ...request, signer: "the shared access signature of account account1" };
  const expired = azureError(
    refusal(403, "AuthenticationFailed", {
      authenticationErrorDetail: "Signature not valid in the specified time frame",
    }),
    signed,
  );
  const wrong = azureError(refusal(403, "AuthenticationFailed"), request);

  expect(expired.message).toMatch(/has expired, or is not valid yet: give a new one in token/);
  expect(wrong.message).toMatch(/secretAccessKey is not the key of the account that accessKeyID names \(account1\)/);
  for (const { cause, stack, message } of [expired, wrong]) {
    expect(JSON.stringify([cause, stack, message, Object.keys(cause as Error)])).not.toContain("s3cret");
    expect(cause).not.toHaveProperty("request");
  }
});
