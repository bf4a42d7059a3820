import type { PlannedRestore } from "./restore.ts";

/**
 * What is wrong with the rows of a collection.
 * @param imported rows the imports of its segments reported, net of deletes
 * @param counted rows Milvus counts now, without those it had before
 */
export function rowsProblem(
  collection: PlannedRestore,
  imported: bigint,
  counted: bigint,
): { message: string; others: boolean } | undefined {
  const data = collection.imports.filter(({ kind }) => kind === "segments");
  const inBackup = sum(data.map(({ rows }) => rows));
  const hasDeletes = data.some((planned) => planned.hasDeletes);
  const importedAll = hasDeletes ? imported <= inBackup : imported === inBackup;
  // Compaction takes away rows that an L0 segment deletes, and rows past their time to live.
  const shrinks = collection.imports.some(({ kind }) => kind === "l0") || expires(collection);
  const holdsAll = shrinks ? counted <= imported : counted === imported;
  if (importedAll && holdsAll) return undefined;
  return {
    message: `the backup holds ${inBackup} rows${hasDeletes ? " (some deleted)" : ""}, its imports reported ${imported}, and Milvus counts ${counted}`,
    others: importedAll,
  };
}

function expires({ create }: PlannedRestore): boolean {
  return create?.properties.some(({ key, value }) => key === "collection.ttl.seconds" && Number(value) > 0) ?? false;
}

/** Adds up decimals. */
export function sum(values: readonly string[]): bigint {
  return values.reduce((total, value) => total + BigInt(value), 0n);
}
