import { beforeEach, describe, expect, test } from "vitest";
import type { CollectionDescription } from "../../../../src/core/milvus/descriptions.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { field, int64 } from "../../../support/milvus-fields.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";

const input = { environment: "prod", backupName: "nightly" };
let world: PipelineWorld;

beforeEach(() => {
  const milvus = { version: "2.6.12" };
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus },
  });
  add(collectionDescription("books", { id: "5" }));
});

function add(description: CollectionDescription): void {
  world.milvus("prod").addCollection(description);
}

describe("what no backup carries of a collection", () => {
  beforeEach(() => {
    add(collectionDescription("docs", { id: "6", notCarried: ["file_resource_ids of CollectionSchema"] }));
    world.milvus("prod").beyond.set("default.docs", ["its 3 replicas (one is loaded)"]);
  });

  test("is told when it is backed up, and again when it is restored, by anybody who has the backup", async () => {
    const { warnings } = await runBackup(world.context(), input);

    expect(warnings).toEqual([
      "default.docs: neither this pipeline nor milvus-backup carries file_resource_ids of CollectionSchema, its 3 replicas (one is loaded): a restore " +
        "makes the collection without it",
    ]);
    const restored = await runRestore(world.context(), { environment: "dr", backupName: "nightly", suffix: "_bak" });
    expect("warnings" in restored ? restored.warnings : []).toContainEqual(
      expect.stringMatching(/^default\.docs had, when it was backed up, what no backup carries: file_resource_ids/),
    );
  });

  test("is not told of collections that are not restored", async () => {
    await runBackup(world.context(), input);
    const books = { environment: "dr", backupName: "nightly", suffix: "_bak", collections: ["books"] };

    const restored = await runRestore(world.context(), books);

    expect(JSON.stringify("warnings" in restored ? restored.warnings : [])).not.toContain("no backup carries");
  });
});

test("what a restore into the same Milvus would refuse is told when it is backed up, in the words of the restore", async () => {
  const { schema } = collectionDescription("docs");
  const molecule = field("mol", 27, { fieldId: "102" });
  const apart = field("late", int64, { fieldId: "105" });
  add(collectionDescription("docs", { id: "6", schema: { fields: [...schema.fields, molecule] } }));
  add(collectionDescription("gap", { id: "7", schema: { fields: [...schema.fields, apart] } }));

  const { warnings } = await runBackup(world.context(), input);

  expect(warnings).toEqual([
    "default.docs is backed up, and this version of the pipeline will not restore it: field mol has data type 27, which is not known",
    expect.stringMatching(/^default\.gap is backed up, .*field late has ID 105, which a new collection cannot give it/),
  ]);
  const failed = await runRestore(world.context(), { environment: "dr", backupName: "nightly" }).catch(
    (error) => error,
  );
  expect(failed).toMatchObject({ name: "UnsupportedByTarget" });
  expect(failed.message).toContain("field mol has data type 27, which is not known");
});

describe("a collection of which a backup would save half", () => {
  const external = collectionDescription("lake", { id: "6", schema: { externalSource: "s3://lake/docs/?key=s3cret" } });
  const spaces = collectionDescription("rooms", { id: "7", schema: { enableNamespace: true } });

  test("is refused by name before anything is written, flushed or paused, with all others like it", async () => {
    add(external);
    add(spaces);

    const failed = await runBackup(world.context(), input).catch((error) => error);

    expect(failed).toMatchObject({ name: "UnsupportedData" });
    expect(failed.message).toMatch(
      /default\.lake is an external collection.*default\.rooms has namespaces.*nothing was backed up\. Name the other collections/,
    );
    expect(failed.message).not.toContain("s3cret");
    expect(world.bucket("bucket-b").keys()).toEqual([]);
    const calls = world.milvus("prod").calls.join("\n");
    expect(calls).not.toMatch(/flush|pauseGarbageCollection/);
  });

  test("is in nobody's way who does not want it", async () => {
    add(external);

    const result = await runBackup(world.context(), { ...input, collections: ["books"] }, executionOf("other"));

    expect(result).toMatchObject({ outcome: "backed-up", collections: 1 });
  });
});

describe("a user who was granted something about some collections only", () => {
  const hidden = expect.stringMatching(/^Milvus lists for user .* only collections that one of its roles was granted/);

  test.each([
    ["everything", undefined],
    ["a database", ["default.*"]],
  ])("is told, of a backup of %s, that the others are not in it", async (_, collections) => {
    world.milvus("prod").onlyGranted = true;

    const { warnings } = await runBackup(world.context(), { ...input, ...(collections && { collections }) });

    expect(warnings).toContainEqual(hidden);
  });

  test("is told nothing of the collections that a backup names", async () => {
    world.milvus("prod").onlyGranted = true;

    expect((await runBackup(world.context(), { ...input, collections: ["books"] })).warnings).toEqual([]);
  });
});
