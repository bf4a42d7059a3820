import { describe, expect, it, test } from "vitest";
import { rowFields } from "../../../../src/core/binlog/row-fields.ts";
import type { ExportInput } from "../../../../src/core/execution/messages.ts";
import { backupInfo } from "../../../../src/core/format/meta.ts";
import { parseFile } from "../../../../src/core/format/meta-codec.ts";
import { exportedRows, exportManifestIn } from "../../../support/exported.ts";
import { goldenFiles, seedGolden } from "../../../support/golden-backup.ts";
import { asAnswered, goldenRows } from "../../../support/golden-rows.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { type SeededCollection, sealRows, seedRows } from "../../../support/row-backup.ts";
import { executionOf, runExport } from "../../../support/run-machines.ts";

const destination = "s3://lake/out";

function inputOf(format: ExportInput["format"], more: Partial<ExportInput> = {}): ExportInput {
  return { environment: "prod", backupName: "shop", destination, ...(format && { format }), ...more };
}

function worldOf(collection: SeededCollection): PipelineWorld {
  const world = new PipelineWorld();
  seedRows(world.bucket("bucket-b"), "shop", collection);
  return world;
}

async function keysOf(collection: SeededCollection, format: ExportInput["format"] = "parquet"): Promise<unknown[]> {
  const world = worldOf(collection);
  await runExport(world.context(), inputOf(format));
  return exportedRows(world.bucket("lake"), "out", "default.coll").map(({ row }) => Number(row.id));
}

describe("the golden backup", () => {
  const { collection_backups } = parseFile(backupInfo, goldenFiles.full_meta, "full_meta.json").value;
  const fieldsOf = new Map(
    collection_backups.map((one) => [`${one.db_name || "default"}.${one.collection_name}`, one.schema]),
  );
  const world = new PipelineWorld();
  seedGolden(world.bucket("bucket-b"), "golden");
  const golden = (format: ExportInput["format"]) => ({
    ...inputOf(format),
    backupName: "golden",
    destination: `s3://lake/${format}`,
  });

  it("is reproduced by lines of JSON alone", async () => {
    const result = await runExport(world.context(), golden("jsonl"), executionOf("jsonl"));

    for (const [name, expected] of Object.entries(goldenRows)) {
      const schema = fieldsOf.get(name);
      if (schema === undefined) throw new Error(`no schema of ${name}`);
      const partitioned = expected.rows.some((row) => "_partition" in row);
      const found = exportedRows(world.bucket("lake"), "jsonl", name).map(({ row, partition }) => ({
        ...asAnswered(row, rowFields(schema)),
        ...(partitioned && { _partition: partition }),
      }));
      expect(byKey(found, expected.primaryKey)).toEqual(byKey(expected.rows, expected.primaryKey));
    }
    const rows = Object.values(goldenRows).reduce((sum, one) => sum + one.rows.length, 0);
    expect(result).toMatchObject({
      outcome: "exported",
      format: "jsonl",
      collections: Object.keys(goldenRows).length,
      rows,
    });
  });

  it.each(["parquet", "arrow"] as const)(
    "has the same rows as %s: keys exact, vectors as lists of numbers, JSON as text",
    async (format) => {
      await runExport(world.context(), golden(format), executionOf(format));

      const rows = exportedRows(world.bucket("lake"), format, "default.all_types");
      const expected = goldenRows["default.all_types"]?.rows ?? [];
      expect(rows).toHaveLength(expected.length);
      const found = new Map(rows.map(({ row, partition }) => [String(row.id), { row, partition }]));
      for (const one of expected) {
        const { row, partition } = found.get(String(one.id)) ?? { row: {}, partition: "" };
        expect(partition).toBe(one._partition);
        expect({
          vec: row.vec,
          i8: row.i8,
          flag: row.flag,
          title: row.title,
          f: row.f,
          d: row.d,
          tags: row.tags,
        }).toEqual({
          ...{ vec: one.vec, i8: one.i8, flag: one.flag, title: one.title, f: one.f, d: one.d, tags: one.tags },
        });
        expect(row.i64).toBe(BigInt(String(one.i64)));
        expect((row.nums as bigint[]).map(String)).toEqual(one.nums);
        expect(JSON.parse(String(row.meta))).toEqual(one.meta);
        expect(JSON.parse(String(row.$meta))).toMatchObject({ extra_str: one.extra_str });
      }
    },
  );
});

function byKey(rows: readonly Record<string, unknown>[], key: string): Record<string, unknown>[] {
  return rows.toSorted((a, b) => (String(a[key]) < String(b[key]) ? -1 : 1));
}

describe("which rows", () => {
  test("a delete takes the older rows of its key, from its own segment's log or an L0 segment of the partition or of all", async () => {
    const rows = [1, 2, 3, 4, 5, 6].map((id) => ({ id, at: 10 }));
    const segments: SeededCollection["segments"] = [
      {
        id: 1,
        batches: [rows],
        deletes: [
          [1, 20],
          [2, 10],
        ],
      },
      { id: 2, isL0: true, deletes: [[3, 20]] },
      {
        id: 3,
        isL0: "all",
        deletes: [
          [4, 20],
          [5, 10],
        ],
      },
      { id: 4, isL0: true, partition: "other", deletes: [[6, 20]] },
    ];

    expect(await keysOf({ segments, until: 100 })).toEqual([2, 5, 6]);
  });

  test("what was written or deleted after the instant is not there, and counted as left out", async () => {
    const world = worldOf({
      segments: [
        {
          id: 1,
          batches: [
            [
              { id: 1, at: 10 },
              { id: 2, at: 60 },
              { id: 3, at: 10 },
            ],
          ],
          deletes: [[3, 70]],
        },
      ],
      until: 50,
    });

    const result = await runExport(world.context(), inputOf("jsonl"));

    expect(exportedRows(world.bucket("lake"), "out", "default.coll").map(({ row }) => row.id)).toEqual([1n, 3n]);
    expect(result).toMatchObject({ rows: 2, leftOut: 1, files: 1 });
    // of a manifest without a list of objects
    expect(result.warnings).toEqual([expect.stringContaining("4 logs could not be compared")]);
    expect(exportManifestIn(world.bucket("lake"), "out").collections[0]?.instant).toBeDefined();
  });

  test("a backup without instant and manifest is exported as it lies there, which is said", async () => {
    const world = worldOf({ segments: [{ id: 1, batches: [[{ id: 1, at: 10 }]] }] });

    const { warnings } = await runExport(world.context(), inputOf("parquet"));

    expect(warnings.join("\n")).toContain("has no manifest");
    expect(warnings.join("\n")).toContain("does not say at which instant default.coll was taken");
  });

  test("segments of one partition share a file, and partitions have folders of their own", async () => {
    const world = worldOf({
      segments: [
        { id: 1, batches: [[{ id: 1, at: 1 }], [{ id: 2, at: 1 }]] },
        { id: 2, batches: [[{ id: 3, at: 1 }]] },
        { id: 3, partition: "hot", batches: [[{ id: 4, at: 1 }]] },
      ],
      until: 5,
    });

    await runExport(world.context(), inputOf("arrow"));

    const files = exportManifestIn(world.bucket("lake"), "out").collections.flatMap((one) => one.files);
    expect(files.map(({ file, partition, rows }) => [file.replace(/part-.*-/, ""), partition, rows])).toEqual([
      ["default.coll/milvus_partition=_default/0000.arrow", "_default", 3],
      ["default.coll/milvus_partition=hot/0001.arrow", "hot", 1],
    ]);
  });

  test("a field that was added later has what rows of before have", async () => {
    const world = worldOf({
      segments: [{ id: 1, batches: [[{ id: 1, at: 1 }]], withoutText: true }],
      until: 5,
      textNullable: true,
    });

    await runExport(world.context(), inputOf("parquet"));

    expect(exportedRows(world.bucket("lake"), "out", "default.coll")).toEqual([
      { partition: "_default", row: { id: 1n, text: null } },
    ]);
  });

  test("an empty collection has no folder, and stands in the manifest", async () => {
    const world = worldOf({ segments: [], until: 5 });

    expect(await runExport(world.context(), inputOf("parquet"))).toMatchObject({ rows: 0, files: 0, collections: 1 });

    expect(exportManifestIn(world.bucket("lake"), "out").collections).toMatchObject([
      { collection: "default.coll", rows: 0, files: [] },
    ]);
  });
});

describe("where it goes", () => {
  const world = () => worldOf({ segments: [{ id: 1, batches: [[{ id: 1, at: 1 }]] }], until: 5 });

  test.each([
    ["s3://lake", "no place for an export"],
    ["lake/out", "use s3://bucket/folder"],
    ["s3://lake/a//b", "no place for an export"],
    ["gs://lake/out", "use s3://bucket/folder"],
    ["s3://bucket-b/backup/shop/export", "the backups of environment prod"],
    ["s3://bucket-a/files", "the data of environment prod's Milvus"],
    ["s3://bucket-b/milvus-backup-staging/x", "are kept"],
  ])("%s is refused, and nothing is written", async (to, why) => {
    const there = world();

    await expect(runExport(there.context(), inputOf("parquet", { destination: to }))).rejects.toThrow(why);

    expect(there.bucket("lake").keys("")).toEqual([]);
  });

  test("a folder that holds something is refused and left alone", async () => {
    const there = world();
    there.bucket("lake").seed("out/letter.txt", "mine");

    await expect(runExport(there.context(), inputOf("parquet"))).rejects.toThrow("s3://lake/out/ holds letter.txt");

    expect(there.bucket("lake").keys("")).toEqual(["out/letter.txt"]);
  });

  test("so is one with a complete export", async () => {
    const there = world();
    await runExport(there.context(), inputOf("parquet"));
    const before = there.bucket("lake").keys("");

    await expect(runExport(there.context(), inputOf("parquet"), executionOf("again"))).rejects.toThrow(
      "an export that is complete",
    );

    expect(there.bucket("lake").keys("")).toEqual(before);
  });

  test("the store of another environment gets it", async () => {
    const there = world();

    await runExport(there.context(), inputOf("jsonl", { toEnvironment: "dr" }));

    expect(exportManifestIn(there.bucket("lake"), "out").rows).toBe(1);
  });

  test.each([
    [{ transfer: ["dr"] }, "environment prod is not among allowedEnvironments.transfer"],
    [{ read: ["dr"] }, "environment prod is not among allowedEnvironments.read"],
  ])("what the deployment does not allow is refused (%j)", async (allowed, why) => {
    const there = world();
    there.allowed = allowed;

    await expect(runExport(there.context(), inputOf("parquet"))).rejects.toThrow(why);
  });

  test("what is no collection of the backup is named, with what there is", async () => {
    await expect(runExport(world().context(), inputOf("parquet", { collections: ["other"] }))).rejects.toThrow(
      "there is no collection default.other in backup shop",
    );
  });
});

describe("what was backed up", () => {
  test("rows of packed Parquet are refused by name before anything is written", async () => {
    const world = worldOf({ segments: [{ id: 7, batches: [[{ id: 1, at: 1 }]], storageVersion: 2 }], until: 5 });

    await expect(runExport(world.context(), inputOf("parquet"))).rejects.toThrow("segment 7 is stored in version 2");

    expect(world.bucket("lake").keys("")).toEqual([]);
  });

  test("a log that is missing ends it, the folder is no export, and the backup is free again", async () => {
    const world = worldOf({ segments: [{ id: 7, batches: [[{ id: 1, at: 1 }]] }], until: 5 });
    const [log = ""] = world.bucket("bucket-b").keys("backup/shop/binlogs/insert_log/100/200/7/7/101/");
    world.bucket("bucket-b").remove(log);

    await expect(runExport(world.context(), inputOf("parquet"))).rejects.toThrow(`${log} is missing`);

    expect(world.bucket("lake").keys("")).toEqual(["out/_milvus-backup-claim.json"]);
    expect(world.work.keys("readers/")).toEqual([]);
  });

  test("a backup that is replaced meanwhile is no export", async () => {
    const world = worldOf({ segments: [{ id: 7, batches: [[{ id: 1, at: 1 }]] }], until: 5 });
    const after = (step: string) => {
      if (step === "copy") seedRows(world.bucket("bucket-b"), "shop", { segments: [], until: 6 });
    };

    await expect(runExport(world.context(), inputOf("parquet"), undefined, { after })).rejects.toThrow(
      "was replaced while it was exported",
    );

    expect(
      world
        .bucket("lake")
        .keys("")
        .filter((key) => key.includes("export.json")),
    ).toEqual([]);
  });

  test("metas that were changed since the manifest was written end it before anything is written", async () => {
    const segments = [1, 2].map((id) => ({ id, batches: [[{ id, at: 1 }]] }));
    const world = worldOf({ segments, until: 5 });
    const bucket = world.bucket("bucket-b");
    await sealRows(bucket, "shop", 5);
    const sealed = bucket.read("backup/shop/milvus-backup-manifest.json") ?? "";
    // the same backup, with one segment less
    seedRows(bucket, "shop", { segments: segments.slice(0, 1), until: 5 });
    bucket.seed("backup/shop/milvus-backup-manifest.json", sealed);

    await expect(runExport(world.context(), inputOf("jsonl"))).rejects.toThrow(/full_meta\.json .* was changed since/);

    expect(world.bucket("lake").keys("")).toEqual([]);
  });

  test.each([
    ["fewer rows than the metas say", { batches: [[{ id: 1, at: 1 }]], claimedRows: 2 }, "1 rows in its logs, and 2"],
    [
      "more",
      {
        batches: [
          [
            { id: 1, at: 1 },
            { id: 2, at: 1 },
          ],
        ],
        claimedRows: 1,
      },
      "2 rows in its logs, and 1",
    ],
    ["no logs at all", { batches: [], claimedRows: 3 }, "0 rows in its logs, and 3"],
    [
      "fewer, all of them deleted",
      { batches: [[{ id: 1, at: 1 }]], deletes: [[1, 2]] as const, claimedRows: 2 },
      "1 rows in its logs, and 2",
    ],
  ])("a segment with %s is no export: nobody would know what is missing", async (_, segment, why) => {
    const world = worldOf({ segments: [{ id: 7, ...segment }], until: 5 });

    await expect(runExport(world.context(), inputOf("jsonl"))).rejects.toThrow(`segment 7 has ${why} in the metas`);

    expect(world.bucket("lake").keys("")).toEqual(["out/_milvus-backup-claim.json"]);
  });
});
