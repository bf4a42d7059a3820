import * as z from "zod";
import type { RecreateCollectionsResult, RestoreStepRequest } from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import type { CreateCollectionRequest } from "../../core/milvus/descriptions.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import {
  hasWorkingName,
  isIndexOf,
  type PlannedRestore,
  type RestorePlan,
  restorePlan,
} from "../../core/plan/restore.ts";
import { type CollectionRecord, collectionRecord, recordOf, restoreWorkLayout } from "../../core/plan/restore-work.ts";
import { uncompared } from "../../core/plan/verification.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { checkBackupReceipts } from "../shared/backup-receipts.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";

/**
 * Makes databases, collections (under their working names), partitions and indexes; what an earlier run made is kept. The first thing that
 * changes the target, so it begins with the receipts: every segment was found whole in the backup, or nothing is made.
 * @throws CorruptBackup naming what is missing or different, EnvironmentChanged, and what Milvus throws
 */
export async function recreateCollections(
  request: RestoreStepRequest,
  context: MilvusContext,
): Promise<RecreateCollectionsResult> {
  const { execution, input } = request;
  const layout = workLayout("restore", execution.name);
  const [plan, environment] = await settleAll([
    readWorkJson(context, layout.plan, restorePlan),
    pinnedEnvironment(context, layout, input.environment),
  ]);
  const consequence = "Nothing was changed in Milvus; restore another backup, or other collections of this one";
  const compared = await checkBackupReceipts(context, layout, plan.backupName, consequence);
  await writeWorkJson(context, layout.uncompared, uncompared(plan.verification, compared));

  const milvus = await context.connectMilvus(environment);
  const recordKey = restoreWorkLayout(plan.restoreId).collections;
  const earlier = await readWorkJsonIfThere(context, recordKey, z.array(collectionRecord));
  // Its presence tells Release that the target may have been changed.
  if (!earlier) await writeWorkJson(context, recordKey, []);
  await createDatabases(plan, milvus);
  const records: CollectionRecord[] = [];
  for (const collection of plan.collections) records.push(await recreate(collection, earlier ?? [], milvus));
  const keyOf = ({ target, working }: CollectionRecord) => `${target} ${working}`;
  const written = new Set(records.map(keyOf));
  const others = (earlier ?? []).filter((record) => !written.has(keyOf(record)));
  await writeWorkJson(context, recordKey, [...others, ...records]);
  return { outcome: "recreated", collections: plan.collections.length };
}

async function createDatabases(plan: RestorePlan, milvus: Milvus): Promise<void> {
  if (plan.databases.length === 0) return;
  const existing = new Set(await milvus.listDatabases());
  for (const { name, properties } of plan.databases) {
    if (!existing.has(name)) await milvus.createDatabase(name, properties);
  }
}

async function recreate(
  collection: PlannedRestore,
  earlier: readonly CollectionRecord[],
  milvus: Milvus,
): Promise<CollectionRecord> {
  const { working, target, create } = collection;
  const done = recordOf(earlier, collection);
  if (done && (await isRenamed(milvus, collection, done))) return done;

  if (create) await createAsPlanned(milvus, collection, create, done);
  const partitions = new Set((await milvus.listPartitions(working)).map(({ name }) => name));
  for (const partition of collection.partitions) {
    if (!partitions.has(partition)) await milvus.createPartition(working, partition);
  }
  // Before the import, so that segments are indexed as they arrive.
  const indexes = await milvus.listIndexes(working);
  for (const index of collection.indexes) {
    if (!indexes.some((existing) => isIndexOf(existing, index))) await milvus.createIndex(working, index);
  }
  const { id } = await milvus.describeCollection(working);
  if (done?.id === id) return done;
  const [rows, imports] = await settleAll([milvus.rowCount(working), milvus.listImports(working)]);
  return {
    target: qualifiedName(target),
    working: qualifiedName(working),
    id,
    rowsBefore: rows.toString(),
    importsBefore: imports.map((task) => task.id),
  };
}

/**
 * Makes the collection, or keeps the one an earlier run made. A working collection of which no record tells is either untouched (the
 * run ended before it wrote the record) or nobody knows what is in it: then it is made anew. Its name is this restore's alone.
 */
async function createAsPlanned(
  milvus: Milvus,
  collection: PlannedRestore,
  create: CreateCollectionRequest,
  done: CollectionRecord | undefined,
): Promise<void> {
  const { working } = collection;
  if (await milvus.hasCollection(working)) {
    const { id, schema } = await milvus.describeCollection(working);
    if (id === done?.id || !hasWorkingName(collection)) return;
    const [rows, imports] = await settleAll([milvus.rowCount(working), milvus.listImports(working)]);
    const fields = schema.fields.filter(({ isDynamic }) => !isDynamic).length;
    // Added fields are added one by one, after the collection is there.
    const whole = fields === create.schema.fields.length + create.addedFields.length;
    if (whole && rows === 0n && imports.length === 0) return;
    await milvus.dropCollection(working);
  }
  await milvus.createCollection(create);
}

/** An earlier run got as far as the rename: the collection stands complete under its target name. */
async function isRenamed(
  milvus: Milvus,
  { working, target }: PlannedRestore,
  record: CollectionRecord,
): Promise<boolean> {
  if (await milvus.hasCollection(working)) return false;
  return (await milvus.hasCollection(target)) && (await milvus.describeCollection(target)).id === record.id;
}
