import * as z from "zod";
import type { RegisteredEnvironment } from "../../core/environment/environment.ts";
import { type MergedLog, pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { RecreateCollectionsResult, RestoreStepRequest } from "../../core/execution/messages.ts";
import { settleAll, settleBehind } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import type {
  CollectionDescription,
  CollectionName,
  CreateCollectionRequest,
  CreateIndexRequest,
  IndexDescription,
} from "../../core/milvus/descriptions.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { differencesFrom } from "../../core/milvus/schema-comparison.ts";
import { hasWorkingName, type PlannedRestore, type RestorePlan, restorePlan } from "../../core/plan/planned-restore.ts";
import {
  type CollectionRecord,
  collectionRecord,
  creationOf,
  recordOf,
  restoreWorkLayout,
} from "../../core/plan/restore-work.ts";
import { uncompared } from "../../core/plan/verification.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { MilvusContext, StepContext } from "../../ports/step-context.ts";
import { checkBackupReceipts } from "../shared/backup-receipts.ts";
import { checkMerged } from "../shared/check-merged.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { heldTargets } from "../shared/target-leases.ts";
import { readWorkJson, readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";
import { createDatabases } from "./databases.ts";
import { tryIndexes } from "./existing-indexes.ts";

/**
 * Makes databases, collections (under their working names), partitions and indexes; what an earlier run made is kept. The first thing that
 * changes the target, so it begins with the receipts: every segment was found whole in the backup, or nothing is made. What was made is
 * compared with the backup, attribute by attribute, before anything is imported.
 * @throws SchemaMismatch naming what differs, CorruptBackup naming what is missing or different, CopyMismatch where what was staged is not there as it
 *   was written, ClaimLost, EnvironmentChanged, and what Milvus throws
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
  const recordKey = restoreWorkLayout(plan.restoreId).collections;
  const [milvus, earlier, { confirm }] = await settleBehind(
    checkStaged(compared.merged, environment, context),
    settleAll([
      context.connectMilvus(environment),
      readWorkJsonIfThere(context, recordKey, z.array(collectionRecord)),
      heldTargets(context, layout, environment, execution),
      writeWorkJson(context, layout.uncompared, uncompared(plan.verification, compared)),
    ]),
  );
  // Its presence tells Release that the target may have been changed.
  if (!earlier) await writeWorkJson(context, recordKey, []);
  await createDatabases(plan.databases, milvus);
  const records: CollectionRecord[] = [];
  for (const collection of plan.collections) {
    // Read once: what another execution of the same restore made since is not to be taken for nobody's.
    const mayChange = () => confirm(qualifiedName(collection.target));
    records.push(await recreate(collection, earlier ?? [], milvus, mayChange));
  }
  await confirm();
  const keyOf = ({ target, working }: CollectionRecord) => `${target} ${working}`;
  const written = new Set(records.map(keyOf));
  const others = (earlier ?? []).filter((record) => !written.has(keyOf(record)));
  await writeWorkJson(context, recordKey, [...others, ...records]);
  return { outcome: "recreated", collections: plan.collections.length };
}

/** Whether what was put together lies there as it was written. @throws CopyMismatch */
async function checkStaged(
  merged: readonly MergedLog[],
  environment: RegisteredEnvironment,
  context: StepContext,
): Promise<void> {
  if (merged.length === 0) return;
  await checkMerged(await context.openStore(pinnedStore(environment, "milvus")), merged);
}

/**
 * Drops a working collection, which is the restore's own, and makes it again as it is planned. What is known of the collections is written when it is
 * there; until then the records of the one that was dropped count.
 * @returns its record
 * @throws as Recreate Collections does
 */
export async function makeAnew(
  collection: PlannedRestore,
  { restoreId }: RestorePlan,
  milvus: Milvus,
  context: StepContext,
  mayChange: () => Promise<void>,
): Promise<CollectionRecord> {
  if (!hasWorkingName(collection)) throw new Error(`${qualifiedName(collection.working)} is not the restore's own`);
  await mayChange();
  await milvus.dropCollection(collection.working);
  const made = await recreate(collection, [], milvus, mayChange);
  const key = restoreWorkLayout(restoreId).collections;
  const records = await readWorkJson(context, key, z.array(collectionRecord));
  await mayChange();
  const others = records.filter((record) => record.working !== made.working || record.target !== made.target);
  await writeWorkJson(context, key, [...others, made]);
  return made;
}

async function recreate(
  collection: PlannedRestore,
  earlier: readonly CollectionRecord[],
  milvus: Milvus,
  mayChange: () => Promise<void>,
): Promise<CollectionRecord> {
  const { working, target, create } = collection;
  const done = recordOf(earlier, collection);
  if (done && (await isRenamed(milvus, collection, done))) return checkedOptions(collection, done);

  const { id, partitions, isNew } = await (create
    ? createAsPlanned(milvus, collection, { create, done, mayChange })
    : lookAt(milvus, working));
  // What is new was asked for a moment ago.
  if (!isNew) await mayChange();
  for (const partition of collection.partitions) {
    if (!partitions.includes(partition)) await milvus.createPartition(working, partition);
  }
  // Before the import, so that segments are indexed as they arrive.
  const indexes = await milvus.listIndexes(working);
  for (const index of collection.indexes) {
    if (!indexes.some((existing) => isIndexOf(existing, index))) await milvus.createIndex(working, index);
  }
  await tryIndexes(collection, milvus, mayChange);
  if (done?.id === id) return done;
  const [rows, imports, { namesFiles }] = await settleAll([
    milvus.rowCount(working),
    milvus.listImports(working, { others: "states" }),
    milvus.importWay(),
  ]);
  return {
    target: qualifiedName(target),
    working: qualifiedName(working),
    id,
    created: creationOf(collection),
    rowsBefore: rows.toString(),
    importsBefore: imports.map((task) => task.id),
    ...(!create && !namesFiles && { importsUntold: true }),
  };
}

/**
 * Makes the collection, or keeps the one an earlier run made. A working collection of which no record tells is either untouched (the
 * run ended before it wrote the record) and as it is planned, or nobody knows what is in it: then it is made anew. Its name is this
 * restore's alone.
 * @throws SchemaMismatch where it is not as it was asked for: what is imported into it would not be what was backed up; InvalidInput where
 *   an earlier run made it with other options
 */
async function createAsPlanned(
  milvus: Milvus,
  collection: PlannedRestore,
  {
    create,
    done,
    mayChange,
  }: {
    readonly create: CreateCollectionRequest;
    readonly done: CollectionRecord | undefined;
    readonly mayChange: () => Promise<void>;
  },
): Promise<Made> {
  const { working, target } = collection;
  if (await milvus.hasCollection(working)) {
    const made = await lookAt(milvus, working);
    if (made.id === done?.id) checkedOptions(collection, done);
    if (made.id === done?.id || !hasWorkingName(collection)) return checked(made);
    const [rows, imports, indexes] = await settleAll([
      milvus.rowCount(working),
      milvus.listImports(working, { others: "states" }),
      milvus.listIndexes(working),
    ]);
    // Added fields are added one by one, after the collection is there; what this run leaves out an earlier one may have asked for.
    const asPlanned =
      differencesOf(made).length === 0 &&
      made.description.properties.every(({ key }) => create.properties.some((planned) => planned.key === key)) &&
      indexes.every((index) => collection.indexes.some((planned) => isIndexAsPlanned(index, planned)));
    if (asPlanned && rows === 0n && imports.length === 0) return made;
    await mayChange();
    await milvus.dropCollection(working);
  }
  await mayChange();
  await milvus.createCollection(create);
  return { ...checked(await lookAt(milvus, working)), isNew: true };

  function differencesOf({ description, partitions }: Made): string[] {
    return differencesFrom(create, description, partitions.length);
  }

  function checked(made: Made): Made {
    const differences = differencesOf(made);
    if (differences.length === 0) return made;
    throw new PipelineError(
      "SchemaMismatch",
      `${qualifiedName(working)} (for ${qualifiedName(target)}) in Milvus at ${milvus.address} is not as the backup has it: ` +
        `${shortList(differences, { separator: "; " })}. Nothing was imported; the same restore with discard (--discard) removes it`,
    );
  }
}

/** A collection as it stands in Milvus. */
interface Made {
  readonly id: string;
  readonly description: CollectionDescription;
  /** Names. */
  readonly partitions: readonly string[];
  /** Whether it was made just now. */
  readonly isNew?: true;
}

async function lookAt(milvus: Milvus, name: CollectionName): Promise<Made> {
  const [description, partitions] = await settleAll([milvus.describeCollection(name), milvus.listPartitions(name)]);
  return { id: description.id, description, partitions: partitions.map((partition) => partition.name) };
}

/** Whether an index is there already. One field can have several (of JSON paths), and Milvus names those created without a name. */
function isIndexOf(existing: IndexDescription, wanted: CreateIndexRequest): boolean {
  if (existing.fieldName !== wanted.fieldName) return false;
  if (wanted.indexName !== "") return existing.indexName === wanted.indexName;
  return Object.entries(wanted.params).every(([key, value]) => existing.params[key] === value);
}

function isIndexAsPlanned(index: IndexDescription, planned: CreateIndexRequest): boolean {
  return isIndexOf(index, planned) && index.params.index_type === planned.params.index_type;
}

/** @throws InvalidInput where the collection of a record was made with other options than those of this run */
function checkedOptions(collection: PlannedRestore, done: CollectionRecord): CollectionRecord {
  if (done.created === undefined || done.created === creationOf(collection)) return done;
  throw new PipelineError(
    "InvalidInput",
    `an earlier run of this restore has made ${done.working} (for ${done.target}) with other options (shards, indexes, metadata only or what is left out): ` +
      "start it as it was, or with discard (restore --discard) and then anew",
    { details: { key: "discard" } },
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
