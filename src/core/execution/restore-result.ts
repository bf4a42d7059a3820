import type { FinishRestoreResult, RestoredCollection } from "./messages.ts";

/** An execution's state, and the event that announces its end, may have 256 KiB; the execution's input needs room as well. */
const collectionsBytes = 64 * 1024;
const warningsBytes = 32 * 1024;

/**
 * The result as the execution answers it: as many collections and warnings as fit, and a warning that says where the others are.
 * @param key of the work bucket, where the whole result lies
 */
export function boundedResult(result: FinishRestoreResult, key: string): FinishRestoreResult {
  const collections = fitting<RestoredCollection>(result.collections, collectionsBytes);
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

function fitting<T>(values: readonly T[], bytes: number): T[] {
  let used = 0;
  const end = values.findIndex((value) => {
    used += Buffer.byteLength(JSON.stringify(value)) + 1;
    return used > bytes;
  });
  return values.slice(0, end < 0 ? values.length : end);
}

function omitted(count: number, what: string): string {
  return count > 0 ? `${count} more ${what}` : "";
}
