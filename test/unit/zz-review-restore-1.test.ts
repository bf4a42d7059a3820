import { expect, test } from "vitest";
import { collectionDescription } from "../support/collection-description.ts";
import { PipelineWorld } from "../support/pipeline-world.ts";
import { MemoryObjectStore } from "../support/memory-object-store.ts";
import { FaultInjector } from "../support/fault-injector.ts";
import { executionOf, runBackup, runRestore } from "../support/run-machines.ts";
import { books, hnsw, seedShop } from "../support/seed-shop.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";

const row = { collectionId: "5", partitionId: "6", state: "Flushed", isL0: false, storageVersion: "0" } as const;
const target = { database: "default", collection: "books_bak" };
const input = { environment: "dr", backupName: "nightly", collections: ["books"], suffix: "_bak" };

async function setUp(ttl = false) {
  const world = new PipelineWorld();
  seedShop(world);
  if (ttl) {
    const d = await world.milvus("prod").describeCollection({ database: "default", collection: "books" });
    world.milvus("prod").addCollection(
      { ...d, properties: [{ key: "collection.ttl.seconds", value: "8640000" }] },
      { partitions: await world.milvus("prod").listPartitions(d.name), segments: await world.milvus("prod").listSegments(d.name),
        indexes: [{ id: "1", fieldName: "vec", indexName: "vec_idx", params: hnsw }] },
    );
  }
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  return world;
}

test("two deployments: false complete", async () => {
  const world = await setUp(true);
  world.milvus("dr").addCollection(collectionDescription("books_bak", { id: "5" }), { segments: [{ ...row, id: "7", rows: 7n }] });
  let b = "";
  const result = await runRestore(world.context(), { ...input, dropExisting: true }, executionOf("a"), { after: async (step: string) => {
    if (step !== "import" || b) return;
    const other = { ...world.context(), work: new MemoryObjectStore("work-b") };
    // deployment B is killed (or is just slow) after it made the collection
    b = await runRestore(other as never, { ...input, dropExisting: true }, executionOf("b"), { after: (s: string) => { if (s === "recreate") throw new PipelineError("MilvusFailed", "B stops here"); } })
      .then(() => "ok", (e: Error) => e.message);
  } } as never);
  console.log("TWO", b, JSON.stringify(result), await world.milvus("dr").rowCount(target), world.milvus("dr").calls.filter((c) => /^(drop|create|rename)/.test(c)));
});

test("altered at same size", async () => {
  const world = await setUp();
  const log = `backup/nightly/binlogs/insert_log/${books.id}/${books.novels}/${books.segments[1]}/${books.segments[1]}/100/1${books.segments[1]}`;
  const text = await world.bucket("bucket-b").getText(log);
  world.bucket("bucket-b").seed(log, "X".repeat(text.length));
  const r = await runRestore(world.context(), input, executionOf("a")).catch((e: Error) => e.message);
  console.log("ALTERED", text.length, JSON.stringify(r));
});

test("skipCreate, done but failed", async () => {
  const world = await setUp();
  world.milvus("dr").addCollection(collectionDescription("books_bak", { id: "5" }), { partitions: [{ id: "1", name: "_default" }, { id: "2", name: "novels" }], segments: [] });
  const probe = await setUp();
  probe.milvus("dr").addCollection(collectionDescription("books_bak", { id: "5" }), { partitions: [{ id: "1", name: "_default" }, { id: "2", name: "novels" }], segments: [] });
  const f = new FaultInjector();
  await runRestore(probe.context(f), { ...input, skipCreate: true }, executionOf("a"));
  const at = f.calls.map((c, i) => [c, i] as const).filter(([c]) => /deletePrefix/.test(c)).at(-1)?.[1] ?? -1;
  console.log("TAIL", f.calls.slice(at - 2));
  const error = await runRestore(world.context(new FaultInjector(at + 1, "before")), { ...input, skipCreate: true }, executionOf("a")).catch((e) => e);
  console.log("FIRST", error.message, JSON.stringify(error.released), await world.milvus("dr").rowCount(target));
  const second = await runRestore(world.context(), { ...input, skipCreate: true }, executionOf("c")).catch((e: Error) => e.message);
  console.log("SECOND", JSON.stringify(second), await world.milvus("dr").rowCount(target));
});
