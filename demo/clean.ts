import type { MilvusClient } from "@zilliz/milvus2-sdk-node";
import { dropCollection } from "../local/milvus-client.ts";
import { deleteBackup } from "../measure/pipeline-run.ts";
import { names } from "./collection.ts";

/** Removes what an earlier demo left on a stack that was kept; answers the names of that. */
export async function cleanUp(source: MilvusClient, target: MilvusClient): Promise<string[]> {
  const removed: string[] = [];
  if (await dropCollection(source, names.collection)) removed.push(names.collection);
  for (const collection of [names.restored, names.warm.restored]) {
    if (await dropCollection(target, collection)) removed.push(collection);
  }
  for (const backup of [names.backup, names.warm.backup]) {
    if (await deleteBackup(backup)) removed.push(`the backup ${backup}`);
  }
  return removed;
}

/** Removes what was made to be measured only. */
export async function cleanUpWarm(target: MilvusClient): Promise<void> {
  await dropCollection(target, names.warm.restored);
  await deleteBackup(names.warm.backup);
}
