import { expect, test } from "vitest";
import { checkMilvus } from "../../../../src/steps/check/check-milvus.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { MemoryMilvus } from "../../../support/memory-milvus.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { books, seedShop } from "../../../support/seed-shop.ts";

test.each([
  [{}, true],
  [{ restPort: 8080 }, false],
  [{ restAddress: "rest.internal" }, false],
])("a REST interface that does not answer where %o says is wrong only where somebody said so", async (given, ok) => {
  const milvus = new MemoryMilvus({ version: "2.6.8", restClosed: true });

  const results = await checkMilvus(
    milvusEnvironment(19530, { milvus: given }),
    (use) => use(milvus),
    async () => new MemoryObjectStore("bucket-a"),
  );

  expect(results.find(({ check }) => check === "milvus rest")).toMatchObject({
    ok,
    detail: expect.stringMatching(/imports go over gRPC.*milvus\.restAddress and milvus\.restPort/),
  });
});

async function dataOf(world: PipelineWorld, given: { readonly bucket?: string; readonly rootPath?: string }) {
  const environment = world.environment("prod");
  const { bucket = environment.storage.bucket, rootPath = environment.storage.rootPath } = given;
  const results = await checkMilvus(
    { ...environment, storage: { ...environment.storage, rootPath } },
    (use) => use(world.milvus("prod")),
    async () => world.bucket(bucket),
  );
  return results.find(({ check }) => check === "milvus data");
}

test("rows that lie where the environment says are said to", async () => {
  const world = new PipelineWorld();
  seedShop(world);

  expect(await dataOf(world, {})).toMatchObject({ ok: true, detail: expect.stringContaining("default.books") });
});

test.each([[{ rootPath: "other" }], [{ bucket: "bucket-b" }]])(
  "a place without Milvus's rows is wrong: %o",
  async (given) => {
    const world = new PipelineWorld();
    seedShop(world);

    expect(await dataOf(world, given)).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/30 flushed rows of default\.books.*minio\.bucketName and minio\.rootPath/),
    });
  },
);

test("a Milvus without flushed rows, and a bucket that cannot be read, are no word about where rows lie", async () => {
  const world = new PipelineWorld();
  seedShop(world);
  world.milvus("prod").setSegments({ database: "default", collection: "books" }, []);

  expect(await dataOf(world, {})).toEqual({
    check: "milvus data",
    ok: true,
    detail: "not tried: Milvus lists no flushed rows",
  });
});

test("of collections that are not looked at nothing is said", async () => {
  const world = new PipelineWorld();
  seedShop(world);
  for (let at = 0; at < 20; at += 1) {
    world.milvus("prod").addCollection(collectionDescription(`a${at}`, { id: `9${at}` }));
  }

  expect(await dataOf(world, { rootPath: "other" })).toMatchObject({
    ok: true,
    detail: "not tried: Milvus lists no flushed rows of the first 20 of its 22 collections",
  });
});

test("what compaction or a drop took between the two looks is no wrong place", async () => {
  const world = new PipelineWorld();
  seedShop(world);
  const bucket = world.bucket("bucket-a");
  const list = bucket.list.bind(bucket);
  bucket.list = (prefix, options) => {
    for (const id of books.segments) world.collectSegment("prod", books.id, id);
    world.milvus("prod").setSegments({ database: "default", collection: "books" }, []);
    return list(prefix, options);
  };

  expect(await dataOf(world, {})).toMatchObject({ ok: true });
});
