import type { RecreateCollectionsResult, RestoreStepRequest } from "../core/messages.ts";
import { qualifiedName } from "../core/names.ts";
import type { PlannedRestore, RestorePlan } from "../core/restore-plan.ts";
import { type CollectionRecord, type ImportRecord, restoreWorkLayout } from "../core/restore-work.ts";
import { workLayout } from "../core/work-layout.ts";
import type { Milvus } from "../ports/milvus.ts";
import type { StepContext } from "../ports/step-context.ts";
import { readBackupReceipts } from "./backup-receipts.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "./work-files.ts";

/**
 * Makes databases, collections (under their working names), partitions and indexes; what an earlier run made is kept. The first
 * thing that changes the target, so it begins with the receipts: every segment was found whole in the backup, or nothing is made.
 * Throws CorruptBackup naming what is missing or different, and what Milvus throws.
 */
export async function recreateCollections(
  request: RestoreStepRequest,
  context: StepContext,
): Promise<RecreateCollectionsResult> {
  const { execution, input } = request;
  const layout = workLayout("restore", execution.name);
  const [plan, environment] = await Promise.all([
    readWorkJson<RestorePlan>(context, layout.plan),
    context.environments.get(input.environment),
  ]);
  const consequence = "Nothing was changed in Milvus; restore another backup, or other collections of this one";
  await readBackupReceipts(context, layout, plan.backupName, consequence);

  const milvus = await context.connectMilvus(environment);
  await createDatabases(plan, milvus);
  const recordKey = restoreWorkLayout(plan.restoreId).collections;
  const earlier = (await readWorkJsonIfThere<CollectionRecord[]>(context, recordKey)) ?? [];
  const records: CollectionRecord[] = [];
  for (const collection of plan.collections) records.push(await recreate(collection, earlier, milvus));
  await forgetLostImports(plan, earlier, records, context);
  await writeWorkJson(context, recordKey, records);
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
  const done = earlier.find((record) => record.target === qualifiedName(target));
  if (done && (await isRenamed(milvus, collection, done))) return done;

  if (create && !(await milvus.hasCollection(working))) await milvus.createCollection(create);
  const partitions = new Set((await milvus.listPartitions(working)).map(({ name }) => name));
  for (const partition of collection.partitions) {
    if (!partitions.has(partition)) await milvus.createPartition(working, partition);
  }
  // Before the import, so that segments are indexed as they arrive.
  const indexed = new Set((await milvus.listIndexes(working)).map(({ fieldName }) => fieldName));
  for (const index of collection.indexes) {
    if (!indexed.has(index.fieldName)) await milvus.createIndex(working, index);
  }
  const { id } = await milvus.describeCollection(working);
  if (done?.id === id) return done;
  const [rows, imports] = await Promise.all([milvus.rowCount(working), milvus.listImports(working)]);
  return {
    target: qualifiedName(target),
    id,
    rowsBefore: rows.toString(),
    importsBefore: imports.map((task) => task.id),
  };
}

/**
 * Somebody dropped what an earlier run had made (its unfinished collection): the rows imported there are gone with it, so its
 * imports are submitted again. Written before the new collection is recorded: a run that ends in between does this again.
 */
async function forgetLostImports(
  plan: RestorePlan,
  earlier: readonly CollectionRecord[],
  records: readonly CollectionRecord[],
  context: StepContext,
): Promise<void> {
  const ids = new Map(records.map(({ target, id }) => [target, id]));
  const lost = new Set(earlier.filter(({ target, id }) => ids.get(target) !== id).map(({ target }) => target));
  if (lost.size === 0) return;
  const tasks = new Set(
    plan.collections
      .filter(({ target }) => lost.has(qualifiedName(target)))
      .flatMap(({ imports }) => imports.map(({ task }) => task)),
  );
  const key = restoreWorkLayout(plan.restoreId).imports;
  const submitted = (await readWorkJsonIfThere<ImportRecord[]>(context, key)) ?? [];
  await writeWorkJson(
    context,
    key,
    submitted.filter(({ task }) => !tasks.has(task)),
  );
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
