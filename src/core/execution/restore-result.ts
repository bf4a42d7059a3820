import { fitting, warningsBytes } from "./fitting.ts";
import type { FinishRestoreResult, RestoredCollection } from "./messages.ts";

/** Names are short, and a server has 64 of them where it is not told otherwise. */
const databasesBytes = 16 * 1024;

/**
 * The result as the execution answers it: as many collections, databases and warnings as fit, and a warning that says where the others are.
 * @param key of the work bucket, where the whole result lies
 */
export function boundedResult(result: FinishRestoreResult, key: string): FinishRestoreResult {
  const collections = fitting<RestoredCollection>(result.collections);
  const databases = fitting(result.databases ?? [], databasesBytes);
  const warnings = fitting(result.warnings, warningsBytes);
  const left = [
    omitted(result.collections.length - collections.length, "collections"),
    omitted((result.databases ?? []).length - databases.length, "databases"),
    omitted(result.warnings.length - warnings.length, "warnings"),
  ].filter((text) => text !== "");
  if (left.length === 0) return result;
  return {
    ...result,
    collections,
    ...(databases.length > 0 && { databases }),
    warnings: [...warnings, `${left.join(" and ")} are left out here: ${key} in the work bucket has all`],
  };
}

function omitted(count: number, what: string): string {
  return count > 0 ? `${count} more ${what}` : "";
}
