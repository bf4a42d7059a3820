import type { PlannedRestore } from "./planned-restore.ts";
import type { ImportRecord } from "./restore-work.ts";

/** What became of the rows of a collection, as far as its imports tell. */
export class CollectionRows {
  readonly inBackup: bigint;
  readonly imported: bigint;
  readonly #collection: PlannedRestore;
  readonly #rows: ReadonlyMap<number, bigint>;
  /** Tasks that are known to be complete. */
  readonly #complete: ReadonlySet<number>;

  /** @param imports what was submitted for the collection */
  constructor(collection: PlannedRestore, imports: readonly ImportRecord[]) {
    this.#collection = collection;
    this.#rows = new Map(imports.map(({ task, rows }) => [task, BigInt(rows)]));
    this.#complete = new Set(imports.filter(({ state }) => state === "completed").map(({ task }) => task));
    const data = this.#data;
    this.inBackup = data.reduce((total, { rows }) => total + BigInt(rows), 0n);
    this.imported = data.reduce((total, { task }) => total + this.#importedBy(task), 0n);
  }

  /**
   * What is wrong with them.
   * @param counted rows Milvus counts now, without those it had before
   */
  problem(counted: bigint): { message: string; others: boolean } | undefined {
    const { inBackup, imported } = this;
    const data = this.#data;
    const hasDeletes = data.some((planned) => planned.hasDeletes);
    // Each by itself: what one lacks is not made up for by what another has too many of.
    const wrong = data.find(({ task, rows, minimumRows }) => {
      const got = this.#importedBy(task);
      return got > BigInt(rows) || got < BigInt(minimumRows);
    });
    // Compaction takes away rows that an L0 segment deletes, and rows past their time to live.
    const shrinks = this.#collection.imports.some(({ kind }) => kind === "l0") || expires(this.#collection);
    const holdsAll = shrinks ? counted <= imported : counted === imported;
    // No rows at all may be right, and deletes bring none: what nothing is known of is not taken for that.
    const open = this.#collection.imports.find(({ task }) => !this.#complete.has(task));
    if (!wrong && holdsAll && !open) return undefined;
    const whole = `the backup holds ${inBackup} rows${hasDeletes ? " (some deleted)" : ""}, its imports reported ${imported}, and Milvus counts ${counted}`;
    if (open) {
      const where = open.partition && ` into partition ${open.partition}`;
      return { message: `${whole}. Import ${open.task}${where} is not known to be complete`, others: false };
    }
    if (!wrong) return { message: whole, others: true };
    const { task, partition, rows, minimumRows } = wrong;
    const got = this.#importedBy(task);
    const expected = minimumRows === rows ? `${rows}` : `${minimumRows} to ${rows}`;
    const explained =
      imported === 0n
        ? " (Milvus 2.2 and 2.3 take files that they do not find for none: look whether minio.bucketName of the target's environment is the bucket that this Milvus reads)"
        : wrong.hasDeletes && got < BigInt(minimumRows)
          ? " (fewer are right where one delete takes many rows, of a key that was inserted again and again: look at the rows, and rename the collection yourself)"
          : "";
    return {
      message: `${whole}. Import ${task} into partition ${partition} brought ${got} rows, which must be ${expected}${explained}`,
      others: false,
    };
  }

  get #data() {
    return this.#collection.imports.filter(({ kind }) => kind !== "l0");
  }

  /** What was inserted of it, in place of imported; absent where nothing was. */
  get inserted(): { readonly partitions: number; readonly rows: bigint } | undefined {
    const inserted = this.#data.filter(({ kind }) => kind === "rows");
    if (inserted.length === 0) return undefined;
    return { partitions: inserted.length, rows: inserted.reduce((sum, { task }) => sum + this.#importedBy(task), 0n) };
  }

  /** Net of deletes and of what came after the instant; 0n for one that was not submitted. */
  #importedBy(task: number): bigint {
    return this.#rows.get(task) ?? 0n;
  }
}

/** Rows have a time to live: that of their collection, or (Milvus 2.6) each its own, in a field. */
function expires({ create }: PlannedRestore): boolean {
  const isTtl = ({ key, value }: { key: string; value: string }) =>
    (key === "collection.ttl.seconds" && Number(value) > 0) || key === "ttl_field";
  return create?.properties.some(isTtl) ?? false;
}
