import type { StoreRef } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectStore } from "../../ports/object-store.ts";

const bucketKeys = { milvus: "minio.bucketName", backup: "minio.backupBucketName" } as const;

/**
 * Looks whether a bucket of an environment can be used; one that is not there is told with the key that names it.
 * @throws as `ObjectStore.checkAccess`
 */
export async function checkAccess(
  store: ObjectStore,
  { name }: { readonly name: string },
  side: StoreRef["side"],
  prefix?: string,
): Promise<void> {
  try {
    await store.checkAccess(prefix);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name !== "BucketNotFound") throw error;
    const message = `${error.message} (${bucketKeys[side]} of environment ${name})`;
    throw new PipelineError(error.name, message, { details: error.details, cause: error });
  }
}
