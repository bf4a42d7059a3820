import { PipelineError } from "../../src/core/execution/errors.ts";
import { jsonOrUndefined } from "../../src/core/execution/work-json.ts";
import { defaultDatabase, parseCollectionSelector, wholeDatabase } from "../../src/core/milvus/names.ts";
import type { CreateRequest } from "./requests.ts";

/** What a request cannot be done with, under its key; the answer has the code 400. */
export function invalid(key: string, problem: string): PipelineError {
  return new PipelineError("InvalidInput", `${key}: ${problem}`, { details: { key } });
}

/**
 * Of `filter`, `db_collections` and `collection_names` the first that is given, as in milvus-backup.
 * @returns `coll`, `db.coll` or `db.*`; undefined for all
 * @throws InvalidInput, naming the key
 */
export function selectionOf(
  request: Pick<CreateRequest, "filter" | "db_collections" | "collection_names">,
): string[] | undefined {
  if (request.filter !== undefined) return ofFilter("filter", request.filter);
  return ofDatabases("db_collections", request.db_collections) ?? ofNames(request.collection_names);
}

function ofNames(names: readonly string[] = []): string[] | undefined {
  return names.length === 0 ? undefined : checked("collection_names", names);
}

/** @throws InvalidInput */
export function ofDatabases(key: string, given: CreateRequest["db_collections"]): string[] | undefined {
  if (given === undefined || given === "") return undefined;
  const databases = typeof given === "string" ? jsonOrUndefined(given) : given;
  const isObject = typeof databases === "object" && databases !== null && !Array.isArray(databases);
  const entries = isObject ? Object.entries(databases as Record<string, unknown>) : [];
  const valid = ([, names]: [string, unknown]) =>
    names === null || (Array.isArray(names) && names.every((name) => typeof name === "string"));
  if (!isObject || !entries.every(valid)) throw invalid(key, 'expected {"db1": ["coll1"], "db2": []}, or that as text');
  if (entries.length === 0) throw invalid(key, "it names no database; leave it out for all");
  return checked(
    key,
    entries.flatMap(([database, names]) => selectorsOf(database, (names as string[] | null) ?? [])),
  );
}

/** @throws InvalidInput */
function ofFilter(key: string, filter: NonNullable<CreateRequest["filter"]>): string[] {
  const entries = Object.entries(filter);
  if (entries.length === 0) throw invalid(key, "it names no database; leave it out for all");
  return checked(
    key,
    entries.flatMap(([database, { colls = [] }]) => {
      if (colls.length > 0) return selectorsOf(database, colls.includes(wholeDatabase) ? [] : colls);
      throw invalid(key, `${database} has no colls; use {"colls": ["*"]} for all of that database`);
    }),
  );
}

function selectorsOf(database: string, names: readonly string[]): string[] {
  const of = database || defaultDatabase;
  return names.length === 0 ? [`${of}.${wholeDatabase}`] : names.map((name) => `${of}.${name}`);
}

/** Names that Milvus cannot have are no part of a list that is separated by commas. */
function checked(key: string, selectors: readonly string[]): string[] {
  for (const selector of selectors) {
    try {
      parseCollectionSelector(selector);
    } catch {
      throw invalid(key, `${JSON.stringify(selector)} is not valid: use coll (database default), db.coll or db.*`);
    }
  }
  return [...selectors];
}
