import { beforeEach, describe, expect, test } from "vitest";
import { parquetPayloads } from "../../../../src/adapters/parquet/payload-reader.ts";
import { CollectionRows } from "../../../../src/steps/rows/collection-rows.ts";
import { type Pair, RowsDiffer } from "../../../../src/steps/rows/diff-rows.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { type SeededCollection, type SeededRow, seedRows } from "../../../support/row-backup.ts";

let store: MemoryObjectStore;

beforeEach(() => {
  store = new MemoryObjectStore("bucket-b");
});

async function differ(
  monday: SeededCollection,
  tuesday: SeededCollection,
  options: { partitions?: readonly string[] } = {},
): Promise<RowsDiffer> {
  seedRows(store, "monday", monday);
  seedRows(store, "tuesday", tuesday);
  const open = async (name: string) => {
    const stored = new StoredBackup(store, { rootPath: "backup" }, name);
    return (await CollectionRows.open(stored, parquetPayloads, "coll")).rows;
  };
  const pair: Pair = [await open("monday"), await open("tuesday")];
  return new RowsDiffer(pair, options);
}

const row = (id: number, at: number, text?: string): SeededRow => ({ id, at, text });
const noRows = { added: 0, changed: 0, removed: 0, same: 0 };

describe("the difference of two backups", () => {
  const monday = { segments: [{ id: 1, batches: [[row(1, 1), row(2, 1), row(3, 1), row(4, 1)]] }] };

  test("rows added, changed, removed and the same, however they lie in segments", async () => {
    const tuesday = {
      segments: [
        { id: 7, batches: [[row(4, 1)], [row(5, 9)]] },
        { id: 8, batches: [[row(3, 9, "other"), row(1, 1)]] },
      ],
    };
    const found = await differ(monday, tuesday);

    expect(await found.compare()).toEqual({
      total: { added: 1, changed: 1, removed: 1, same: 2 },
      partitions: new Map([["_default", { added: 1, changed: 1, removed: 1, same: 2 }]]),
      notCompared: [],
    });
    expect(await found.keys(10)).toEqual({ added: [5n], changed: [3n], removed: [2n] });
  });

  test("deletes and upserts since count, a row that was written anew as it was is the same", async () => {
    const deletes = [
      [1, 9],
      [2, 9],
      [3, 9],
    ] as const;
    const tuesday = {
      segments: [
        { id: 1, batches: [[row(1, 1), row(2, 1), row(3, 1), row(4, 1)]], deletes },
        { id: 2, batches: [[row(2, 9), row(3, 9, "upserted")]] },
      ],
    };

    const { total } = await (await differ(monday, tuesday)).compare();

    expect(total).toEqual({ added: 0, changed: 1, removed: 1, same: 2 });
  });

  test("of several rows of a key the latest counts, and the key is listed once", async () => {
    const tuesday = {
      segments: [
        { id: 2, batches: [[row(1, 9, "latest"), row(9, 9), row(9, 8)]] },
        { id: 1, batches: [[row(1, 1), row(2, 1), row(3, 1), row(4, 1)]] },
      ],
    };
    const found = await differ(monday, tuesday);

    expect((await found.compare()).total).toEqual({ added: 1, changed: 1, removed: 0, same: 3 });
    expect(await found.keys(10)).toEqual({ added: [9n], changed: [1n], removed: [] });
  });

  test("by partition; a row in another one has changed", async () => {
    const tuesday = {
      segments: [
        { id: 1, batches: [[row(1, 1), row(2, 1), row(3, 1)]] },
        { id: 2, partition: "p1", batches: [[row(4, 1), row(5, 1)]] },
      ],
    };

    const { partitions } = await (await differ(monday, tuesday)).compare();
    expect(partitions).toEqual(
      new Map([
        ["_default", { ...noRows, same: 3 }],
        ["p1", { ...noRows, added: 1, changed: 1 }],
      ]),
    );

    const only = await differ(monday, tuesday, { partitions: ["p1"] });
    expect((await only.compare()).total).toEqual({ ...noRows, added: 2 });
    await expect(differ(monday, tuesday, { partitions: ["p9"] })).rejects.toThrow(
      "neither backup of default.coll has a partition p9",
    );
  });

  test("keys up to a limit of each kind", async () => {
    const many = Array.from({ length: 500 }, (_, index) => row(index, 1));
    const found = await differ({ segments: [] }, { segments: [{ id: 1, batches: [many] }] });

    expect((await found.compare()).total).toEqual({ ...noRows, added: 500 });
    expect((await found.keys(3)).added).toEqual([0n, 1n, 2n]);
  });

  test("what is later than the instant of each is no part of it", async () => {
    const batches = [[row(1, 1), row(2, 20), row(3, 40)]];
    const found = await differ(
      { segments: [{ id: 1, batches }], until: 10 },
      { segments: [{ id: 1, batches }], until: 30 },
    );

    expect((await found.compare()).total).toEqual({ ...noRows, added: 1, same: 1 });
  });
});
