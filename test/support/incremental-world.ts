import { backupLayout, sharedLayout } from "../../src/core/format/layout.ts";
import { deleteBackup } from "../../src/steps/catalog/delete-backup.ts";
import { findBackup, storedBackups } from "../../src/steps/shared/find-backup.ts";
import { sourceOf } from "../../src/steps/shared/segment-claims.ts";
import { sweepSegments } from "../../src/steps/shared/sweep-segments.ts";
import type { FaultInjector } from "./fault-injector.ts";
import { PipelineWorld } from "./pipeline-world.ts";
import { executionOf, runBackup } from "./run-machines.ts";
import { seedShop } from "./seed-shop.ts";

export const deployment = "arn:aws:states:us-east-1:000000000000:stateMachine:machine";
const place = { rootPath: "backup", address: "127.0.0.1", port: 4566, bucket: "bucket-b" };

/** A Milvus with the shop, whose incremental backups lie in `bucket-b/backup`; `dr` restores them. */
export function incrementalWorld(version = "2.4.0"): PipelineWorld {
  const world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version } },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: { version } },
  });
  seedShop(world);
  return world;
}

/** Backs the shop up under a name, as an execution of that name. */
export async function backUp(
  world: PipelineWorld,
  name: string,
  options: { faults?: FaultInjector; run?: string } = {},
) {
  const input = { environment: "prod", backupName: name, incremental: true };
  return runBackup(world.context(options.faults), input, executionOf(options.run ?? name));
}

/** Where the segments lie that the incremental backups of an environment share. */
export function sharedOf(world: PipelineWorld, environment = "prod") {
  return sharedLayout("backup", sourceOf(world.environment(environment).storage));
}

export function layoutOf(world: PipelineWorld, name: string) {
  return backupLayout("backup", name, sourceOf(world.environment("prod").storage));
}

/** Deletes a backup and sweeps, as the command does. */
export async function remove(world: PipelineWorld, name: string, faults?: FaultInjector) {
  const context = world.context(faults);
  const store = await context.openStore({ environment: "prod", side: "backup" });
  const request = { place, holder: `delete ${name}`, deployment, incomplete: true };
  await deleteBackup(await findBackup(store, place, name), request, context);
  return sweepSegments(store, place, request, context);
}

/** @param options.looksInTime its time is over when it has looked at the clock so often */
export async function sweep(
  world: PipelineWorld,
  options: { dryRun?: boolean; holder?: string; faults?: FaultInjector; looksInTime?: number } = {},
) {
  const { dryRun = false, holder = "sweep", faults, looksInTime } = options;
  const context = world.context(faults);
  const store = await context.openStore({ environment: "prod", side: "backup" });
  if (looksInTime === undefined) return sweepSegments(store, place, { holder, deployment, dryRun }, context);
  const until = context.clock.now();
  let looks = 0;
  const now = () => new Date(until.getTime() - (looks++ < looksInTime ? 1 : 0));
  const watched = { ...context, clock: { ...context.clock, now } };
  return sweepSegments(store, place, { holder, deployment, dryRun, until }, watched);
}

/** What complete incremental backups name and their store lacks, or holds with another size; empty where all is well. */
export async function lacking(world: PipelineWorld): Promise<string[]> {
  const bucket = world.bucket("bucket-b");
  const problems: string[] = [];
  for (const stored of await storedBackups(bucket, place)) {
    if (stored.layout.source === undefined || (await stored.committed()) === undefined) continue;
    const manifest = await stored.readManifest();
    for (const part of manifest?.parts ?? []) {
      for await (const { key, size } of stored.manifestObjects(part)) {
        const found = bucket.bytes(stored.layout.absolute(key));
        if (found?.length !== size) problems.push(`${stored.name}: ${key}`);
      }
    }
  }
  return problems;
}
