import { parseTargetLease } from "../../src/core/format/target-lease.ts";
import type { MemoryObjectStore } from "./memory-object-store.ts";

const root = "milvus-backup-staging/";

/** What restores have staged in a Milvus's bucket. */
export function stagedKeys(bucket: MemoryObjectStore): string[] {
  return bucket.keys(root).filter((key) => !key.startsWith(`${root}targets/`));
}

/** Targets that some restore holds there, and the claims by which restores say that they go on. */
export function heldTargets(bucket: MemoryObjectStore): string[] {
  return bucket.keys(`${root}targets/`).filter((key) => {
    const lease = parseTargetLease(bucket.read(key) ?? "");
    return lease === undefined || lease.state === "restoring";
  });
}

/** What is said of a target (`db.coll`) there; undefined where nothing is. */
export function leaseOn(bucket: MemoryObjectStore, target: string) {
  const key = bucket.keys(`${root}targets/`).find((one) => one.endsWith(`/${target}.json`));
  return key === undefined ? undefined : parseTargetLease(bucket.read(key) ?? "");
}
