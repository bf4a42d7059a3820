import type { StorageSettings } from "./environment.ts";
import type { GivenValues, KnownKey } from "./keys.ts";

const withS3Features: ReadonlySet<StorageSettings["type"]> = new Set(["minio", "s3", "aws"]);

/** Whether a kind of store locks objects and has storage classes in the way that S3 does. */
export function locksObjects(type: StorageSettings["type"]): boolean {
  return withS3Features.has(type);
}

const bucketKeys = {
  primary: { requesterPays: "minio.requesterPays", acl: "minio.acl", bucketOwner: "minio.bucketOwner" },
  backup: {
    requesterPays: "minio.backupRequesterPays",
    acl: "minio.backupAcl",
    bucketOwner: "minio.backupBucketOwner",
  },
} as const;

type BucketRequests = Pick<StorageSettings, keyof typeof bucketKeys.primary>;

/**
 * What requests to a bucket of AWS say beside what they ask: who pays, to whom belongs what is written, and whose the bucket must be.
 * @param inherited of the other bucket, where that is the same one
 * @throws InvalidEnvironment for a kind of store that knows none of it
 */
export function bucketRequests(
  values: GivenValues,
  type: StorageSettings["type"],
  side: keyof typeof bucketKeys,
  inherited?: BucketRequests,
): BucketRequests {
  const keys = bucketKeys[side];
  const asked = Object.values(keys).find((key) => values.get(key));
  if (asked !== undefined && !locksObjects(type)) {
    throw values.error(asked, `works with minio, s3 and aws only, and the type of the store is ${type}: leave it out`);
  }
  const requesterPays = values.get(keys.requesterPays) ?? inherited?.requesterPays ?? false;
  const acl = values.get(keys.acl) ?? inherited?.acl;
  const bucketOwner = values.get(keys.bucketOwner) ?? inherited?.bucketOwner;
  return {
    ...(requesterPays && { requesterPays }),
    ...(acl !== undefined && { acl }),
    ...(bucketOwner !== undefined && { bucketOwner }),
  };
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
