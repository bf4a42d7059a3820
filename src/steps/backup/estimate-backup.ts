import type { Environment } from "../../core/environment/environment.ts";
import { sameStore } from "../../core/environment/storage-identity.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { milvusLayout, parseLogKey } from "../../core/format/layout.ts";
import type { CollectionName } from "../../core/milvus/descriptions.ts";
import { type CollectionSelector, qualifiedName } from "../../core/milvus/names.ts";
import { selectSegments } from "../../core/plan/backup.ts";
import { type CopyEstimate, copyingCost, requestsInParts } from "../../core/plan/estimate.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { findRows } from "../shared/milvus-data.ts";
import { listDatabases, selectCollections } from "../shared/select-collections.ts";

/** What a backup would copy of one collection. */
interface EstimatedCollection {
  /** `db.coll` */
  readonly collection: string;
  readonly segments: number;
  readonly objects: number;
  readonly bytes: number;
  /** In sealed segments: deletes are not subtracted. */
  readonly rows: bigint;
  /** Rows that only a flush writes into objects: they are in no other number here. */
  readonly unflushedRows: bigint;
}

export interface BackupEstimate extends CopyEstimate {
  readonly collections: readonly EstimatedCollection[];
  readonly segments: number;
  readonly objects: number;
  readonly bytes: number;
  readonly streamed: boolean;
}

/**
 * What a backup would copy, and what that costs, by what Milvus and its bucket list now. Flushes nothing and writes nothing.
 * @throws CollectionNotFound, InvalidEnvironment where Milvus's rows are not in this bucket, and what Milvus and the store throw
 */
export async function estimateBackup(
  environment: Environment,
  selectors: readonly CollectionSelector[],
  { milvus, store }: { readonly milvus: Milvus; readonly store: ObjectStore },
): Promise<BackupEstimate> {
  const selected = await selectCollections(milvus, await listDatabases(milvus, await milvus.version()), selectors);
  const collections: EstimatedCollection[] = [];
  const load = { segments: 0, objects: 0, bytes: 0, partRequests: 0 };
  for (const name of selected) {
    const { partRequests, ...collection } = await estimateCollection(environment, name, { milvus, store });
    collections.push(collection);
    load.segments += collection.segments;
    load.objects += collection.objects;
    load.bytes += collection.bytes;
    load.partRequests += partRequests;
  }
  const { storage, backupStorage, copyMode } = environment;
  const streamed = copyMode === "streamed" || !sameStore(storage, backupStorage);
  const { segments, objects, bytes } = load;
  return { collections, segments, objects, bytes, streamed, ...copyingCost(load, { streamed }) };
}

async function estimateCollection(
  { storage }: Environment,
  name: CollectionName,
  { milvus, store }: { readonly milvus: Milvus; readonly store: ObjectStore },
): Promise<EstimatedCollection & { readonly partRequests: number }> {
  const [{ id }, listed] = await settleAll([milvus.describeCollection(name), milvus.listSegments(name)]);
  const sealed = selectSegments(listed, undefined);
  // What is neither here nor gone a flush would seal.
  const unflushed = listed.filter(({ state }) => state === "Growing" || state === "Sealed");
  const ids = new Set(sealed.map((segment) => segment.id));
  const layout = milvusLayout(storage.rootPath);
  const found = { objects: 0, bytes: 0, partRequests: 0 };
  for (const prefix of [layout.collectionInsertLogs(id), layout.collectionDeltaLogs(id)]) {
    for await (const { key, size } of store.list(prefix)) {
      const log = parseLogKey(key);
      if (log === undefined || !ids.has(log.segmentId)) continue;
      found.objects += 1;
      found.bytes += size;
      found.partRequests += requestsInParts(size);
    }
  }
  if (found.objects === 0) await findRows(milvus, { name, id }, sealed, { store, from: layout });
  const rowsOf = (segments: typeof listed) => segments.reduce((sum, { rows, isL0 }) => (isL0 ? sum : sum + rows), 0n);
  return {
    collection: qualifiedName(name),
    segments: sealed.length,
    ...found,
    rows: rowsOf(sealed),
    unflushedRows: rowsOf(unflushed),
  };
}
