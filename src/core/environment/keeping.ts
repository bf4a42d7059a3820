import type { StorageSettings } from "./environment.ts";
import type { GivenValues, KnownKey } from "./keys.ts";

const withS3Features: ReadonlySet<StorageSettings["type"]> = new Set(["minio", "s3", "aws"]);

/** Whether a kind of store locks objects and has storage classes in the way that S3 does. */
export function locksObjects(type: StorageSettings["type"]): boolean {
  return withS3Features.has(type);
}

/**
 * How an environment keeps its backups: the lock that each gets, and the storage class of their logs.
 * @throws InvalidEnvironment for a mode without a time, or a kind of store that knows neither
 */
export function backupKeeping(
  values: GivenValues,
  type: StorageSettings["type"],
): Pick<StorageSettings, "objectLock" | "storageClass"> {
  const time = values.get("minio.backupObjectLock");
  const mode = values.get("minio.backupObjectLockMode");
  const storageClass = values.get("minio.backupStorageClass");
  if (time === undefined && mode !== undefined) {
    throw values.error("minio.backupObjectLockMode", "needs minio.backupObjectLock, how long backups are locked: 30d");
  }
  const keys = ["minio.backupObjectLock", "minio.backupStorageClass"] as const satisfies KnownKey[];
  const given = keys.find((key) => values.get(key) !== undefined);
  if (given !== undefined && !locksObjects(type)) {
    throw values.error(
      given,
      `works with minio, s3 and aws only, and backups lie in a store of type ${type}: leave it out`,
    );
  }
  return {
    ...(time !== undefined && { objectLock: { for: time, mode: mode ?? "governance" } }),
    ...(storageClass !== undefined && { storageClass }),
  };
}
