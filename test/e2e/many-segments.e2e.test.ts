import { ConsistencyLevelEnum, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ManySegments, manyWithDeletes, seedSegments, vectorField } from "../../bench/many-segments.ts";
import { countRows } from "../../local/milvus-client.ts";
import { timesOf } from "../../measure/pipeline-run.ts";
import { textTable } from "../../measure/text-table.ts";
import { seconds } from "../../measure/times-table.ts";
import { parseLogKey } from "../../src/core/format/layout.ts";
import { type BackupDocument, configs, milvusBackupJson, type RestoreDocument } from "../support/e2e/cli.ts";
import { executionFiles } from "../support/e2e/executions.ts";
import { connectToServer, dropCollections, must } from "../support/e2e/milvus.ts";
import { deletePrefix } from "../support/e2e/objects.ts";
import { makeReadable } from "../support/e2e/snapshot.ts";

const source = { collection: "many_segments" };
const rowsPerQuery = 10_000;
const fieldIds = ["0", "1", "100", "101", "102"];

/** A consistent cut, and a backup of which nobody knows the instant: there the keys tell that each segment deletes its own rows only. */
const backups = [
  { name: "many_segments", options: [], target: { collection: "many_segments_bak" } },
  {
    name: "many_segments_uncut",
    options: ["--strategy", "skip_flush"],
    target: { collection: "many_segments_uncut" },
  },
] as const;

const a = await connectToServer("milvus-a");
const b = await connectToServer("milvus-b");

describe("a collection of 80 small segments, half of them with deletes", () => {
  let seeded: ManySegments;
  const created = new Map<string, BackupDocument>();

  beforeAll(async () => {
    seeded = await seedSegments(a, source.collection, manyWithDeletes);
    for (const { name, options } of backups) {
      await deletePrefix("bucket-b", `backup/${name}/`);
      const args = ["create", ...options, "-c", source.collection, "-n", name];
      created.set(name, await milvusBackupJson("--config", configs.a, ...args));
    }
    // last: what has an index is compacted
    await makeReadable(a, source, vectorField);
  });
  afterAll(() => dropCollections(a, source.collection));

  describe.each(backups)("backup $name", ({ name, target }) => {
    let restored: RestoreDocument;

    beforeAll(async () => {
      await dropCollections(b, target.collection);
      const rename = `${source.collection}:${target.collection}`;
      restored = await milvusBackupJson(
        "--config",
        configs.b,
        "restore",
        "-r",
        rename,
        "-n",
        name,
        "--verify",
        "content",
      );
      await printTimes(`restore of ${seeded.rows} rows`, restored.executionArn);
    });
    afterAll(async () => {
      await Promise.all([dropCollections(b, target.collection), deletePrefix("bucket-b", `backup/${name}/`)]);
    });

    test("every segment is backed up, with every file, and every file of it is read and compared", () => {
      const objects = seeded.objects + seeded.segments / 2;
      expect(created.get(name)).toMatchObject({ segments: seeded.segments, objects });
      expect(restored.staged).toMatchObject({ segments: seeded.segments, objects });
      expect(restored.warnings.filter((warning) => !warning.includes("does not say at which instant"))).toEqual([]);
    });

    test("what belongs together is put together, and imported as one", async () => {
      const receipts = await executionFiles("restore", restored.executionArn).receipts();
      const merged = receipts.flatMap(({ merged = [] }) => merged.map(({ key }) => parseLogKey(key)));

      const ofFields = merged.filter((log) => log?.kind === "insert").map((log) => log?.fieldId);
      expect(ofFields.sort()).toEqual(fieldIds);
      expect(merged.filter((log) => log?.kind === "delta")).toHaveLength(1);
      expect(await segmentsOf(target.collection)).toBeLessThan(seeded.segments / 8);
    });

    test("every row and vector is there, and no deleted one", async () => {
      await makeReadable(b, target, vectorField);

      let found = 0;
      for (let from = 0; from < seeded.rows; from += rowsPerQuery) {
        const rows = await rowsFrom(b, target.collection, from);
        expect(rows).toEqual(await rowsFrom(a, source.collection, from));
        found += rows.length;
      }
      expect(found).toBe(seeded.rows - seeded.deleted);
      expect(await countRows(b, target.collection)).toBe(seeded.rows - seeded.deleted);
    });
  });

  /** How many segments a collection has in Milvus B. */
  async function segmentsOf(collection: string): Promise<number> {
    const { infos } = await b.getPersistentSegmentInfo({ collectionName: collection });
    return infos.length;
  }
});

/** Rows by their IDs, in order; Milvus answers a query with 16,384 rows at most. */
async function rowsFrom(client: MilvusClient, collection_name: string, from: number): Promise<unknown[]> {
  const { data } = await must(
    client.query({
      collection_name,
      filter: `id >= ${from} and id < ${from + rowsPerQuery}`,
      output_fields: ["*"],
      consistency_level: ConsistencyLevelEnum.Strong,
    }),
  );
  return data.sort((one, other) => Number(one.id) - Number(other.id));
}

/** Figures for whoever reads the log; nothing is held against them. */
async function printTimes(what: string, executionArn: string): Promise<void> {
  const { states, milliseconds } = await timesOf(executionArn);
  const rows = states.map((time) => [time.state, seconds(time.milliseconds)]);
  console.log(textTable([what, ""], [...rows, ["in all", seconds(milliseconds)]]));
}
