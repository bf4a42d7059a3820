import type { PlannedRestore } from "./restore.ts";

/**
 * What is wrong with the rows of a collection.
 * @param importedBy rows that the import of a task reported, net of deletes and of what came after the instant
 * @param counted rows Milvus counts now, without those it had before
 */
export function rowsProblem(
  collection: PlannedRestore,
  importedBy: (task: number) => bigint,
  counted: bigint,
): { message: string; others: boolean } | undefined {
  const data = collection.imports.filter(({ kind }) => kind === "segments");
  const inBackup = sum(data.map(({ rows }) => rows));
  const imported = data.reduce((total, { task }) => total + importedBy(task), 0n);
  const hasDeletes = data.some((planned) => planned.hasDeletes);
  // Each by itself: what one lacks is not made up for by what another has too many of.
  const wrong = data.find(({ task, rows, minimumRows }) => {
    const got = importedBy(task);
    return got > BigInt(rows) || got < BigInt(minimumRows);
  });
  // Compaction takes away rows that an L0 segment deletes, and rows past their time to live.
  const shrinks = collection.imports.some(({ kind }) => kind === "l0") || expires(collection);
  const holdsAll = shrinks ? counted <= imported : counted === imported;
  if (!wrong && holdsAll) return undefined;
  const whole = `the backup holds ${inBackup} rows${hasDeletes ? " (some deleted)" : ""}, its imports reported ${imported}, and Milvus counts ${counted}`;
  if (!wrong) return { message: whole, others: true };
  const { task, partition, rows, minimumRows } = wrong;
  const expected = minimumRows === rows ? `${rows}` : `${minimumRows} to ${rows}`;
  return {
    message: `${whole}. Import ${task} into partition ${partition} brought ${importedBy(task)} rows, which must be ${expected}`,
    others: false,
  };
}

function expires({ create }: PlannedRestore): boolean {
  return create?.properties.some(({ key, value }) => key === "collection.ttl.seconds" && Number(value) > 0) ?? false;
}

function sum(values: readonly string[]): bigint {
  return values.reduce((total, value) => total + BigInt(value), 0n);
}
