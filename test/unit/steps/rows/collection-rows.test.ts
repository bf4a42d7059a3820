import { beforeEach, describe, expect, test } from "vitest";
import { parquetPayloads } from "../../../../src/adapters/parquet/payload-reader.ts";
import { bindFilter } from "../../../../src/core/filter/filter.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { CollectionRows, type CollectionSelection } from "../../../../src/steps/rows/collection-rows.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { binlogOf, payloadOf } from "../../../support/binlog-writer.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { type SeededCollection, type SeededRow, seedRows, tick } from "../../../support/row-backup.ts";

let store: MemoryObjectStore;

beforeEach(() => {
  store = new MemoryObjectStore("bucket-b");
});

async function open(): Promise<CollectionRows> {
  const stored = new StoredBackup(store, { rootPath: "backup" }, "b");
  return (await CollectionRows.open(stored, parquetPayloads, "coll")).rows;
}

/** The rows as `[id, text]`. */
async function read(collection: SeededCollection | undefined, selection: Partial<CollectionSelection> = {}) {
  if (collection) seedRows(store, "b", collection);
  const rows = await open();
  const [id, text] = rows.fields;
  if (!id || !text) throw new Error("two fields");
  const found: [bigint, unknown][] = [];
  for await (const row of rows.rows({ fields: rows.fields, ...selection })) {
    found.push([row.value(id) as bigint, row.value(text)]);
  }
  return found;
}

const ids = (rows: readonly (readonly [bigint, unknown])[]) => rows.map(([id]) => Number(id));
const row = (id: number, at: number, text?: string): SeededRow => ({ id, at, text });
const keys = { insert: (field: number, log = 900) => `backup/b/binlogs/insert_log/100/200/1/1/${field}/${log}` };

describe("deletes", () => {
  test.each(["lines", "columns", "old"] as const)(
    "take older rows of their key, not those of their own timestamp (an upsert) nor later ones (%s)",
    async (deltaFormat) => {
      const batches = [[row(1, 10), row(2, 10), row(3, 10), row(4, 10)]];

      const found = await read({
        segments: [
          {
            id: 1,
            batches,
            deletes: [
              [1, 9],
              [2, 10],
              [3, 11],
            ],
          },
        ],
        deltaFormat,
      });

      expect(ids(found)).toEqual([1, 2, 4]);
    },
  );

  test("of one segment do not hold for another one, where Milvus wrote them for each", async () => {
    const segments = [
      { id: 1, batches: [[row(1, 10)]], deletes: [[1, 20]] as const },
      { id: 2, batches: [[row(1, 10)]] },
    ];

    expect(ids(await read({ segments }))).toEqual([1]);
  });

  test("of an L0 segment hold for its partition, of one of all partitions for all", async () => {
    const segments = [
      { id: 1, batches: [[row(1, 10), row(2, 10), row(3, 10)]] },
      { id: 2, partition: "p1", batches: [[row(1, 10), row(2, 10), row(3, 10)]] },
      { id: 3, partition: "p1", isL0: true, deletes: [[1, 20]] as const },
      { id: 4, isL0: "all" as const, deletes: [[2, 20]] as const },
    ];

    const rows = await open_(segments);
    expect(rows).toEqual(["_default 1", "_default 3", "p1 3"]);
  });

  async function open_(segments: SeededCollection["segments"]): Promise<string[]> {
    seedRows(store, "b", { segments });
    const rows = await open();
    const found: string[] = [];
    for await (const one of rows.rows({ fields: [rows.primaryKey] })) {
      found.push(`${one.partition} ${one.value(rows.primaryKey)}`);
    }
    return found;
  }

  test("the latest of several of one key counts", async () => {
    const found = await read({
      segments: [
        {
          id: 1,
          batches: [[row(1, 15)]],
          deletes: [
            [1, 20],
            [1, 5],
          ],
        },
      ],
    });

    expect(found).toEqual([]);
  });

  test("a line that is no delete is refused with object and offset", async () => {
    seedRows(store, "b", { segments: [{ id: 1, batches: [[row(1, 15)]], deletes: [[1, 20]] }] });
    const key = "backup/b/binlogs/delta_log/100/200/1/1/5000";
    store.seed(key, binlogOf([payloadOf({ type: "text", values: ['{"pk":"x","ts":1}'] })], { type: "delete" }));

    await expect(read(undefined)).rejects.toThrow(
      `${key}, offset 106: delete 0 is none of a collection whose primary key is Int64`,
    );
  });
});

describe("the instant", () => {
  const batches = [[row(1, 10), row(2, 30), row(3, 10), row(4, 20)]];

  test("leaves out rows and deletes of later; what is of its very timestamp counts", async () => {
    const segments = [
      {
        id: 1,
        batches,
        deletes: [
          [1, 21],
          [3, 20],
        ] as const,
      },
    ];

    expect(ids(await read({ segments, until: 20 }))).toEqual([1, 4]);
  });

  test("nobody knows it: all rows and all deletes count", async () => {
    const segments = [
      {
        id: 1,
        batches,
        deletes: [
          [1, 21],
          [3, 20],
        ] as const,
      },
    ];

    expect(ids(await read({ segments }))).toEqual([2, 4]);
    expect((await open()).instant).toBeUndefined();
  });

  test("a manifest of another backup says nothing", async () => {
    seedRows(store, "other", { segments: [{ id: 1, batches }], until: 20 });
    const foreign = store.read(backupLayout("backup", "other").manifest) ?? "";
    seedRows(store, "b", { segments: [{ id: 1, batches }] });
    store.seed(backupLayout("backup", "b").manifest, foreign);

    expect(ids(await read(undefined))).toEqual([1, 2, 3, 4]);
  });
});

describe("fields joined by position", () => {
  test("over several binlogs of a field, in the order of their IDs, and over windows of rows", async () => {
    const many = Array.from({ length: 3_000 }, (_, index) => row(index, 1));
    const batches = [many.slice(0, 2_048), many.slice(2_048, 2_050), many.slice(2_050)];

    const found = await read({ segments: [{ id: 1, batches }] });

    expect(found).toEqual(many.map(({ id }) => [BigInt(id), `text ${id}`]));
  });

  test("over several events of one binlog, cut differently in each field", async () => {
    seedRows(store, "b", { segments: [{ id: 1, batches: [[row(1, 1), row(2, 1), row(3, 1)]] }] });
    const long = (...values: bigint[]) => payloadOf({ type: "int64", values });
    store.seed(keys.insert(100), binlogOf([long(1n, 2n), long(3n)]));

    expect(await read(undefined)).toEqual([1, 2, 3].map((id) => [BigInt(id), `text ${id}`]));
  });

  test("a field that was added later is null in older segments", async () => {
    const segments = [{ id: 1, batches: [[row(1, 1)]], withoutText: true }];

    expect(await read({ segments, textNullable: true })).toEqual([[1n, null]]);
    await expect(read({ segments })).rejects.toThrow("segment 1: field text (101) has 0 binlogs, and others have 1");
  });

  test("a field that is shorter than another one is refused, with both objects", async () => {
    seedRows(store, "b", { segments: [{ id: 1, batches: [[row(1, 1), row(2, 1)]] }] });
    store.seed(keys.insert(101), binlogOf([payloadOf({ type: "text", values: ["a"] })], { dataType: 21 }));

    await expect(read(undefined)).rejects.toMatchObject({
      name: "CorruptBackup",
      message: expect.stringMatching(
        /insert_log\S+\/100\/900, offset 106: field id has more rows than the 1 of field text in \S+\/101\/900$/,
      ),
    });
  });

  test("a binlog of another type than the schema's is refused", async () => {
    seedRows(store, "b", { segments: [{ id: 1, batches: [[row(1, 1)]] }] });
    store.seed(keys.insert(101), binlogOf([payloadOf({ type: "int64", values: [1n] })], { dataType: 5 }));
    await expect(read(undefined)).rejects.toThrow("field text is VarChar in the schema, and its binlog is of Int64");

    store.seed(keys.insert(101), binlogOf([payloadOf({ type: "int64", values: [1n] })], { dataType: 21 }));
    await expect(read(undefined)).rejects.toThrow("field text is VarChar in the schema, and its payload stores Int64");
  });

  test("a payload that is no Parquet, a cut one and one of noise are refused, and the next one is read", async () => {
    seedRows(store, "b", { segments: [{ id: 1, batches: [[row(1, 1)]] }] });
    const good = payloadOf({ type: "text", values: ["a"] });
    const noise = Uint8Array.from(good, (byte, index) => (index > 8 && index < 40 ? 255 : byte));
    for (const payload of [Buffer.from("PAR1"), good.subarray(0, -9), noise]) {
      store.seed(keys.insert(101), binlogOf([payload], { dataType: 21 }));
      await expect(read(undefined)).rejects.toThrow(/\/101\/900, offset 106: its payload cannot be read: /);
    }

    store.seed(keys.insert(101), binlogOf([good], { dataType: 21 }));
    expect(await read(undefined)).toEqual([[1n, "a"]]);
  });

  test("storage of 2.6 that is not read is told by its version", async () => {
    await expect(read({ segments: [{ id: 1, batches: [[row(1, 1)]], storageVersion: 2 }] })).rejects.toMatchObject({
      name: "UnsupportedData",
      message: expect.stringContaining("segment 1 is stored in version 2 of Milvus's storage"),
    });
  });
});

describe("what is fetched", () => {
  const segments = [
    { id: 1, batches: [[row(1, 1), row(2, 1)], [row(3, 1)]] },
    { id: 2, partition: "p1", batches: [[row(4, 1)]] },
  ];
  const fetched = () =>
    store.calls.flatMap((call) => /^getBytes .*insert_log\/100\/(.*)$/.exec(call)?.[1] ?? []).sort();

  test("with a filter: the other fields only of binlogs in which a row matches", async () => {
    seedRows(store, "b", { segments });
    const rows = await open();
    const found: unknown[] = [];
    const filter = bindFilter("id == 3", rows.fields);
    for await (const one of rows.rows({ fields: rows.fields, filter })) found.push(one.value(rows.primaryKey));

    expect(found).toEqual([3n]);
    expect(fetched()).toEqual(["200/1/1/100/1000", "200/1/1/100/900", "200/1/1/101/1000", "201/2/2/100/900"]);
  });

  test("with a limit: nothing behind it", async () => {
    expect(ids(await read({ segments }, { limit: 2 }))).toEqual([1, 2]);
    expect(fetched()).toEqual(["200/1/1/100/900", "200/1/1/101/900"]);
  });

  test("with partitions: no others", async () => {
    expect(ids(await read({ segments }, { partitions: ["p1"] }))).toEqual([4]);
    expect(fetched()).toEqual(["201/2/2/100/900", "201/2/2/101/900"]);
  });

  test("timestamps only where somebody needs them", async () => {
    seedRows(store, "b", { segments });
    const rows = await open();
    const found: (bigint | undefined)[] = [];
    for await (const one of rows.rows({ fields: [rows.primaryKey], timestamps: true, limit: 1 }))
      found.push(one.timestamp);

    expect(found).toEqual([tick(1)]);
    expect(fetched()).toEqual(["200/1/1/1/900", "200/1/1/100/900"]);
  });
});
