import { describe, expect, test } from "vitest";
import { parquetPayloads } from "../../../../src/adapters/parquet/payload-reader.ts";
import { rowDocument } from "../../../../src/core/binlog/row-document.ts";
import { CollectionRows } from "../../../../src/steps/rows/collection-rows.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { seedGolden } from "../../../support/golden-backup.ts";
import { asAnswered, goldenRows } from "../../../support/golden-rows.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

const store = new MemoryObjectStore("bucket-b");
seedGolden(store, "golden");
const stored = new StoredBackup(store, { rootPath: "backup" }, "golden");

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

describe("the rows of the backup that milvus-backup wrote", () => {
  test.each(Object.entries(goldenRows))("%s: every living row is what Milvus answered", async (name, expected) => {
    const { rows } = await CollectionRows.open(stored, parquetPayloads, name);

    const found: Record<string, unknown>[] = [];
    for await (const row of rows.rows({ fields: rows.fields })) {
      const partitioned = expected.rows.some((one) => "_partition" in one);
      const document = asAnswered(rowDocument(row, rows.fields), rows.fields);
      found.push({ ...document, ...(partitioned && { _partition: row.partition }) });
    }

    const sorted = (list: Record<string, unknown>[]) =>
      list.toSorted((a, b) => byText(String(a[expected.primaryKey]), String(b[expected.primaryKey])));
    expect(sorted(found)).toEqual(sorted(expected.rows));
  });
});
