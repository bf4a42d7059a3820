import { PipelineError } from "../execution/errors.ts";
import { type CollectionSelector, checkMilvusName, parseQualifiedName, qualifiedName, wholeDatabase } from "./names.ts";

/** Names in the target by names in the backup, as an input has them: one name, or several. */
export type Renames = Readonly<Record<string, string | readonly string[]>>;

/** What a rename is about, and the names it gives. */
export interface Rename {
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

/** The error of a rename that cannot be done; it names the key. */
export function invalidRename(problem: string): PipelineError {
  return new PipelineError("InvalidInput", `renames: ${problem}`, { details: { key: "renames" } });
}
