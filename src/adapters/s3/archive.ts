import { isArchiveClass } from "../../core/execution/storage-class.ts";
import type { S3Bucket } from "./bucket.ts";
import { headObject } from "./content.ts";
import { archived } from "./errors.ts";

/** `ObjectStore.checkReadable`: by the class of an object, and by what its header `x-amz-restore` says of a copy outside of the archive. */
export async function checkReadable(bucket: S3Bucket, key: string): Promise<void> {
  const head = await headObject(bucket, key);
  const place = head?.ArchiveStatus ?? head?.StorageClass;
  const isArchived = head?.ArchiveStatus !== undefined || isArchiveClass(head?.StorageClass);
  if (!isArchived || /ongoing-request="false"/.test(head?.Restore ?? "")) return;
  const state = head?.Restore === undefined ? `is in ${place}` : `is being restored from ${place}`;
  throw archived({ bucket: bucket.name, address: bucket.connection.address, key }, state);
}
