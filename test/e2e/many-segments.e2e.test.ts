import { ConsistencyLevelEnum, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { beforeAll, describe, expect, test } from "vitest";
import { type ManySegments, manySegments, seedSegments, vectorField } from "../../bench/many-segments.ts";
import { countRows } from "../../local/milvus-client.ts";
import { timesOf } from "../../measure/pipeline-run.ts";
import { textTable } from "../../measure/text-table.ts";
import { seconds } from "../../measure/times-table.ts";
import { type BackupDocument, configs, milvusBackupJson, type RestoreDocument } from "../support/e2e/cli.ts";
import { connectToServer, dropCollections, must } from "../support/e2e/milvus.ts";
import { deletePrefix } from "../support/e2e/objects.ts";
import { makeReadable } from "../support/e2e/snapshot.ts";

const source = { collection: "many_segments" };
const target = { collection: "many_segments_bak" };
const backup = "many_segments";
const rowsPerQuery = 10_000;

describe("a collection of 80 small segments", async () => {
  const a = await connectToServer("milvus-a");
  const b = await connectToServer("milvus-b");
  let seeded: ManySegments;
  let created: BackupDocument;
  let restored: RestoreDocument;

  beforeAll(async () => {
    await Promise.all([dropCollections(b, target.collection), deletePrefix("bucket-b", `backup/${backup}/`)]);
    seeded = await seedSegments(a, source.collection, manySegments);
    created = await milvusBackupJson("--config", configs.a, "create", "-c", source.collection, "-n", backup);
    restored = await milvusBackupJson(
      ...["--config", configs.b, "restore", "-c", source.collection, "-n", backup, "-s", "_bak"],
    );
    await printTimes(`backup of ${created.segments} segments, ${created.objects} objects`, created.executionArn);
    await printTimes(`restore of ${seeded.rows} rows`, restored.executionArn);
  });

  test("every segment is backed up, with every file", () => {
    expect(created).toMatchObject({ segments: seeded.segments, objects: seeded.objects });
  });

  test("its segments are staged and imported together", async () => {
    expect(restored.staged).toMatchObject({ segments: seeded.segments, objects: seeded.objects });
    expect(await segmentsOf(target.collection)).toBeLessThan(seeded.segments / 8);
  });

  test("every row and vector is there", async () => {
    await makeReadable(a, source, vectorField);
    await makeReadable(b, target, vectorField);

    for (let from = 0; from < seeded.rows; from += rowsPerQuery) {
      const rows = await rowsFrom(b, target.collection, from);
      expect(rows).toHaveLength(Math.min(rowsPerQuery, seeded.rows - from));
      expect(rows).toEqual(await rowsFrom(a, source.collection, from));
    }
    expect(await countRows(b, target.collection)).toBe(seeded.rows);
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
