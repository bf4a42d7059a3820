import type { ObjectLock } from "../../src/core/execution/object-lock.ts";
import { backupLayout } from "../../src/core/format/layout.ts";
import { sourceOf } from "../../src/steps/shared/segment-claims.ts";
import { StoredBackup } from "../../src/steps/shared/stored-backup.ts";
import type { FaultInjector } from "./fault-injector.ts";
import { MemoryObjectStore } from "./memory-object-store.ts";
import { PipelineWorld } from "./pipeline-world.ts";
import { executionOf, runBackup } from "./run-machines.ts";
import { seedShop } from "./seed-shop.ts";

/** When executions start here, and what 30 days from then are. */
export const startTime = "2026-11-21T11:03:07.000Z";
export const inThirtyDays = "2026-12-21T11:03:07.000Z";
export const day = 86_400_000;

/** A Milvus with the shop, whose backups lie in a bucket with Object Lock. @param byDefault what every new object gets by itself */
export function lockingWorld(byDefault: true | ObjectLock = true): PipelineWorld {
  const world = new PipelineWorld(
    { prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version: "2.4.0" } } },
    [new MemoryObjectStore("bucket-b", { objectLock: byDefault })],
  );
  seedShop(world);
  return world;
}

/** Backs the shop up with a lock, as an execution that starts so many days later. */
export async function backUpLocked(
  world: PipelineWorld,
  backupName: string,
  options: {
    lock?: string;
    mode?: ObjectLock["mode"];
    faults?: FaultInjector;
    incremental?: true;
    daysLater?: number;
    run?: string;
  } = {},
) {
  const { lock = "30d", mode = "governance", incremental, daysLater = 0, run = backupName } = options;
  const started = new Date(Date.parse(startTime) + daysLater * day).toISOString();
  const execution = { ...executionOf(run), startTime: started };
  const input = { environment: "prod", backupName, lock: { for: lock, mode }, ...(incremental && { incremental }) };
  return runBackup(world.context(options.faults), input, execution);
}

/** What everything that a backup names is locked until, each date once; "not locked" for what is not. Nothing for one that is not complete. */
export async function lockedUntil(world: PipelineWorld, name: string, incremental = false): Promise<string[]> {
  const bucket = world.bucket("bucket-b");
  const source = incremental ? sourceOf(world.environment("prod").storage) : undefined;
  const stored = new StoredBackup(bucket, { rootPath: "backup" }, name, source);
  const { layout } = stored;
  if ((await stored.committed()) === undefined) return [];
  const manifest = await stored.readManifest();
  const keys = [
    layout.manifest,
    ...[...(manifest?.metas ?? []), ...(manifest?.parts ?? [])].map(({ key }) => layout.absolute(key)),
  ];
  for (const part of manifest?.parts ?? []) {
    for await (const { key } of stored.manifestObjects(part)) keys.push(layout.absolute(key));
  }
  return [...new Set(keys.map((key) => bucket.lockAt(key)?.until ?? "not locked"))].sort();
}

export const layoutOf = (name: string) => backupLayout("backup", name);
