import * as z from "zod";
import { sameBucket } from "../../core/environment/storage-identity.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { PrepareRestoreResult, RestoreInput, RestoreStepRequest } from "../../core/execution/messages.ts";
import { checkRestoreOptions } from "../../core/execution/restore-conflicts.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { checkBackupName, defaultDatabase, parseCollectionSelector, qualifiedName } from "../../core/milvus/names.ts";
import { unsupportedBy } from "../../core/milvus/schema-checks.ts";
import { sameSchema } from "../../core/milvus/schema-comparison.ts";
import { toSchemaDescription } from "../../core/milvus/schema-mapping.ts";
import { features, restorableInto } from "../../core/milvus/version.ts";
import { collectionOf, plannedWorkingName, planRestore, type RestoreSegments } from "../../core/plan/restore.ts";
import { nameRestoredCollections, type RestoreName, restoreIdOf } from "../../core/plan/restore-names.ts";
import { type CollectionRecord, collectionRecord, recordOf, restoreWorkLayout } from "../../core/plan/restore-work.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { writeHeld } from "../shared/held.ts";
import { acquireLease } from "../shared/lease.ts";
import { pinEnvironments, pinnedEnvironment } from "../shared/pinned-environments.ts";
import { markReader, readerKeyOf, unmarkReader } from "../shared/readers.ts";
import { checkEverySelectorFinds, listDatabases } from "../shared/select-collections.ts";
import { type Instants, StoredBackup } from "../shared/stored-backup.ts";
import type { StreamedMetas } from "../shared/streamed-metas.ts";
import { readWorkJsonIfThere, writeCopyBatches, writeImportFiles, writeWorkJson } from "../shared/work-files.ts";
import { discardRestore } from "./discard-restore.ts";
import { lookAtLogs } from "./look-at-logs.ts";
import { checkTargetLimits } from "./target-limits.ts";
import { chooseVerification, comparedCopies } from "./verify-backup.ts";

/**
 * First step of a restore: reads the backup, checks everything that can be wrong before the target is touched, plans imports and
 * what to stage, and writes plan and batches into the work bucket. The metas are read twice, as they come: first for the plan, then
 * for what every segment must hold.
 * @throws InvalidInput, BackupNotFound, BackupInUse, CorruptBackup, CopyMismatch where the backup was replaced meanwhile, CollectionNotFound,
 *   TargetExists, SchemaMismatch, UnsupportedByTarget, AlreadyRunning, EnvironmentChanged and what environments, stores and Milvus throw
 */
export async function prepareRestore(
  request: RestoreStepRequest,
  context: MilvusContext,
): Promise<PrepareRestoreResult> {
  const { execution, input } = request;
  checkRestoreOptions(input);
  const layout = workLayout("restore", execution.name);
  await pinEnvironments(context, layout, [input.environment, input.from ?? input.environment]);
  const [environment, from] = await settleAll([
    pinnedEnvironment(context, layout, input.environment),
    pinnedEnvironment(context, layout, input.from ?? input.environment),
  ]);
  const [backupStore, milvusStore, milvus] = await settleAll([
    context.openStore(pinnedStore(from, "backup")),
    context.openStore(pinnedStore(environment, "milvus")),
    context.connectMilvus(environment),
  ]);
  const stored = new StoredBackup(backupStore, from.backupStorage, checkBackupName(input.backupName));
  // no more than the backup itself: a grant in another account may reach no further
  await settleAll([backupStore.checkAccess(stored.layout.root), milvusStore.checkAccess()]);

  const metas = await stored.streamMetas();
  const { backup, complete, warnings } = await metas.outline();
  const names = nameCollections(backup, input, backupStore.label);
  const manifest = await stored.readManifest();
  const instants = stored.instantsOf(manifest, backup.id);
  const kept = stored.keptOf(manifest, backup.id);
  const verification = chooseVerification({ stored, metas, manifest }, backup.id, input);
  const restoreId = restoreIdOf(milvus.address, backup.id, input.backupName, names);
  const leaseSubject = `${milvus.address} ${restoreId}`;
  const version = await milvus.version();
  if (!input.discard) {
    const made = await readWorkJsonIfThere(
      context,
      restoreWorkLayout(restoreId).collections,
      z.array(collectionRecord),
    );
    await checkTarget(milvus, { restoreId, version, backup, names, input, made: made ?? [] });
    await checkTargetLimits(milvus, { restoreId, version, backup, names, input });
  }
  const readerKey = readerKeyOf(stored, from.backupStorage, "restore", execution);
  await writeHeld(context, layout, { leaseSubject, readerKey });
  await markReader(context, stored, readerKey, execution);
  if (complete && !(await stored.committed())) throw stored.notFound("it was deleted just now");
  await acquireLease(context, "restore", leaseSubject, execution.id);

  const restored = [...new Set(names.map(({ source }) => collectionOf(backup, source)))];
  const known =
    input.discard || input.metadataOnly ? new Map() : await lookAtLogs(stored, restored, (id) => instants.get(id));
  const { plan, segments } = planRestore(backup, names, {
    restoreId,
    leaseSubject,
    version,
    backup: stored.layout,
    readsInPlace: !from.crossStorage && sameBucket(from.backupStorage, environment.storage),
    input,
    instants,
    kept,
    known,
    verification,
    warnings: [...warnings, ...(input.metadataOnly ? [] : notCut(backup, names, instants))],
  });
  if (!input.discard) await writeImportFiles(context, layout, segments.importFiles());
  await writeWorkJson(context, layout.plan, plan);
  const compared = comparedCopies({ stored, metas, manifest }, verification, copiesOf(metas, segments));
  const toCopy = input.discard ? [] : { count: segments.count, segments: compared };
  const copies = await writeCopyBatches(context, layout, 0, toCopy, {
    source: pinnedStore(from, "backup"),
    destination: pinnedStore(environment, "milvus"),
    checkLogCounts: false,
    ...(verification.compares === "contents" && { content: verification.reads ? "read" : "free" }),
  });
  const result = { backupName: input.backupName, collections: names.length, ...copies };
  if (input.discard) {
    await discardRestore(plan, milvus, milvusStore, context, execution.id);
    await unmarkReader(context, readerKey);
    return { outcome: "discarded", ...result };
  }
  context.log.info("restore planned", { restoreId, imports: plan.totals.imports, ...result });
  return { outcome: "planned", ...result };
}

/** What is told of collections whose instant nobody knows: they are restored as they are. */
function notCut(backup: BackupOutline, names: readonly RestoreName[], instants: Instants): string[] {
  const without = names.filter(({ source }) => !instants.has(collectionOf(backup, source).collection_id.toString()));
  if (without.length === 0) return [];
  return [
    `${shortList([...new Set(without.map(({ source }) => qualifiedName(source)))])}: the backup does not say at which instant it was taken (milvus-backup ` +
      "and skip_flush leave none), so it is restored as it is: where rows were written or deleted while it was taken, it is not the " +
      "collection at one instant",
  ];
}

/** What to copy of every segment, which the plan knows only without its logs: the metas pass by once more. */
async function* copiesOf(metas: StreamedMetas, segments: RestoreSegments): AsyncGenerator<SizedSegment> {
  if (segments.count === 0) return;
  let ordinal = 0;
  for await (const { segment } of metas.segments()) {
    const copy = segments.copyOf(segment, ordinal);
    ordinal += 1;
    if (copy) yield copy;
  }
}

function nameCollections(backup: BackupOutline, input: RestoreInput, where: string): RestoreName[] {
  const inBackup = backup.collection_backups.map(({ db_name, collection_name }) => ({
    database: db_name || defaultDatabase,
    collection: collection_name,
  }));
  const selectors = (input.collections ?? []).map(parseCollectionSelector);
  checkEverySelectorFinds(selectors, inBackup, `in backup ${input.backupName} (${where})`);
  return nameRestoredCollections(inBackup, input);
}

interface TargetCheck {
  readonly restoreId: string;
  readonly version: string;
  readonly backup: BackupOutline;
  readonly names: readonly RestoreName[];
  readonly input: RestoreInput;
  readonly made: readonly CollectionRecord[];
}

/** Everything about the target that speaks against the restore, before anything is made there. */
async function checkTarget(milvus: Milvus, check: TargetCheck): Promise<void> {
  const { version, backup, names, input } = check;
  const tooNew = restorableInto(backup.milvus_version, version);
  if (tooNew) throw new PipelineError("UnsupportedByTarget", tooNew);
  const unsupported = names.flatMap(({ source, target }) =>
    unsupportedBy(version, collectionOf(backup, source), target).map((what) => `${qualifiedName(source)}: ${what}`),
  );
  if (unsupported.length > 0) {
    throw new PipelineError(
      "UnsupportedByTarget",
      `Milvus ${version} at ${milvus.address} does not know: ${shortList(unsupported, { separator: "; " })}`,
    );
  }

  const databases = new Set(await listDatabases(milvus, version));
  const existing: string[] = [];
  for (const { source, target } of names) {
    const exists = databases.has(target.database) && (await milvus.hasCollection(target));
    if (exists) await checkNoAlias(milvus, target);
    if (exists && !(await isOurs(milvus, target, check))) existing.push(qualifiedName(target));
    if (input.skipCreate) await checkSameSchema(milvus, backup, source, target, exists);
  }
  if (existing.length === 0 || input.skipCreate) return;
  const exist = `${shortList(existing)} exist${existing.length === 1 ? "s" : ""} already in Milvus at ${milvus.address}`;
  if (!input.dropExisting) {
    throw new PipelineError(
      "TargetExists",
      `${exist}: choose a suffix (-s) or a rename (-r), or replace with dropExisting (--drop-existing)`,
      { details: { key: "suffix" } },
    );
  }
  if (!features(version).rename) {
    throw new PipelineError(
      "UnsupportedByTarget",
      `${exist}: Milvus ${version} cannot rename collections, so dropExisting could not keep the old one until the new one is complete. Drop it yourself, or choose a suffix`,
      { details: { key: "dropExisting" } },
    );
  }
}

/** Milvus answers for an alias as for its collection, and neither drops a collection by its alias nor gives another its name. */
async function checkNoAlias(milvus: Milvus, target: RestoreName["target"]): Promise<void> {
  const holder = await milvus.describeAlias(target.database, target.collection);
  if (holder === undefined || holder === target.collection) return;
  throw new PipelineError(
    "TargetExists",
    `${qualifiedName(target)} is an alias of collection ${holder} in Milvus at ${milvus.address}: choose another name with a suffix (-s) or a rename (-r), or drop the alias`,
    { details: { key: "suffix" } },
  );
}

/** Whether a failed run of this very restore made the collection, and got as far as its target name. */
async function isOurs(
  milvus: Milvus,
  target: RestoreName["target"],
  { made, restoreId, version, input }: TargetCheck,
): Promise<boolean> {
  const options = { skipCreate: input.skipCreate ?? false };
  const record = recordOf(made, { target, working: plannedWorkingName(target, { restoreId, version, options }) });
  return record !== undefined && (await milvus.describeCollection(target)).id === record.id;
}

async function checkSameSchema(
  milvus: Milvus,
  backup: BackupOutline,
  source: RestoreName["source"],
  target: RestoreName["target"],
  exists: boolean,
): Promise<void> {
  if (!exists) {
    throw new PipelineError(
      "CollectionNotFound",
      `skipCreate: there is no collection ${qualifiedName(target)} in Milvus at ${milvus.address} to import into`,
      { details: { key: "skipCreate" } },
    );
  }
  const { schema } = await milvus.describeCollection(target);
  const differences = sameSchema(toSchemaDescription(collectionOf(backup, source).schema), schema);
  if (differences.length > 0) {
    throw new PipelineError(
      "SchemaMismatch",
      `skipCreate: ${qualifiedName(target)} has another schema than the backup's ${qualifiedName(source)}: ${shortList(differences, { separator: "; " })}`,
      { details: { key: "skipCreate" } },
    );
  }
}
