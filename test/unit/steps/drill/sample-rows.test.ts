import { beforeEach, expect, test } from "vitest";
import { parquetPayloads } from "../../../../src/adapters/parquet/payload-reader.ts";
import { examineCollection, type MadeCollection } from "../../../../src/steps/drill/examine-collection.ts";
import { sampleOf } from "../../../../src/steps/drill/sample-rows.ts";
import { CollectionRows } from "../../../../src/steps/rows/collection-rows.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { MemoryMilvus } from "../../../support/memory-milvus.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { type SeededSegment, seedRows } from "../../../support/row-backup.ts";

let store: MemoryObjectStore;
beforeEach(() => {
  store = new MemoryObjectStore("bucket-b");
});

async function backedUp(segments: readonly SeededSegment[]): Promise<CollectionRows> {
  seedRows(store, "b", { segments, until: 100 });
  const stored = new StoredBackup(store, { rootPath: "backup" }, "b");
  return (await CollectionRows.open(stored, parquetPayloads, "coll")).rows;
}

/** Ten rows, of which all but `living` are deleted. */
function segment(id: number, living = 0): SeededSegment {
  const rows = Array.from({ length: 10 }, (_, at) => ({ id: id * 100 + at, at: 10 }));
  return { id, batches: [rows], deletes: rows.slice(living).map((row) => [row.id, 20] as const) };
}
const dead = (count: number) => Array.from({ length: count }, (_, at) => segment(at + 1));

async function sampled(rows: CollectionRows, seed: string) {
  const { rows: found, ...sample } = await sampleOf(rows, rows.fields, seed);
  return { ...sample, keys: found.map(({ key }) => Number(key)).sort((a, b) => a - b) };
}

test("rows that live in one segment of many whose rows are all deleted are found with every seed", async () => {
  const rows = await backedUp([...dead(20), segment(50, 3)]);

  for (let seed = 0; seed < 10; seed += 1) {
    expect((await sampled(rows, `drill-${seed}`)).keys).toEqual([5000, 5001, 5002]);
  }
});

test("where none lives, it is told whether everything was looked through", async () => {
  expect(await sampled(await backedUp(dead(20)), "drill")).toEqual({ keys: [], segments: 20, complete: true });
  expect(await sampled(await backedUp(dead(70)), "drill")).toEqual({ keys: [], segments: 64, complete: false });
});

/** What is found of a backup where Milvus counts so many rows, and answers none. */
async function examined(rows: CollectionRows, { brought, counted }: { brought: bigint; counted: bigint }) {
  const milvus = new MemoryMilvus();
  milvus.countRows = async () => counted;
  milvus.queryRows = async () => [];
  const restored = { from: "default.coll", to: "default.coll", id: "1", rows: brought.toString() };
  const made = { restored, description: collectionDescription("coll", { id: "1" }), indexes: [], withoutIndex: [] };
  return examineCollection(milvus, made as unknown as MadeCollection, rows, "drill");
}

test.each([
  [0n, []],
  [7n, ["default.coll: a query counts 7 rows, and no row of the backup lives"]],
])("of a backup whose rows are all deleted %d rows came back", async (counted, problems) => {
  const found = await examined(await backedUp(dead(3)), { brought: counted, counted });

  expect(found.problems).toEqual(problems);
  expect(found.drilled.compared).toBe(0);
  expect(found.drilled.leftOut).toContain("rows are not compared or searched: it holds none");
});

test("rows that are not there are no deletes where those went with the import", async () => {
  const fewer = { brought: 30n, counted: 29n };
  const told = "default.coll: a query counts 29 rows, and the restore brought 30";
  const levelZero = { id: 9, isL0: true, deletes: [[101, 20]] } as const;

  const plain = await examined(await backedUp([segment(1, 9), segment(2, 9), segment(3, 9)]), fewer);
  const later = await examined(await backedUp([segment(1, 9), segment(2, 9), segment(3, 9), levelZero]), fewer);

  expect(plain.problems).toContain(told);
  expect(later.problems).not.toContain(told);
});
