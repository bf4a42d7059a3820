import {
  type DefaultRetention,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  type ObjectLockRetention,
  PutObjectRetentionCommand,
} from "@aws-sdk/client-s3";
import { PipelineError } from "../../core/execution/errors.ts";
import {
  type BucketLock,
  covers,
  describeLock,
  type ObjectLock,
  strongerOf,
} from "../../core/execution/object-lock.ts";
import type { S3Bucket } from "./bucket.ts";

/** A bucket without Object Lock says so, a store that knows none of it too. */
const withoutLocks: ReadonlySet<string> = new Set([
  "ObjectLockConfigurationNotFoundError",
  "NoSuchObjectLockConfiguration",
  "NotImplemented",
  "MethodNotAllowed",
]);
/** What is asked of an object in such a bucket is an InvalidRequest, as much else is. */
const bucketWithoutLocks = /missing ?Object ?Lock ?Configuration/i;

/** The headers of what is written with a lock. */
export function lockHeaders(lock: ObjectLock | undefined) {
  if (lock === undefined) return {};
  return { ObjectLockMode: modeOf(lock), ObjectLockRetainUntilDate: new Date(lock.until) };
}

/** `ObjectStore.bucketLock` */
export async function bucketLock(bucket: S3Bucket): Promise<BucketLock> {
  if (!bucket.connection.isWhole) return { state: "unsupported" };
  return bucket.request("s3:GetBucketObjectLockConfiguration", {}, async () => {
    try {
      const command = new GetObjectLockConfigurationCommand({ Bucket: bucket.name });
      const { ObjectLockConfiguration: found } = await bucket.client.send(command);
      if (found?.ObjectLockEnabled !== "Enabled") return { state: "off" };
      const byDefault = describeDefault(found.Rule?.DefaultRetention);
      return { state: "on", ...(byDefault && { byDefault }) };
    } catch (error) {
      if (!saysWithoutLock(error)) throw error;
      return { state: "off" };
    }
  });
}

/** `ObjectStore.lockOf` */
export async function lockOf(bucket: S3Bucket, key: string): Promise<ObjectLock | undefined> {
  if (!bucket.connection.isWhole) return undefined;
  return bucket.request("s3:GetObjectRetention", key, async () => {
    try {
      const answer = await bucket.client.send(new GetObjectRetentionCommand({ Bucket: bucket.name, Key: key }));
      return toLock(answer.Retention);
    } catch (error) {
      if (!saysWithoutLock(error)) throw error;
      return undefined;
    }
  });
}

/** `ObjectStore.extendLock`. Asks first: most stores refuse what is shorter, and nobody should have to rely on it. */
export async function extendLock(bucket: S3Bucket, key: string, lock: ObjectLock): Promise<void> {
  const held = await lockOf(bucket, key);
  if (covers(held, lock)) return;
  const wanted = strongerOf(held, lock);
  const Retention = { Mode: modeOf(wanted), RetainUntilDate: new Date(wanted.until) };
  const command = new PutObjectRetentionCommand({ Bucket: bucket.name, Key: key, Retention });
  try {
    await bucket.request("s3:PutObjectRetention", key, () => bucket.client.send(command));
  } catch (error) {
    if (!(error instanceof PipelineError) || !["StoreFailed", "StoreAccessDenied"].includes(error.name)) throw error;
    // somebody else may have made it longer just now
    if (covers(await lockOf(bucket, key), lock)) return;
    if (held === undefined || held.mode === wanted.mode) throw error;
    throw new PipelineError(
      "BackupLocked",
      `${key} in bucket ${bucket.name} at ${bucket.connection.address} is ${describeLock(held)}, and the store refuses to make that ${wanted.mode}: ` +
        `lock in governance mode, or make a backup of its own (without --incremental, under another name)`,
      { details: { key }, cause: error },
    );
  }
}

function saysWithoutLock(error: unknown): boolean {
  return error instanceof Error && (withoutLocks.has(error.name) || bucketWithoutLocks.test(error.message));
}

function toLock(retention: ObjectLockRetention | undefined): ObjectLock | undefined {
  const { Mode, RetainUntilDate } = retention ?? {};
  if (Mode === undefined || RetainUntilDate === undefined) return undefined;
  return { mode: Mode === "COMPLIANCE" ? "compliance" : "governance", until: RetainUntilDate.toISOString() };
}

function modeOf({ mode }: ObjectLock): "COMPLIANCE" | "GOVERNANCE" {
  return mode === "compliance" ? "COMPLIANCE" : "GOVERNANCE";
}

function describeDefault(retention: DefaultRetention | undefined): string | undefined {
  const { Mode, Days, Years } = retention ?? {};
  if (Mode === undefined) return undefined;
  const [count, unit] = Years === undefined ? [Days ?? 0, "day"] : [Years, "year"];
  return `${Mode.toLowerCase()} ${count} ${unit}${count === 1 ? "" : "s"}`;
}
