import { shortHash } from "../execution/deterministic-id.ts";
import { PipelineError } from "../execution/errors.ts";
import { shortList } from "../execution/short-list.ts";
import type { CollectionName } from "../milvus/descriptions.ts";
import {
  type CollectionSelector,
  checkMilvusName,
  isSelected,
  parseCollectionSelector,
  parseQualifiedName,
  qualifiedName,
  wholeDatabase,
} from "../milvus/names.ts";

/** Which collection of the backup becomes which collection of the target. */
export interface RestoreName {
  readonly source: CollectionName;
  readonly target: CollectionName;
}

/** Names in the target by names in the backup, as an input has them: one name, or several. */
export type Renames = Readonly<Record<string, string | readonly string[]>>;

/**
 * Selects and names what a restore makes: `collections` picks from the backup; `renames` (`coll` or `db.coll`, to one or more of the
 * same forms) names single ones, and (`db.*` to `db2.*`) what else is in a database; `suffix` is appended to all others.
 * @returns in the order of the backup; several for a collection that gets several names, in the order they are given
 * @throws InvalidInput where a rename names nothing selected, a name is not valid in Milvus, or two collections get one name
 */
export function nameRestoredCollections(
  inBackup: readonly CollectionName[],
  input: {
    collections?: readonly string[] | undefined;
    suffix?: string | undefined;
    renames?: Renames | undefined;
  },
): RestoreName[] {
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
  checkDistinct(named);
  return named;
}

interface Rename {
  readonly source: CollectionSelector;
  /** With the collection `*` where the source has it. */
  readonly targets: readonly CollectionSelector[];
}

/**
 * The renames by what they rename, `db.coll` or `db.*`; milvus-backup's `db.` is `db.*` too.
 * @throws InvalidInput where a name is not valid in Milvus, or a database is renamed to something else than a database
 */
export function parseRenames(renames: Renames): ReadonlyMap<string, Rename> {
  const parsed = new Map<string, Rename>();
  for (const [name, to] of Object.entries(renames)) {
    const source = parseRename(name);
    const from = qualifiedName(source);
    if (parsed.has(from)) throw invalidRename(`${from} is named twice`);
    const targets = (typeof to === "string" ? [to] : to).map((target) => targetOf(source, target));
    if (targets.length === 0) throw invalidRename(`${from} has no name to get`);
    parsed.set(from, { source, targets });
  }
  return parsed;
}

/** A rename without a database stays in the database the collection comes from. */
function targetOf(source: CollectionSelector, text: string): CollectionSelector {
  const { collection, database } = parseRename(text);
  if ((collection === wholeDatabase) !== (source.collection === wholeDatabase)) {
    throw invalidRename(
      `${qualifiedName(source)} to ${JSON.stringify(text)}: a collection gets the name of one (coll2 or db.coll2), a database (db.*) that of another (db2.*)`,
    );
  }
  return { collection, database: text.includes(".") ? database : source.database };
}

/** `coll`, `db.coll`, `db.*` or `db.` */
function parseRename(text: string): CollectionSelector {
  const { database, collection } = parseQualifiedName(text);
  const all = text.includes(".") && (collection === wholeDatabase || collection === "");
  checkMilvusName("database", database, "renames");
  if (!all) checkMilvusName("collection", collection, "renames");
  return { database, collection: all ? wholeDatabase : collection };
}

function targetsOf(source: CollectionName, renames: ReadonlyMap<string, Rename>, suffix: string): CollectionName[] {
  // What names the collection itself wins over what names its database.
  const rename =
    renames.get(qualifiedName(source)) ?? renames.get(qualifiedName({ ...source, collection: wholeDatabase }));
  if (rename) {
    return rename.targets.map(({ database, collection }) => ({
      database,
      collection: collection === wholeDatabase ? source.collection : collection,
    }));
  }
  const collection = checkMilvusName("collection", source.collection + suffix, "suffix");
  return [{ database: source.database, collection }];
}

function invalidRename(problem: string): PipelineError {
  return new PipelineError("InvalidInput", `renames: ${problem}`, { details: { key: "renames" } });
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
 * What identifies a restore across executions: the same backup into the same names of the same Milvus. Working names, staging
 * keys and import records are made from it, so that the same command goes on where a failed one stopped.
 */
export function restoreIdOf(
  milvusAddress: string,
  backupId: string,
  backupName: string,
  names: readonly RestoreName[],
) {
  const pairs = names.map(({ source, target }) => `${qualifiedName(source)}>${qualifiedName(target)}`).sort();
  return shortHash("restore", milvusAddress, backupId, backupName, ...pairs);
}

const longestMilvusName = 255;

/**
 * The name a collection has until it is complete: `coll_bak_restoring_0123456789ab`. Two long names that begin alike still get two
 * working names.
 */
export function workingName(target: CollectionName, restoreId: string): CollectionName {
  const ending = `_restoring_${restoreId}`;
  const whole = target.collection + ending;
  if (whole.length <= longestMilvusName) return { database: target.database, collection: whole };
  const distinct = `_${shortHash(target.collection)}${ending}`;
  return {
    database: target.database,
    collection: target.collection.slice(0, longestMilvusName - distinct.length) + distinct,
  };
}
