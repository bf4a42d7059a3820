import { shortHash } from "../execution/deterministic-id.ts";
import { PipelineError } from "../execution/errors.ts";
import type { RestoreInput } from "../execution/messages.ts";
import { shortList } from "../execution/short-list.ts";
import type { CollectionName, Id } from "../milvus/descriptions.ts";
import {
  type CollectionSelector,
  checkMilvusName,
  checkSuffix,
  isSelected,
  parseCollectionSelector,
  parseTargetSelector,
  qualifiedName,
  wholeDatabase,
} from "../milvus/names.ts";
import { invalidRename, parseRenames, type Rename, type Renames } from "../milvus/renames.ts";
import { checkOverrides } from "./restore-overrides.ts";

/** Which collection of the backup becomes which collection of the target. */
export interface RestoreName {
  readonly source: CollectionName;
  readonly target: CollectionName;
}

/** Which database of the backup, of those without collections, becomes which database of the target. */
interface RestoreDatabase {
  readonly source: string;
  readonly target: string;
}

/** Everything that a restore makes, by name. */
export interface RestoreNames {
  readonly collections: readonly RestoreName[];
  readonly databases: readonly RestoreDatabase[];
}

/**
 * Selects and names what a restore makes: `collections` picks from the backup; `renames` (`coll` or `db.coll`, to one or more of the
 * same forms) names single ones, and (`db.*` to `db2.*`) what else is in a database; `suffix` is appended to all others. `targets` picks
 * from what has its new name then. A database without collections is selected, renamed and picked as `db.*`.
 * @param inBackup collections, and as `db.*` the databases without any
 * @returns in the order of the backup; several for a collection that gets several names, in the order they are given
 * @throws InvalidInput where a rename, a target or an override names nothing that is restored, a name is not valid in Milvus, or two collections
 *   get one name
 */
export function namesOfRestore(
  inBackup: readonly CollectionSelector[],
  input: {
    collections?: readonly string[] | undefined;
    suffix?: string | undefined;
    renames?: Renames | undefined;
    targets?: readonly string[] | undefined;
    overrides?: RestoreInput["overrides"];
  },
): RestoreNames {
  checkSuffix(input.suffix ?? "");
  const selectors = (input.collections ?? []).map(parseCollectionSelector);
  const selected = inBackup.filter((name) => isSelected(selectors, name));
  const renames = parseRenames(input.renames ?? {});
  for (const [from, { source }] of renames) {
    if (!selected.some((name) => isSelected([source], name))) {
      throw invalidRename(
        `${from} is not among the collections to restore (${shortList(selected.map(qualifiedName)) || "none"})`,
      );
    }
  }
  const named = selected.flatMap((source) =>
    targetsOf(source, renames, input.suffix ?? "").map((target) => ({ source, target })),
  );
  const picked = pickTargets(named, input.targets ?? []);
  const collections = picked.filter(({ source }) => !isDatabase(source));
  checkDistinct(collections);
  checkOverrides(
    input.overrides,
    collections.map(({ target }) => target),
  );
  const databases = picked
    .filter(({ source }) => isDatabase(source))
    .map(({ source, target }) => ({ source: source.database, target: target.database }));
  return { collections, databases };
}

function isDatabase({ collection }: CollectionSelector): boolean {
  return collection === wholeDatabase;
}

function pickTargets(named: readonly RestoreName[], targets: readonly string[]): RestoreName[] {
  const selectors = targets.map(parseTargetSelector);
  const missing = selectors.filter((selector) => !named.some(({ target }) => isSelected([selector], target)));
  if (missing.length > 0) {
    throw new PipelineError(
      "InvalidInput",
      `targets: this restore gives no collection the name ${shortList(missing.map(qualifiedName))}; it makes ` +
        `${shortList(named.map(({ target }) => qualifiedName(target))) || "none"} (collections, -c, picks by the names in the backup)`,
      { details: { key: "targets" } },
    );
  }
  return named.filter(({ target }) => isSelected(selectors, target));
}

function targetsOf(
  source: CollectionSelector,
  renames: ReadonlyMap<string, Rename>,
  suffix: string,
): CollectionSelector[] {
  // What names the collection itself wins over what names its database.
  const rename =
    renames.get(qualifiedName(source)) ?? renames.get(qualifiedName({ ...source, collection: wholeDatabase }));
  if (rename) {
    return rename.targets.map(({ database, collection }) => ({
      database,
      collection: collection === wholeDatabase ? source.collection : collection,
    }));
  }
  if (isDatabase(source)) return [source];
  const collection = checkMilvusName("collection", source.collection + suffix, "suffix");
  return [{ database: source.database, collection }];
}

function checkDistinct(named: readonly RestoreName[]): void {
  const seen = new Map<string, string>();
  for (const { source, target } of named) {
    const earlier = seen.get(qualifiedName(target));
    if (earlier === qualifiedName(source)) {
      throw invalidRename(`${earlier} would become ${qualifiedName(target)} twice; name it there once`);
    }
    if (earlier !== undefined) {
      throw invalidRename(
        `${earlier} and ${qualifiedName(source)} would both become ${qualifiedName(target)}; name one of them there`,
      );
    }
    seen.set(qualifiedName(target), qualifiedName(source));
  }
}

/**
 * What identifies a restore across executions: the same backup into the same names of the same Milvus, by the same deployment. Working
 * names, staging keys and import records are made from it, so that the same command goes on where a failed one stopped; another deployment
 * has other records and shares nothing with it.
 * @param deployment what tells deployments apart: the ARN of the state machine
 */
export function restoreIdOf(
  deployment: string,
  milvusAddress: string,
  backupId: string,
  backupName: string,
  { collections, databases }: RestoreNames,
) {
  // Of collections alone where there are some: they tell one restore from another, also for versions that made no databases.
  const pairs =
    collections.length > 0
      ? collections.map(({ source, target }) => `${qualifiedName(source)}>${qualifiedName(target)}`).sort()
      : databases.map(({ source, target }) => `${source}.${wholeDatabase}>${target}.${wholeDatabase}`).sort();
  return shortHash("restore", deployment, milvusAddress, backupId, backupName, ...pairs);
}

const longestMilvusName = 255;

/** The name a collection has until it is complete: `coll_bak_restoring_0123456789ab`. */
export function workingName(target: CollectionName, restoreId: string): CollectionName {
  return nameEndingIn(target, `_restoring_${restoreId}`);
}

/** The name a collection gets when another one takes its place: `coll_replaced_462359186347560071`, with its ID. */
export function replacedName(target: CollectionName, id: Id): CollectionName {
  return nameEndingIn(target, `_replaced_${id}`);
}

/** The name of an empty collection that is there for a moment, to try indexes on: `coll_trial_0123456789ab`. */
export function trialName(target: CollectionName, restoreId: string): CollectionName {
  return nameEndingIn(target, `_trial_${restoreId}`);
}

/** Two long names that begin alike still get two names. */
function nameEndingIn(target: CollectionName, ending: string): CollectionName {
  const whole = target.collection + ending;
  if (whole.length <= longestMilvusName) return { database: target.database, collection: whole };
  const distinct = `_${shortHash(target.collection)}${ending}`;
  return {
    database: target.database,
    collection: target.collection.slice(0, longestMilvusName - distinct.length) + distinct,
  };
}
