import { beforeEach, describe, expect, test } from "vitest";
import type { RestoreInput } from "../../../../src/core/execution/messages.ts";
import type { CollectionDescription, SchemaDescription } from "../../../../src/core/milvus/descriptions.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import type { MemoryMilvusOptions } from "../../../support/memory-milvus.ts";
import { array, field, floatVector, int64, varChar } from "../../../support/milvus-fields.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { ExecutionFailed, executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";

const target = { database: "default", collection: "docs_bak" };

/** A collection as Milvus 2.6 has it, to which a field was added. */
const docs = collectionDescription("docs", {
  id: "470000000000000100",
  properties: [
    { key: "max_field_id", value: "106" },
    { key: "collection.ttl.seconds", value: "0" },
  ],
  schema: {
    enableDynamicField: true,
    fields: [
      field("id", int64, { fieldId: "100", isPrimaryKey: true }),
      field("day", varChar, {
        fieldId: "101",
        isClusteringKey: true,
        typeParams: [{ key: "max_length", value: "10" }],
      }),
      field("vec", floatVector, { fieldId: "102", typeParams: [{ key: "dim", value: "4" }] }),
      field("late", int64, { fieldId: "106", nullable: true }),
    ],
    structArrayFields: [
      {
        fieldId: "104",
        name: "clips",
        description: "",
        typeParams: [{ key: "mmap.enabled", value: "true" }],
        nullable: true,
        fields: [field("start", array, { fieldId: "105", elementType: int64 })],
      },
    ],
  },
});

let world: PipelineWorld;

async function backedUp(into: MemoryMilvusOptions = {}, description: CollectionDescription = docs) {
  const milvus = { version: "2.6.11" };
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: { ...milvus, ...into } },
  });
  world.milvus("prod").addCollection(description);
  return runBackup(world.context(), { environment: "prod", backupName: "nightly" });
}

function restore(rest: Partial<RestoreInput> = {}, name = "restore-1") {
  const input = { environment: "dr", backupName: "nightly", suffix: "_bak", ...rest };
  return runRestore(world.context(), input, executionOf(name));
}

const failed = async (running: Promise<unknown>): Promise<ExecutionFailed> => {
  const error = await running.catch((reason: unknown) => reason);
  if (!(error instanceof ExecutionFailed)) throw new Error("the restore was expected to fail");
  return error;
};

const ids = ({ fields, structArrayFields }: SchemaDescription) =>
  [...fields, ...structArrayFields, ...structArrayFields.flatMap((struct) => struct.fields)].map(
    ({ name, fieldId }) => `${name} ${fieldId}`,
  );

describe("a collection to which fields were added", () => {
  beforeEach(() => backedUp());

  test("gets the very field IDs of the binlogs: what the server keeps count of is not sent", async () => {
    await restore();

    const { schema, properties } = await world.milvus("dr").describeCollection(target);
    expect(ids(schema)).toEqual(ids(docs.schema));
    expect(properties).toEqual([{ key: "collection.ttl.seconds", value: "0" }]);
  });

  test("is as it was, with what the format of milvus-backup cannot hold", async () => {
    await restore();

    const { schema } = await world.milvus("dr").describeCollection(target);
    expect(schema).toEqual({ ...docs.schema, name: "docs_bak" });
  });
});

test("a backup says what milvus-backup would lose of it", async () => {
  const { warnings } = await backedUp();

  expect(warnings).toEqual([
    expect.stringMatching(
      /^default\.docs: the format of milvus-backup has no place for is_clustering_key of day, type_params of clips, nullable of clips/,
    ),
  ]);
});

test("a manifest that keeps what this version does not know is not restored without it", async () => {
  await backedUp();
  const bucket = world.bucket("bucket-b");
  const key = bucket.keys("backup/nightly/").find((each) => bucket.read(each)?.includes('"kept"')) ?? "";
  bucket.seed(key, bucket.read(key)?.replace("is_clustering_key", "is_time_travel_key") ?? "");

  const { name, message } = await failed(restore());

  expect(name).toBe("CorruptBackup");
  expect(message).toContain("is_time_travel_key of default.docs, which this version does not know");
});

describe("a server that makes the collection otherwise", () => {
  test.each([
    [
      "another ID of an added field",
      (schema: SchemaDescription) => ({
        fields: schema.fields.map((each, at) => ({ ...each, fieldId: String(100 + at) })),
      }),
      "field late: ID is 106 in the backup and 103 in the target",
    ],
    [
      "a field that may be null no more",
      (schema: SchemaDescription) => ({
        structArrayFields: schema.structArrayFields.map((each) => ({ ...each, nullable: false })),
      }),
      "struct array clips: nullable is yes in the backup and no in the target",
    ],
  ])("is told of, by attribute, before anything is imported: %s", async (_, alter, sentence) => {
    await backedUp({ creates: () => alter(docs.schema) });
    world.milvus("dr").addCollection(collectionDescription("docs_bak", { id: "5" }));

    const { name, message, released } = await failed(restore({ dropExisting: true }));

    expect(name).toBe("SchemaMismatch");
    expect(message).toContain(sentence);
    expect(message).toMatch(
      /default\.docs_bak_restoring_\w+ \(for default\.docs_bak\) in Milvus at dr\.test:19530 is not as the backup has it/,
    );
    expect(released.left).toContain("default.docs_bak_restoring_");
    expect(world.milvus("dr").calls.join()).not.toContain("submitImport");
    expect((await world.milvus("dr").describeCollection(target)).id).toBe("5");
    await restore({ dropExisting: true, discard: true }, "restore-2");
    expect(await world.milvus("dr").listCollections("default")).toEqual(["docs_bak"]);
  });
});

test("a working collection that an earlier run left unfinished is made anew, and then is as it was", async () => {
  let calls = 0;
  // the first one is cut off before its added field is there
  await backedUp({ creates: () => (++calls === 1 ? { fields: docs.schema.fields.slice(0, 3) } : {}) });
  expect((await failed(restore())).name).toBe("SchemaMismatch");

  await restore({}, "restore-2");

  expect((await world.milvus("dr").describeCollection(target)).schema.fields).toHaveLength(4);
});
