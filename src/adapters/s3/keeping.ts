import type { CopyOptions } from "../../ports/object-store.ts";
import { lockHeaders } from "./object-lock.ts";

/** How what is written is kept. */
export type KeepingOptions = Pick<CopyOptions, "lock" | "storageClass">;

/** The headers of that, of PutObject, CopyObject and CreateMultipartUpload alike. */
export function keepingHeaders({ lock, storageClass }: KeepingOptions) {
  return { ...lockHeaders(lock), ...(storageClass !== undefined && { StorageClass: storageClass }) };
}
