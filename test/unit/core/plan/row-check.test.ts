import { describe, expect, test } from "vitest";
import type { PlannedRestore } from "../../../../src/core/plan/planned-restore.ts";
import { CollectionRows } from "../../../../src/core/plan/row-check.ts";

const name = { database: "default", collection: "coll" };

function collection(...imports: readonly [rows: string, minimumRows: string][]): PlannedRestore {
  return {
    source: name,
    target: name,
    working: name,
    partitions: [],
    indexes: [],
    aliases: [],
    load: "none",
    imports: imports.map(([rows, minimumRows], task) => ({
      task,
      phase: 0,
      partition: "_default",
      kind: "segments",
      storageVersion: "0",
      fingerprint: "",
      directories: "",
      rows,
      minimumRows,
      hasDeletes: rows !== minimumRows,
      bytes: 1,
    })),
  };
}

const rowsOf = (planned: PlannedRestore, imported: readonly bigint[]) => {
  const record = { collectionId: "5", planned: "", id: "6", state: "completed" } as const;
  return new CollectionRows(
    planned,
    imported.map((rows, task) => ({ ...record, task, rows: `${rows}` })),
  );
};
const check = (planned: PlannedRestore, imported: readonly bigint[], counted?: bigint) =>
  rowsOf(planned, imported).problem(counted ?? imported.reduce((sum, rows) => sum + rows, 0n));

describe("rows", () => {
  test("without deletes are all there", () => {
    expect(check(collection(["10", "10"]), [10n])).toBeUndefined();
    expect(check(collection(["10", "10"]), [9n])?.message).toContain("brought 9 rows, which must be 10");
  });

  test("of which a small delta log cannot have taken a million are not none", () => {
    const planned = collection(["1000000", "983616"]);

    expect(check(planned, [990_000n])).toBeUndefined();
    expect(check(planned, [0n])?.message).toContain("brought 0 rows, which must be 983616 to 1000000");
  });

  test("of which none came at all may lie in a bucket that this Milvus does not read", () => {
    expect(check(collection(["10", "10"]), [0n])?.message).toContain("look whether minio.bucketName");
    expect(check(collection(["10", "10"]), [9n])?.message).not.toContain("minio.bucketName");
  });

  test("of an import that nothing is known of are not none, and neither are its deletes", () => {
    const deletes = { ...collection(["0", "0"]).imports[0], task: 1, kind: "l0" } as const;
    const withDeletes = collection(["10", "10"]);
    const planned = {
      ...withDeletes,
      imports: [...withDeletes.imports, deletes as (typeof withDeletes.imports)[number]],
    };

    expect(check(collection(["10", "0"]), [])?.message).toContain(
      "Import 0 into partition _default is not known to be",
    );
    expect(check(planned, [10n])?.message).toContain("Import 1 into partition _default is not known to be complete");
    expect(check(planned, [10n, 0n])).toBeUndefined();
  });

  test("that one import lacks are not made up for by another one", () => {
    expect(check(collection(["10", "10"], ["10", "0"]), [10n, 4n])).toBeUndefined();
    expect(check(collection(["10", "10"], ["10", "0"]), [5n, 9n])).toMatchObject({ others: false });
    expect(check(collection(["10", "10"], ["10", "0"]), [10n, 11n])).toMatchObject({ others: false });
  });

  test("are told: in the backup, and imported", () => {
    const { inBackup, imported } = rowsOf(collection(["10", "10"], ["20", "0"]), [10n, 15n]);
    expect({ inBackup, imported }).toEqual({ inBackup: 30n, imported: 25n });
  });

  test("that Milvus counts beside what was imported are somebody else's", () => {
    expect(check(collection(["10", "10"]), [10n], 12n)).toMatchObject({ others: true });
  });
});
