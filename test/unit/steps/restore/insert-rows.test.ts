import { describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { finishRestoreResult, type RestoreInput } from "../../../../src/core/execution/messages.ts";
import { keyPartitionName, partitionOfKey } from "../../../../src/core/milvus/partition-key.ts";
import type { InsertedRows } from "../../../../src/ports/milvus.ts";
import {
  input,
  orders,
  partitionedWorld,
  rowsOf,
  type SmallCollection,
  type SmallRow,
  target,
  told,
  vectorOf,
} from "../../../support/partitioned-world.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runRestore } from "../../../support/run-machines.ts";

/** Partitions with a row each, so that it is quicker to insert them. */
const others = ["o1", "o2", "o3"].map((partition, index) => ({ partition, rows: rowsOf(900 + index) }));

async function restored(world: PipelineWorld, changed: Partial<RestoreInput> = {}) {
  return finishRestoreResult.parse(await runRestore(world.context(), { ...input, ...changed }));
}

test("rows of small partitions are inserted: each where it was, bit for bit, without those that are deleted", async () => {
  const world = await partitionedWorld();

  const { collections } = await restored(world);

  const rows = world.milvus("dr").insertedRows(target);
  expect(told(rows)).toEqual([
    ...["_default 1 text 1", "_default 2 text 2", "_default 3 text 3"],
    // 11 was deleted later than it was written, 13 earlier: an upsert
    ...["p1 12 text 12", "p1 14 text 14", "p1 13 again"],
    ...["p2 21 text 21", "p2 22 text 22", "p2 23 text 23", "p2 24 text 24", "p3 31 text 31"],
  ]);
  for (const { values } of rows) expect(values.get("vec")).toEqual(vectorOf(Number(values.get("id"))));
  expect(world.milvus("dr").submittedImports(target)).toEqual([]);
  expect(collections).toMatchObject([
    { rows: "11", inBackup: "12", imported: "11", leftOut: "1", inserted: { partitions: 4, rows: "11" } },
  ]);
});

test("what is inserted is flushed, once", async () => {
  const world = await partitionedWorld();

  await restored(world);

  expect(world.milvus("dr").calls.filter((call) => call.startsWith("flush "))).toHaveLength(1);
  const segments = await world.milvus("dr").listSegments(target);
  expect(segments.map(({ state, rows }) => [state, rows])).toEqual([3n, 3n, 4n, 1n].map((rows) => ["Flushed", rows]));
});

test("with smallPartitions: import nothing is", async () => {
  const world = await partitionedWorld();

  const { collections } = await restored(world, { smallPartitions: "import" });

  expect(world.milvus("dr").insertedRows(target)).toEqual([]);
  expect(
    world
      .milvus("dr")
      .submittedImports(target)
      .map(({ partition }) => partition),
  ).toEqual([...["_default", "p1", "p2", "p3"]]);
  expect(collections[0]).not.toHaveProperty("inserted");
});

test("a collection that is restored under two names is inserted into both", async () => {
  const world = await partitionedWorld();
  const { suffix: _, ...renamed } = input;

  await runRestore(world.context(), { ...renamed, renames: { orders: ["one", "two"] } });

  const inserted = ["one", "two"].map((collection) =>
    told(world.milvus("dr").insertedRows({ database: "default", collection })),
  );
  expect(inserted[0]).toHaveLength(11);
  expect(inserted[1]).toEqual(inserted[0]);
});

test("rows and deletes from after the instant are left out", async () => {
  const later = 3e13;
  const world = await partitionedWorld([
    {
      name: "orders",
      segments: [
        {
          partition: "late",
          growing: true,
          rows: [...rowsOf(1, 2), { id: 3, text: "too late", at: later }],
          deletes: [
            [1, later],
            [2, 10],
          ],
        },
        ...others,
      ],
    },
  ]);

  const { collections } = await restored(world);

  expect(told(world.milvus("dr").insertedRows(target)).filter((row) => row.startsWith("late"))).toEqual([
    "late 1 text 1",
  ]);
  expect(collections).toMatchObject([{ rows: "4", leftOut: "2" }]);
});

test("of several rows of a key all are inserted, the newest with the last call", async () => {
  const version = (at: number): SmallRow => ({ id: 5, text: `version ${at}`, at });
  const world = await partitionedWorld([
    {
      name: "orders",
      segments: [
        { partition: "twice", rows: [version(30), { id: 6, text: "once", at: 15 }, version(10)] },
        { partition: "twice", rows: [version(20)] },
        ...others,
      ],
    },
  ]);

  await restored(world);

  const rows = world
    .milvus("dr")
    .insertedRows(target)
    .filter(({ partition }) => partition === "twice");
  expect(told(rows)).toEqual([10, 15, 20, 30].map((at) => (at === 15 ? "twice 6 once" : `twice 5 version ${at}`)));
  const calls = rows.filter(({ values }) => values.get("id") === 5n).map(({ call }) => call);
  expect(new Set(calls).size).toBe(3);
  expect(calls).toEqual(calls.toSorted((one, other) => one - other));
});

test("a text that begins with a byte order mark keeps it", async () => {
  const marked = { id: 7, text: "\ufeffhead of a file", at: 7 };
  const world = await partitionedWorld([{ name: "orders", segments: [{ partition: "m", rows: [marked] }, ...others] }]);

  await restored(world);

  const texts = world
    .milvus("dr")
    .insertedRows(target)
    .map(({ values }) => values.get("text"));
  expect(texts).toContain(marked.text);
});

describe("a collection with a partition key", () => {
  /** Rows whose texts put them where they are, and `wrong` ones beside them. */
  function tenants(wrong: readonly SmallRow[] = []): SmallCollection {
    const all = Array.from({ length: 40 }, (_, index): SmallRow => ({ id: index, text: `tenant ${index}`, at: index }));
    const byPartition = Map.groupBy(all, ({ text }) => keyPartitionName(partitionOfKey(text ?? "", 5)));
    const segments = [...byPartition].map(([partition, rows], index) => ({
      partition,
      rows: index === 0 ? [...rows, ...wrong] : rows,
    }));
    return { name: "orders", byKey: true, segments };
  }

  test("has its rows where they were: Milvus puts them there by the key", async () => {
    const world = await partitionedWorld([tenants()]);

    await restored(world);

    const rows = world.milvus("dr").insertedRows(target);
    expect(new Set(rows.map(({ call }) => call)).size).toBe(1);
    const expected = tenants().segments.flatMap(({ partition, rows: own }) =>
      own.map(({ id, text }) => `${partition} ${id} ${text}`),
    );
    expect(told(rows).toSorted()).toEqual(expected.toSorted());
  });

  test("with a row that its key would put elsewhere is refused, saying how to restore it", async () => {
    const [{ partition = "" } = {}] = tenants().segments;
    const text = ["a", "b", "c"].find((key) => keyPartitionName(partitionOfKey(key, 5)) !== partition) ?? "";
    const world = await partitionedWorld([tenants([{ id: 999, text, at: 1 }])]);

    await expect(restored(world)).rejects.toThrow(
      new RegExp(
        `rows whose text is "${text}" in partition ${partition}, .*would put them into .*--small-partitions import`,
      ),
    );
  });
});

test("partitions of a collection whose keys Milvus makes are imported, beside what is inserted into others", async () => {
  const world = await partitionedWorld([
    orders,
    { name: "events", autoId: true, segments: [{ partition: "a", rows: rowsOf(1) }, ...others] },
  ]);

  const { collections } = await restored(world);

  const events = { database: "default", collection: "events_bak" };
  expect(world.milvus("dr").submittedImports(events)).toHaveLength(4);
  expect(told(world.milvus("dr").insertedRows(target))).toHaveLength(11);
  expect(collections.map(({ to, rows }) => [to, rows])).toEqual([
    ["default.events_bak", "4"],
    ["default.orders_bak", "11"],
  ]);
  // Milvus works on the imports while rows are inserted elsewhere.
  const { calls } = world.milvus("dr");
  const at = (method: string) => calls.findIndex((call) => call.startsWith(`${method} `));
  expect(at("submitImport")).toBeLessThan(at("insertRows"));
});

test("a large partition is imported behind what is inserted into the same collection", async () => {
  const world = await partitionedWorld([
    {
      name: "orders",
      segments: [
        { partition: "large", rows: rowsOf(8_000), counted: 10_000 },
        { partition: "s", rows: rowsOf(9_001) },
        ...others,
      ],
    },
  ]);

  const { collections } = await restored(world);

  expect(
    world
      .milvus("dr")
      .submittedImports(target)
      .map(({ partition }) => partition),
  ).toEqual(["large"]);
  expect(collections).toMatchObject([{ rows: "10004", inserted: { partitions: 4, rows: "4" } }]);
  const { calls } = world.milvus("dr");
  const at = (method: string) => calls.findIndex((call) => call.startsWith(`${method} `));
  expect(at("flush")).toBeLessThan(at("submitImport"));
});

describe("a row that Milvus refuses", () => {
  const refused = (values: InsertedRows) =>
    values.columns.some(({ field, values: own }) => field.name === "id" && own.includes(23n));

  test("is named by its key and its partition, with what Milvus says of it", async () => {
    const world = await partitionedWorld();
    const reason = 'Milvus at dr.test:19530 refused Insert: the length of field "text" is too long';
    world.milvus("dr").fail("insertRows", new PipelineError("MilvusFailed", reason), {
      when: (_name, _partition, request) => refused(request as InsertedRows),
    });

    await expect(restored(world)).rejects.toMatchObject({
      message: expect.stringMatching(
        /orders_bak: Milvus refuses the row with the key "23" of partition p2: .*field "text".*--small-partitions import/,
      ),
    });
    expect(await world.milvus("dr").listCollections("default")).not.toContain("orders_bak");
  });

  test("is none where only all of them together are refused", async () => {
    const world = await partitionedWorld();
    world.milvus("dr").fail("insertRows", new PipelineError("MilvusFailed", "too many"), {
      when: (_name, _partition, request) => (request as InsertedRows).rows > 3,
    });

    await expect(restored(world)).rejects.toThrow(/Milvus refuses 4 rows of partition p2: too many/);
  });
});

describe("what is read is compared", () => {
  /** Alters a log between the look at the backup and the insertion. */
  async function alteredAfterLook(world: PipelineWorld, changed: Partial<RestoreInput> = {}) {
    const bucket = world.bucket("bucket-b");
    const key = bucket.keys("backup/nightly/binlogs/insert_log/").find((log) => log.includes("/101/")) ?? "";
    await runRestore(world.context(), { ...input, ...changed }, executionOf("one"), {
      after(step) {
        if (step !== "recreate") return;
        const bytes = Buffer.from(bucket.bytes(key) ?? []);
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 12) ^ 1, bytes.length - 12);
        bucket.seed(key, bytes);
      },
    });
  }

  test("with the manifest's checksum: altered content of the same size is never inserted", async () => {
    const world = await partitionedWorld();

    await expect(alteredAfterLook(world)).rejects.toThrow(
      /insert_log.*was altered: its content is not that of the manifest/,
    );
    expect(await world.milvus("dr").listCollections("default")).not.toContain("orders_bak");
  });

  test("with the metas' rows: deletes do not explain what the logs of a segment lack", async () => {
    const deletes = [[77, 10] as const, [78, 10] as const];
    const world = await partitionedWorld([
      { name: "orders", segments: [{ partition: "s", rows: rowsOf(1, 2, 3), counted: 5, deletes }, ...others] },
    ]);

    await expect(restored(world)).rejects.toThrow(
      /segment \d+ of the backup has 3 rows in its logs, and 5 in the metas.*--small-partitions import/,
    );
    expect(await world.milvus("dr").listCollections("default")).not.toContain("orders_bak");
  });

  test("with the schema: a field that needs values gets none that were made up", async () => {
    const rows = [...rowsOf(1), { id: 2, text: null, at: 2 }];
    const world = await partitionedWorld([{ name: "orders", segments: [{ partition: "s", rows }, ...others] }]);

    await expect(restored(world)).rejects.toThrow(/partition s.*the row with the key "2" has no value of text/);
    expect(await world.milvus("dr").listCollections("default")).not.toContain("orders_bak");
  });

  test("a log that vanished is named", async () => {
    const world = await partitionedWorld();
    const bucket = world.bucket("bucket-b");
    const key = bucket.keys("backup/nightly/binlogs/insert_log/").find((log) => log.includes("/101/")) ?? "";

    const run = runRestore(world.context(), input, executionOf("one"), {
      after: (step) => void (step === "recreate" && bucket.remove(key)),
    });

    await expect(run).rejects.toThrow(new RegExp(`${key} is missing`));
  });
});

test("rows that Milvus does not count are an error, and the collection does not get its name", async () => {
  const world = await partitionedWorld();
  const context = world.context();
  const run = runRestore(
    {
      ...context,
      connectMilvus: async (environment) => {
        const milvus = await context.connectMilvus(environment);
        return new Proxy(milvus, {
          get: (of, method) => {
            const value: unknown = Reflect.get(of, method, of);
            if (method !== "listSegments") return typeof value === "function" ? value.bind(of) : value;
            return async (...args: Parameters<typeof of.listSegments>) => (await of.listSegments(...args)).slice(1);
          },
        });
      },
    },
    input,
  );

  await expect(run).rejects.toThrow(
    /does not count what was inserted into 1 partition, the first of them _default \(3 inserted, 0 counted\)/,
  );
  expect(await world.milvus("dr").listCollections("default")).not.toContain("orders_bak");
});
