import type { StorageSettings } from "./environment.ts";

/** Whether two settings mean the same bucket of the same object store, whatever credentials each uses. */
export function sameBucket(a: StorageSettings, b: StorageSettings): boolean {
  return a.bucket === b.bucket && a.address.toLowerCase() === b.address.toLowerCase() && a.port === b.port;
}
