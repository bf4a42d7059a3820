import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { RestoreInput } from "../../../../src/core/execution/messages.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { altered } from "../../../support/altered.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import type { MemoryMilvusOptions } from "../../../support/memory-milvus.ts";
import { field, floatVector, int64 } from "../../../support/milvus-fields.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { books, seedShop } from "../../../support/seed-shop.ts";

const layout = backupLayout("backup", "nightly");
const target = { database: "default", collection: "books_bak" };
const timestamptz = 26;
let world: PipelineWorld;

function newWorld(milvus: MemoryMilvusOptions = {}): void {
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus },
  });
}
const backUp = () => runBackup(world.context(), { environment: "prod", backupName: "nightly" });
function restore(rest: Partial<RestoreInput> = {}, name = "restore-1") {
  const input = { environment: "dr", backupName: "nightly", collections: ["books"], suffix: "_bak", ...rest };
  return runRestore(world.context(), input, executionOf(name));
}
const outcome = (running: Promise<unknown>) =>
  running.then(
    (value) => value,
    (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : error),
  );

describe("manifest index altered", () => {
  test("a digit of the instant is altered at the same size: not restored to another instant silently", async () => {
    newWorld();
    seedShop(world);
    await backUp();
    const bucket = world.bucket("bucket-b");
    const text = bucket.read(layout.manifest) ?? "";
    const index = JSON.parse(text);
    const at = index.instants.find((each: { collectionId: string }) => each.collectionId === books.id)
      .timestamp as string;
    // about 300 days earlier; the ISO time beside it and the metas' backup_timestamp say otherwise
    const digit = at[2] === "0" ? "1" : String(Number(at[2]) - 1);
    const altered = `${at.slice(0, 2)}${digit}${at.slice(3)}`;
    bucket.seed(layout.manifest, text.replaceAll(at, altered));

    const result = await outcome(restore());

    const { calls } = world.milvus("dr");
    const ends = calls.some((call) => call.startsWith("submitImport"))
      ? world
          .milvus("dr")
          .submittedImports(target)
          .map(({ end }) => end?.timestamp)
      : [];
    expect({ result, ends }).toMatchObject({ result: expect.stringMatching(/CorruptBackup/), ends: [] });
  });
});

describe("discard, of a backup whose manifest is damaged since", () => {
  test.each([
    ["cut off", (text: string) => text.slice(0, 100)],
    ["of a newer version", (text: string) => text.replace(/"version": \d/, '"version": 9')],
    ["with an instant that is none", (text: string) => text.replace(/"timestamp": "\d+"/, '"timestamp": "7"')],
  ])("%s", async (_, alter) => {
    newWorld();
    seedShop(world);
    await backUp();
    world.milvus("dr").fail("submitImport", new PipelineError("MilvusFailed", "no memory left"), { times: 1 });
    await restore().catch(() => undefined);
    const bucket = world.bucket("bucket-b");
    bucket.seed(layout.manifest, alter(bucket.read(layout.manifest) ?? ""));
    expect((await world.milvus("dr").listCollections("default")).length).toBe(1);

    const result = await outcome(restore({ discard: true }, "restore-2"));

    expect(result).toMatchObject({ outcome: "discarded" });
    expect(await world.milvus("dr").listCollections("default")).toEqual([]);
  });
});

describe("rows that expire by a field (ttl_field, Milvus 2.6)", () => {
  function seed(expiresId: string, properties: { key: string; value: string }[], last: boolean): void {
    newWorld({ version: "2.6.11" });
    const id = field("id", int64, { fieldId: "100", isPrimaryKey: true });
    const vec = field("vec", floatVector, { fieldId: "101", typeParams: [{ key: "dim", value: "4" }] });
    const expires = field("expires", timestamptz, { fieldId: expiresId, nullable: true });
    const segment = { id: books.segments[0], collectionId: books.id, partitionId: books.defaultPartition, rows: 10n };
    world.seedSegment("prod", segment, ["0", "1", "100", "101", "102"]);
    world.milvus("prod").addCollection(
      collectionDescription("books", {
        id: books.id,
        properties,
        schema: { fields: [id, vec, expires], enableDynamicField: last },
      }),
      {
        partitions: [{ id: books.defaultPartition, name: "_default" }],
        segments: [
          {
            ...segment,
            state: "Flushed",
            isL0: false,
            storageVersion: "0",
          },
        ],
      },
    );
    world.milvus("prod").describeSegmentLogs = async () => undefined;
    // Compaction on the target takes three rows that are past their time.
    const dr = world.milvus("dr");
    const count = dr.rowCount.bind(dr);
    dr.rowCount = async (name) => {
      const rows = await count(name);
      return rows > 3n ? rows - 3n : rows;
    };
  }

  test("control: collection.ttl.seconds", async () => {
    seed("102", [{ key: "collection.ttl.seconds", value: "60" }], false);
    await backUp();
    expect(await outcome(restore())).toMatchObject({ outcome: "restored" });
  });

  test("are no mismatch", async () => {
    seed("102", [{ key: "ttl_field", value: "expires" }], false);
    await backUp();
    expect(await outcome(restore())).toMatchObject({ outcome: "restored" });
  });
});

describe("skipCreate into a collection with another number of partitions of its key", () => {
  const schema = {
    fields: [
      field("id", int64, { fieldId: "100", isPrimaryKey: true }),
      field("vec", floatVector, { fieldId: "101", typeParams: [{ key: "dim", value: "4" }] }),
      field("tenant", int64, { fieldId: "102", isPartitionKey: true }),
    ],
  };
  const partitions = (count: number, from: number) =>
    Array.from({ length: count }, (_, at) => ({ id: String(from + at), name: `_default_${at}` }));

  test.each([4, 2, 1])("%i instead of 2", async (count) => {
    newWorld({ version: "2.4.3" });
    const [own] = partitions(2, 900);
    const segment = { id: books.segments[0], collectionId: books.id, partitionId: own?.id ?? "", rows: 10n };
    world.seedSegment("prod", segment, ["0", "1", "100", "101", "102"]);
    world.milvus("prod").addCollection(collectionDescription("books", { id: books.id, schema }), {
      partitions: partitions(2, 900),
      segments: [{ ...segment, state: "Flushed", isL0: false, storageVersion: "0" }],
    });
    await backUp();
    world.milvus("dr").addCollection(collectionDescription("books_bak", { id: "5", schema }), {
      partitions: partitions(count, 700),
    });

    const result = await outcome(restore({ skipCreate: true }));

    const refused = expect.stringMatching(/^SchemaMismatch: .*partitions/);
    expect(result).toEqual(count === 2 ? expect.objectContaining({ outcome: "restored" }) : refused);
  });
});

describe("a database whose limit is below what it has by now", () => {
  test("a restore that has made its collection already goes on", async () => {
    newWorld({ version: "2.4.3" });
    seedShop(world);
    await backUp();
    const dr = world.milvus("dr");
    await dr.createDatabase("shop", [{ key: "database.max.collections", value: "2" }]);
    dr.addCollection(collectionDescription("there", { database: "shop", id: "5" }));
    const into = { renames: { books: "shop.a" } };
    dr.fail("submitImport", new PipelineError("MilvusFailed", "no memory left"), { times: 1 });
    await restore(into).catch(() => undefined);
    const describeDatabase = dr.describeDatabase.bind(dr);
    dr.describeDatabase = async (name) => ({
      ...(await describeDatabase(name)),
      properties: [{ key: "database.max.collections", value: "1" }],
    });

    expect(await outcome(restore(into, "restore-2"))).toMatchObject({ outcome: "restored" });
  });
});

describe("metadataOnly with dropExisting", () => {
  beforeEach(async () => {
    newWorld();
    seedShop(world);
    await backUp();
  });
  test("is refused: what stood there has 1,000 rows, and what replaced it would have none", async () => {
    const dr = world.milvus("dr");
    dr.addCollection(collectionDescription("books_bak", { id: "5" }), {
      partitions: [{ id: "1", name: "_default" }],
      segments: [
        {
          id: "9",
          collectionId: "5",
          partitionId: "1",
          rows: 1000n,
          state: "Flushed",
          isL0: false,
          storageVersion: "0",
        },
      ],
    });
    const result = await outcome(restore({ metadataOnly: true, dropExisting: true }));
    expect(result).toMatch(/metadataOnly excludes dropExisting without keepReplaced/);
    expect(await dr.rowCount(target)).toBe(1000n);
  });
});

describe("an earlier run with verify none imported what was altered", () => {
  test("the next one, with verify content, does not take its imports for what was compared", async () => {
    newWorld();
    seedShop(world);
    await backUp();
    const bucket = world.bucket("bucket-b");
    const log = `${layout.binlogs}insert_log/${books.id}/${books.defaultPartition}/${books.segments[0]}/${books.segments[0]}/100/1${books.segments[0]}`;
    const right = bucket.bytes(log) ?? "";
    bucket.seed(log, altered(bucket, log));
    const dr = world.milvus("dr");
    dr.fail("submitImport", new PipelineError("MilvusFailed", "no memory left"), {
      when: (_, partition) => partition === "novels",
      times: 1,
    });
    // the import into _default ends while the other one fails
    expect(await outcome(restore({ verify: "none" }))).toMatch(/no memory left/);
    bucket.seed(log, right);

    const result = await outcome(restore({ verify: "content" }, "restore-2"));
    expect(result).toMatch(/compared nothing, and verify asks for contents/);
  });
});
