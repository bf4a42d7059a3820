import * as z from "zod";
import { PipelineError } from "../../core/execution/errors.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { hasParams, indexChanges, placeOf, type WantedIndexes } from "../../core/plan/existing-indexes.ts";
import { hasWorkingName, type PlannedRestore, type RestorePlan } from "../../core/plan/planned-restore.ts";
import { trialName } from "../../core/plan/restore-names.ts";
import { type IndexesRecord, indexesRecord, restoreWorkLayout } from "../../core/plan/restore-work.ts";
import type { CreateIndexRequest, IndexDescription, Milvus } from "../../ports/milvus.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";

/** A collection that is there, with the indexes that it is to have. */
type Kept = PlannedRestore & { readonly existingIndexes: WantedIndexes };

function hasWantedIndexes(collection: PlannedRestore): collection is Kept {
  return collection.existingIndexes !== undefined;
}

/**
 * What Milvus would refuse only when rows are imported already: it drops no index of a loaded collection, and gives a name to one index.
 * @throws UnsupportedByTarget, SchemaMismatch
 */
export async function checkExistingIndexes({ collections }: RestorePlan, milvus: Milvus): Promise<void> {
  const loaded: string[] = [];
  const clashing: string[] = [];
  for (const { target, existingIndexes } of collections.filter(hasWantedIndexes)) {
    const { make, clashes } = indexChanges(existingIndexes, await milvus.listIndexes(target));
    clashing.push(...clashes.map((clash) => `${qualifiedName(target)}: ${clash}`));
    const drops = make.some(({ drop }) => drop.length > 0);
    if (drops && (await milvus.isLoaded(target))) loaded.push(qualifiedName(target));
  }
  if (clashing.length > 0) {
    throw new PipelineError(
      "SchemaMismatch",
      `existingIndexes: a name is that of one index in Milvus at ${milvus.address}: ${shortList(clashing, { separator: "; " })}. ` +
        "Drop these, or give their indexes other names",
      { details: { key: "existingIndexes" } },
    );
  }
  if (loaded.length === 0) return;
  throw new PipelineError(
    "UnsupportedByTarget",
    `existingIndexes replace: Milvus at ${milvus.address} drops no index of a loaded collection: release ${shortList(loaded)}, ` +
      "start the restore again, and load afterwards",
    { details: { key: "existingIndexes" } },
  );
}

/**
 * Makes the indexes that are to take the place of others on an empty collection of the same schema, and drops that again: Milvus has one index
 * a field, so the old one is gone before the new one is made.
 * @param mayChange throws where another restore has the target by now
 * @throws UnsupportedByTarget with Milvus's own reason where it does not make one of them
 */
export async function tryIndexes(
  collection: PlannedRestore,
  milvus: Milvus,
  mayChange: () => Promise<void>,
): Promise<void> {
  if (!hasWantedIndexes(collection)) return;
  const { target, existingIndexes } = collection;
  const { make } = indexChanges(existingIndexes, await milvus.listIndexes(target));
  const replacing = make.filter(({ drop }) => drop.length > 0);
  if (replacing.length === 0) return;
  const { trial } = existingIndexes;
  await mayChange();
  await milvus.dropCollection(trial.name);
  await milvus.createCollection(trial);
  try {
    for (const { index } of replacing) await milvus.createIndex(trial.name, index);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name !== "MilvusFailed") throw error;
    throw new PipelineError(
      "UnsupportedByTarget",
      `existingIndexes replace: Milvus does not make an index of the backup, so none of ${qualifiedName(target)} was dropped: ${error.message}`,
      { details: { key: "existingIndexes" } },
    );
  } finally {
    await milvus.dropCollection(trial.name);
  }
}

/**
 * Gives collections that were there the indexes that they are to have, when all rows are there. What they had is written down before the
 * first index is dropped, so that whoever goes on knows what is old, and a discard can make it again.
 * @param confirm throws where another restore has the target by now
 * @returns what stays although the backup has none of it, as warnings
 */
export async function giveIndexes(
  { collections, restoreId }: RestorePlan,
  milvus: Milvus,
  context: StepContext,
  confirm: (target: string) => Promise<void>,
): Promise<string[]> {
  const warnings: string[] = [];
  const key = restoreWorkLayout(restoreId).indexes;
  let records = (await readWorkJsonIfThere(context, key, z.array(indexesRecord))) ?? [];
  for (const { target, existingIndexes } of collections.filter(hasWantedIndexes)) {
    const name = qualifiedName(target);
    const [existing, { id }] = [await milvus.listIndexes(target), await milvus.describeCollection(target)];
    const before = records.find((record) => record.target === name && record.id === id);
    const isOld = (index: IndexDescription) => before?.indexes.some((old) => isTheSame(old, index)) ?? true;
    const { make, extra } = indexChanges(existingIndexes, existing, (index) => !isOld(index));
    if (before === undefined && make.some(({ drop }) => drop.length > 0)) {
      const indexes = existing.map((index) => ({ ...index, params: { ...index.params } }));
      records = [...records.filter((record) => record.target !== name), { target: name, id, indexes }];
      await writeWorkJson(context, key, records);
    }
    for (const { index, drop } of make) {
      await confirm(name);
      for (const old of drop) await milvus.dropIndex(target, old);
      await makeOrPutBack(target, index, drop, milvus);
      context.log.info("made an index of the backup", {
        collection: name,
        field: index.fieldName,
        instead: drop.length,
      });
    }
    if (extra.length > 0) {
      const which = shortList(extra.map(({ indexName, fieldName }) => `${indexName} on ${fieldName}`));
      warnings.push(
        `${name} keeps what the backup has no index for: ${which}. Drop it with dropIndex if it is not wanted`,
      );
    }
  }
  // An earlier run was told to replace them, ended in between, and this one is told to leave them.
  for (const { target } of collections.filter((collection) => !hasWantedIndexes(collection))) {
    await putBack(records, target, milvus, context, confirm);
  }
  return warnings;
}

/** One that was made again after it was dropped counts as the old one. */
function isTheSame(old: IndexDescription, index: IndexDescription): boolean {
  return old.id === index.id || (placeOf(old) === placeOf(index) && hasParams(old, index.params));
}

/** @throws MilvusFailed where Milvus refuses the new one, saying what became of the old one */
async function makeOrPutBack(
  target: PlannedRestore["target"],
  index: CreateIndexRequest,
  drop: readonly IndexDescription[],
  milvus: Milvus,
): Promise<void> {
  try {
    await milvus.createIndex(target, index);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name !== "MilvusFailed" || drop.length === 0) throw error;
    for (const old of drop) await milvus.createIndex(target, old);
    throw new PipelineError("MilvusFailed", `${error.message}; the index that was to be replaced was made again`);
  }
}

/**
 * A discard: makes again what was dropped and has nothing in its place. Drops nothing but what was there for trial.
 * @param collections in databases that are there
 */
export async function putIndexesBack(
  collections: readonly PlannedRestore[],
  restoreId: string,
  milvus: Milvus,
  context: StepContext,
): Promise<void> {
  for (const { target } of collections.filter((collection) => !hasWorkingName(collection))) {
    const trial = trialName(target, restoreId);
    if (await milvus.hasCollection(trial)) await milvus.dropCollection(trial);
  }
  const records =
    (await readWorkJsonIfThere(context, restoreWorkLayout(restoreId).indexes, z.array(indexesRecord))) ?? [];
  for (const { target } of collections) await putBack(records, target, milvus, context);
}

/** @param confirm throws where another restore has the target by now */
async function putBack(
  records: readonly IndexesRecord[],
  target: PlannedRestore["target"],
  milvus: Milvus,
  context: StepContext,
  confirm?: (target: string) => Promise<void>,
): Promise<void> {
  const name = qualifiedName(target);
  const record = records.find((one) => one.target === name);
  if (!record || !(await milvus.hasCollection(target))) return;
  if ((await milvus.describeCollection(target)).id !== record.id) return;
  const there = new Set((await milvus.listIndexes(target)).map(placeOf));
  for (const index of record.indexes.filter((one) => !there.has(placeOf(one)))) {
    await confirm?.(name);
    await milvus.createIndex(target, index);
    context.log.info("made an index again that was dropped for the backup's", {
      collection: name,
      index: index.indexName,
    });
  }
}

/** For the message of a restore that failed; "" where no index was about to be dropped. */
export async function whatBecameOfIndexes({ restoreId }: RestorePlan, context: StepContext): Promise<string> {
  const records = await readWorkJsonIfThere(context, restoreWorkLayout(restoreId).indexes, z.array(indexesRecord));
  if (!records || records.length === 0) return "";
  const names = shortList(records.map(({ target }) => target));
  return (
    `${names} may lack an index that was being replaced: start the same restore again to have the backup's made, or with discard ` +
    "(restore --discard) to have its own made again"
  );
}
