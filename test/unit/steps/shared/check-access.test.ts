import { expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { checkAccess } from "../../../../src/steps/shared/check-access.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

function storeThat(fault: PipelineError) {
  const store = new MemoryObjectStore("bucket-a");
  store.checkAccess = async () => {
    throw fault;
  };
  return store;
}

test.each([
  ["milvus", "minio.bucketName"],
  ["backup", "minio.backupBucketName"],
] as const)("a bucket of the side %s that is not there is told with %s", async (side, key) => {
  const fault = new PipelineError("BucketNotFound", "bucket x does not exist", { details: { bucket: "x" } });

  await expect(checkAccess(storeThat(fault), { name: "prod" }, side)).rejects.toMatchObject({
    name: "BucketNotFound",
    message: `bucket x does not exist (${key} of environment prod)`,
    details: { bucket: "x" },
  });
});

test("every other fault stays as it is", async () => {
  const fault = new PipelineError("StoreAccessDenied", "no");

  await expect(checkAccess(storeThat(fault), { name: "prod" }, "backup")).rejects.toBe(fault);
});
