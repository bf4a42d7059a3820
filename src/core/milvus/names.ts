import { PipelineError } from "../execution/errors.ts";
import { reportName, sharedSegmentsName } from "../format/layout.ts";

/** What a backup name may hold: it becomes a part of keys, of execution names and of command lines. */
const backupNamePattern = /^[A-Za-z0-9_.-]{1,100}$/;

/** @throws InvalidInput where a backup name has other characters, is too long, or would step out of its directory */
export function checkBackupName(name: string): string {
  if (!backupNamePattern.test(name) || /^\.+$/.test(name)) {
    throw new PipelineError(
      "InvalidInput",
      `backupName ${JSON.stringify(name)} is not valid: use 1 to 100 characters of [A-Za-z0-9_.-], not only dots`,
      { details: { key: "backupName" } },
    );
  }
  // A directory of the name of a file: some stores could hold only one of them.
  if (name === reportName) {
    throw new PipelineError(
      "InvalidInput",
      `backupName ${name} is taken: the report of all backups lies there; choose another name`,
      { details: { key: "backupName" } },
    );
  }
  if (name === sharedSegmentsName) {
    throw new PipelineError(
      "InvalidInput",
      `backupName ${name} is taken: the segments of incremental backups lie there; choose another name`,
      { details: { key: "backupName" } },
    );
  }
  return name;
}

/** Milvus's own rule for names of collections, aliases, partitions and databases: a letter or `_` first, 255 characters at most. */
const milvusNamePattern = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;

/**
 * @param key what of the input the name was made from, where that is not `what` itself
 * @throws InvalidInput where Milvus would not take `name` as the name of a `what` (`collection`, `database`)
 */
export function checkMilvusName(what: string, name: string, key?: string): string {
  if (!milvusNamePattern.test(name)) {
    throw new PipelineError(
      "InvalidInput",
      `${key === undefined ? "" : `${key}: `}${what} name ${JSON.stringify(name)} is not valid in Milvus: a letter or _ first, then letters, digits and _, 255 characters at most`,
      { details: { key: key ?? what } },
    );
  }
  return name;
}

/** @throws InvalidInput for what no name of a collection ends in */
export function checkSuffix(suffix: string): string {
  if (/^[A-Za-z0-9_]*$/.test(suffix)) return suffix;
  throw new PipelineError(
    "InvalidInput",
    `suffix ${JSON.stringify(suffix)} is not valid in names of Milvus: use letters, digits and _`,
    { details: { key: "suffix" } },
  );
}

/** The name Milvus gives the database that is used where none is named. */
export const defaultDatabase = "default";

/** `default.coll`: one spelling for a collection everywhere (messages, renames, plans). */
export function qualifiedName(name: { database: string; collection: string }): string {
  return `${name.database || defaultDatabase}.${name.collection}`;
}

/** Reads `coll` (database `default`) or `db.coll`. */
export function parseQualifiedName(text: string): { database: string; collection: string } {
  const dot = text.indexOf(".");
  return dot < 0
    ? { database: defaultDatabase, collection: text }
    : { database: text.slice(0, dot) || defaultDatabase, collection: text.slice(dot + 1) };
}

/** In the place of a collection's name: every collection of the database. */
export const wholeDatabase = "*";

/** The collections an execution is about: `coll` (database `default`), `db.coll` or `db.*`. */
export interface CollectionSelector {
  readonly database: string;
  /** `wholeDatabase` stands for every collection of the database. */
  readonly collection: string;
}

/** Reads one selector; throws InvalidInput with the accepted forms. */
export function parseCollectionSelector(text: string): CollectionSelector {
  return parseSelector(text, "collections");
}

/** The same of a restore's `targets`. */
export function parseTargetSelector(text: string): CollectionSelector {
  return parseSelector(text, "targets");
}

function parseSelector(text: string, key: string): CollectionSelector {
  const { database, collection } = parseQualifiedName(text);
  const valid =
    milvusNamePattern.test(database) &&
    (milvusNamePattern.test(collection) || (collection === wholeDatabase && text.includes(".")));
  if (!valid) {
    throw new PipelineError(
      "InvalidInput",
      `${key}: ${JSON.stringify(text)} is not valid: use coll (database default), db.coll or db.*`,
      { details: { key } },
    );
  }
  return { database, collection };
}

/** Whether a collection is selected; no selectors select all. */
export function isSelected(
  selectors: readonly CollectionSelector[],
  name: { database: string; collection: string },
): boolean {
  return (
    selectors.length === 0 ||
    selectors.some(
      (selector) =>
        selector.database === (name.database || defaultDatabase) &&
        (selector.collection === wholeDatabase || selector.collection === name.collection),
    )
  );
}
