import { checkConfirmed } from "../../core/environment/protection.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { DrillInput, DrillStepRequest, PrepareDrillResult, RestoreInput } from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { defaultDatabase, isSelected, parseCollectionSelector, wholeDatabase } from "../../core/milvus/names.ts";
import {
  type DrillRecord,
  drillNames,
  drillRecord,
  drillRecordKey,
  drillRestoreExecution,
} from "../../core/plan/drill.ts";
import { checkAllowed } from "../shared/allowed.ts";
import { pinEnvironments, pinnedEnvironment } from "../shared/pinned-environments.ts";
import { markReader, readerKeyOf } from "../shared/readers.ts";
import { checkEverySelectorFinds } from "../shared/select-collections.ts";
import type { Instants, StoredBackup } from "../shared/stored-backup.ts";
import { readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";
import { chooseBackup } from "./choose-backup.ts";
import { cleanLeftDrills } from "./clean-left-drills.ts";
import type { DrillContext } from "./drill-context.ts";

/** An expired row is in the backup, and would be in no answer. */
const skipProperties = ["collection.ttl.seconds"];

/**
 * First step of a drill: removes what earlier drills left that died, chooses the backup and names of its own, and writes down what it is going
 * to make before anything is made.
 * @throws InvalidInput, BackupNotFound, BackupInUse, CorruptBackup, CollectionNotFound, EnvironmentChanged and what environments, stores and
 *   Milvus throw
 */
export async function prepareDrill(request: DrillStepRequest, context: DrillContext): Promise<PrepareDrillResult> {
  const { execution, input } = request;
  checkDrillInput(input);
  const layout = workLayout("drill", execution.name);
  const from = input.from ?? input.environment;
  const left = await cleanLeftDrills(context, execution.id);
  if (input.clean) return { outcome: "cleaned", ...left };
  for (const reason of left.warnings) context.log.warn("what an earlier drill left stays", { reason });

  // A run of this step that ended before it answered has chosen already.
  const earlier = await readWorkJsonIfThere(context, layout.plan, drillRecord);
  if (earlier) return planned(earlier, input);
  checkAllowed(context.allowed, { restore: input.environment, read: from });
  await pinEnvironments(context, layout, [input.environment, from]);
  const [target, source] = await settleAll([
    pinnedEnvironment(context, layout, input.environment),
    pinnedEnvironment(context, layout, from),
  ]);
  checkConfirmed(target, input.confirm, "no drill restores into it");
  const [backupStore] = await settleAll([
    context.openStore(pinnedStore(source, "backup")),
    // Whether it answers at all: before anything is written down.
    context.connectMilvus(target),
  ]);
  await backupStore.checkAccess();
  const stored = await chooseBackup(backupStore, source.backupStorage, input, { from, executionArn: execution.id });
  const readerKey = readerKeyOf(stored, source.backupStorage, "drill", execution);
  const committed = await stored.committed();
  const { backup } = await (await stored.streamMetas()).outline();
  const selected = selectedCollections(backup, input, stored);
  const names = drillNames(
    selected.map(({ name }) => name),
    { executionArn: execution.id, startTime: execution.startTime },
  );
  const instant = earliestOf(
    selected.map(({ id }) => id),
    await stored.readInstants(backup.id),
  );
  const restoreExecution = drillRestoreExecution(stored.name, execution.id);
  const record: DrillRecord = {
    version: 1,
    executionArn: execution.id,
    environment: input.environment,
    from,
    backupName: stored.name,
    startedAt: context.clock.now().toISOString(),
    ...(instant !== undefined && { instant }),
    restoreExecution,
    restoreArn: context.restores.arnOf(restoreExecution),
    readerKey,
    suffix: names.suffix,
    ...(Object.keys(names.renames).length > 0 && { renames: names.renames }),
    collections: selected.length,
    ...(committed && { committed: { key: committed.key, etag: committed.etag } }),
  };
  await writeWorkJson(context, drillRecordKey(execution.name), record);
  await markReader(context, stored, readerKey, execution);
  // Its presence says that all of this was done.
  await writeWorkJson(context, layout.plan, record);
  context.log.info("drill planned", { backupName: stored.name, restoreExecution, suffix: names.suffix });
  return planned(record, input);
}

function planned(record: DrillRecord, input: DrillInput): PrepareDrillResult {
  const { backupName, restoreExecution, collections, environment, from, suffix, renames } = record;
  const restore: RestoreInput = {
    environment,
    backupName,
    ...(from !== environment && { from }),
    ...(input.collections && { collections: input.collections }),
    // no database is made that nobody would drop again
    targets: [`${defaultDatabase}.${wholeDatabase}`],
    suffix,
    ...(renames && { renames: { ...renames } }),
    ...(input.confirm !== undefined && { confirm: input.confirm }),
    skipProperties,
    // What an alias stands for is for others to decide.
    aliases: false,
    // Everything is loaded by the drill itself, whatever was loaded.
    load: false,
  };
  return { outcome: "planned", backupName, collections, restoreExecution, restore };
}

/** @throws InvalidInput where keys exclude each other */
function checkDrillInput(input: DrillInput): void {
  const { backupName, of, pick, clean } = input;
  const refuse = (key: string, problem: string) => {
    throw new PipelineError("InvalidInput", `${key} ${problem}`, { details: { key } });
  };
  if (backupName !== undefined && of !== undefined)
    refuse("of", "excludes backupName: one names a backup, the other chooses one");
  if (backupName !== undefined && pick !== undefined) refuse("pick", "excludes backupName: there is nothing to choose");
  if (clean && (backupName ?? of ?? pick) !== undefined)
    refuse("clean", "restores nothing: leave out backupName, of and pick");
}

function selectedCollections(backup: BackupOutline, input: DrillInput, stored: StoredBackup) {
  const inBackup = backup.collection_backups.map(({ db_name, collection_name, collection_id }) => ({
    name: { database: db_name || defaultDatabase, collection: collection_name },
    id: collection_id.toString(),
  }));
  const selectors = (input.collections ?? []).map(parseCollectionSelector);
  checkEverySelectorFinds(
    selectors,
    inBackup.map(({ name }) => name),
    `in backup ${stored.name} (${stored.store.label})`,
  );
  const selected = inBackup.filter(({ name }) => isSelected(selectors, name));
  if (selected.length > 0) return selected;
  throw new PipelineError(
    "CollectionNotFound",
    `backup ${stored.name} in ${stored.place} holds no collection: there is nothing to prove`,
    { details: { backupName: stored.name } },
  );
}

/** ISO 8601; undefined where not all of them say when they were cut. */
function earliestOf(ids: readonly string[], instants: Instants): string | undefined {
  const times = ids.map((id) => instants.get(id)?.instant.time);
  const known = times.filter((time) => time !== undefined).map((time) => new Date(time).getTime());
  return known.length < times.length || known.length === 0 ? undefined : new Date(Math.min(...known)).toISOString();
}
