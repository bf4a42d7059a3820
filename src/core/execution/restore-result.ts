import { fitting, warningsBytes } from "./fitting.ts";
import type { FinishRestoreResult, RestoredCollection } from "./messages.ts";

/**
 * The result as the execution answers it: as many collections and warnings as fit, and a warning that says where the others are.
 * @param key of the work bucket, where the whole result lies
 */
export function boundedResult(result: FinishRestoreResult, key: string): FinishRestoreResult {
  const collections = fitting<RestoredCollection>(result.collections);
  const warnings = fitting(result.warnings, warningsBytes);
  const left = [
    omitted(result.collections.length - collections.length, "collections"),
    omitted(result.warnings.length - warnings.length, "warnings"),
  ].filter((text) => text !== "");
  if (left.length === 0) return result;
  return {
    ...result,
    collections,
    warnings: [...warnings, `${left.join(" and ")} are left out here: ${key} in the work bucket has all`],
  };
}

function omitted(count: number, what: string): string {
  return count > 0 ? `${count} more ${what}` : "";
}
