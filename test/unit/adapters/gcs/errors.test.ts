import { expect, test } from "vitest";
import { gcsError } from "../../../../src/adapters/gcs/errors.ts";

const request = {
  bucket: "my-bucket",
  address: "storage.googleapis.com:443",
  signer: "backup@project.iam.gserviceaccount.com",
  permission: "storage.objects.get",
  key: "backup/n/1",
} as const;

const refusal = (code: number, message: string) =>
  Object.assign(new Error(message), { code, config: { headers: { Authorization: "Bearer s3cret" } } });

test.each([
  // the name of the bucket is in the message
  [404, "No such object: my-bucket/backup/n/1", "ObjectNotFound", "permanent"],
  [404, "The specified bucket does not exist.", "BucketNotFound", "permanent"],
  [412, "At least one of the pre-conditions you specified did not hold.", "ObjectNotFound", "permanent"],
  [403, "does not have storage.objects.get access", "StoreAccessDenied", "permanent"],
  [401, "Invalid Credentials", "StoreAccessDenied", "permanent"],
  [429, "rateLimitExceeded", "StoreBusy", "transient"],
  [503, "Backend Error", "StoreBusy", "transient"],
  [400, "Invalid argument", "StoreFailed", "permanent"],
])("HTTP %i %s is %s", (status, message, name, kind) => {
  const error = gcsError(refusal(status, message), request);

  expect(error).toMatchObject({ name, kind });
  expect(error.cause).not.toHaveProperty("config");
});

test("a listing of a bucket that is not there names it", () => {
  const { key: _, ...listing } = request;
  const told = {
    ...listing,
    permission: "storage.objects.list",
    bucketKey: "minio.bucketName of environment x",
  } as const;

  expect(gcsError(refusal(404, "Not Found"), told)).toMatchObject({
    name: "BucketNotFound",
    message: expect.stringMatching(/bucket my-bucket does not exist .* correct minio.bucketName of environment x$/),
  });
});

test("what is missing is a permission of the service account, which is named", () => {
  expect(gcsError(refusal(403, "denied"), request).message).toMatch(
    /^backup@project\.iam\.gserviceaccount\.com is not allowed storage\.objects\.get on backup\/n\/1 .*roles\/storage\.objectAdmin/,
  );
  expect(gcsError(new Error("invalid_grant: Invalid JWT Signature."), request)).toMatchObject({
    name: "StoreAccessDenied",
    message: expect.stringContaining("gcpCredentialJSON"),
  });
});
