import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import type { CollectionName } from "../../core/milvus/descriptions.ts";
import {
  type CollectionSelector,
  defaultDatabase,
  isSelected,
  qualifiedName,
  wholeDatabase,
} from "../../core/milvus/names.ts";
import { features } from "../../core/milvus/version.ts";
import type { Milvus } from "../../ports/milvus.ts";

/** Milvus's proxies answer quickly; more at once only queue there. */
const databaseConcurrency = 8;

/** The databases of a Milvus; servers before 2.2.9 know only the default one. */
export async function listDatabases(milvus: Milvus, version: string): Promise<string[]> {
  return features(version).databases ? milvus.listDatabases() : [defaultDatabase];
}

/**
 * The collections an execution is about, in order of database and name. A database without collections is found as `db.*`, and brings none.
 * @throws CollectionNotFound naming every selector that selects nothing, and what there is
 */
export async function selectCollections(
  milvus: Milvus,
  databases: readonly string[],
  selectors: readonly CollectionSelector[],
): Promise<CollectionName[]> {
  const wanted = databases.filter(
    (database) => selectors.length === 0 || selectors.some((selector) => selector.database === database),
  );
  const found = (
    await settleEach(wanted, databaseConcurrency, async (database) =>
      (await milvus.listCollections(database)).map((collection) => ({ database, collection })),
    )
  )
    .flat()
    .sort((a, b) => (qualifiedName(a) < qualifiedName(b) ? -1 : 1));
  const empty = wanted
    .filter((database) => !found.some((name) => name.database === database))
    .map((database) => ({ database, collection: wholeDatabase }));
  const knowsAll = selectors.every(({ database }) => databases.includes(database));
  const where = `in Milvus at ${milvus.address}${knowsAll ? "" : ` (databases: ${shortList(databases, { limit: 20 })})`}`;
  checkEverySelectorFinds(selectors, [...found, ...empty], where);
  return found.filter((name) => isSelected(selectors, name));
}

/** @throws CollectionNotFound where a selector selects none of `found`; `where` completes "there is no collection x ..." */
export function checkEverySelectorFinds(
  selectors: readonly CollectionSelector[],
  found: readonly CollectionName[],
  where: string,
): void {
  const missing = selectors.filter((selector) => !found.some((name) => isSelected([selector], name)));
  if (missing.length === 0) return;
  const there = found.length > 0 ? `; there is: ${shortList(found.map(qualifiedName), { limit: 20 })}` : "";
  throw new PipelineError(
    "CollectionNotFound",
    `there is no collection ${shortList(missing.map(qualifiedName))} ${where}${there}`,
    { details: { key: "collections" } },
  );
}
