import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { paginateListObjectsV2, type S3Client } from "@aws-sdk/client-s3";
import { DataType, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { backupPlace, backupYaml, s3Client } from "../local/index.ts";
import { answered, connectClient } from "../local/milvus-client.ts";
import { localDir } from "../local/paths.ts";
import { logFileOf } from "../local/tool.ts";
import { type CompactingServer, startCompactingServer } from "../measure/compacting-server.ts";
import { milvusBackup } from "../measure/milvus-backup.ts";
import { withStack } from "../measure/with-stack.ts";
import { removeAll } from "./made-backup.ts";
import type { BenchOptions } from "./options.ts";
import { runRival } from "./rival.ts";

/** One night of one way to back up. */
interface Night {
  /** From 1. */
  readonly day: number;
  /** Bytes that all backups of this way take in the store by then. */
  readonly storedBytes: number;
  /** Of the command, from start to end of its process. */
  readonly milliseconds: number;
}

/** Thirty nights of one way to back up. */
export interface Nightlies {
  readonly tool: "plain" | "incremental" | "milvus-backup";
  readonly nights: readonly Night[];
}

export interface NightliesResult {
  /** At the beginning. */
  readonly rows: number;
  readonly segments: number;
  readonly series: readonly Nightlies[];
}

const collection_name = "bench_nightlies";
const days = 30;
const daysOfCompaction = 7;
const shards = 2;
const flushes = 10;
const rowsPerFlush = 10_000;
const rows = flushes * rowsPerFlush;
const dimension = 32;
const compactionMilliseconds = 5 * 60_000;
const newRows = rows / 100;
const deletedRows = rows / 200;

/** A way to back up: where it stores, and its command. */
interface Way {
  readonly tool: Nightlies["tool"];
  readonly rootPath: string;
  create(day: number): Promise<number>;
}

/**
 * Backs a collection up thirty times in each way, with 1 percent of new rows and 0.5 percent of deletes a day and a compaction a week, and
 * measures after each night what lies in the store. What it made is removed.
 */
export async function runNightlies(options: BenchOptions): Promise<NightliesResult> {
  const { say, signal } = options;
  return withStack(options, async () => {
    const server = await startCompactingServer({
      name: "bench-nightlies",
      port: 19680,
      signal,
      overrides: { "dataCoord.compaction.enableAutoCompaction": false },
    });
    const s3 = s3Client();
    let client: MilvusClient | undefined;
    let ways: readonly Way[] = [];
    try {
      client = await connectClient(server.address);
      ways = await waysOf(server, options);
      for (const { rootPath } of ways) await removeAll(s3, backupPlace.bucket, `${rootPath}/`);
      say("seeding");
      await seed(client);
      const series = ways.map(({ tool }) => ({ tool, nights: [] as Night[] }));
      for (let day = 1; day <= days; day += 1) {
        if (day > 1) await live(client, day);
        // The first of a night has the day's rows to flush: each way is that one in turn.
        for (let turn = 0; turn < ways.length; turn += 1) {
          const index = (day + turn) % ways.length;
          const way = ways[index];
          if (way === undefined) continue;
          signal.throwIfAborted();
          const milliseconds = await way.create(day);
          series[index]?.nights.push({ day, storedBytes: await storedBytes(s3, way.rootPath), milliseconds });
        }
        say(`night ${day} of ${days}`);
      }
      return { rows, segments: flushes * shards, series };
    } finally {
      for (const { rootPath } of ways) await removeAll(s3, backupPlace.bucket, `${rootPath}/`);
      s3.destroy();
      await client?.closeConnection();
      await server.stop();
    }
  });
}

async function waysOf(server: CompactingServer, { rival, signal }: BenchOptions): Promise<Way[]> {
  const place = async (tool: Nightlies["tool"]) => {
    const rootPath = `bench-nightlies/${tool}`;
    const file = join(localDir, `bench-nightlies-${tool}.yaml`);
    const backups = { backupBucket: backupPlace.bucket, backupRootPath: rootPath };
    await writeFile(file, backupYaml({ ...server.service, ...backups, logFile: logFileOf(`bench-nightlies-${tool}`) }));
    return { tool, rootPath, file };
  };
  const ours = async (tool: "plain" | "incremental", args: readonly string[]): Promise<Way> => {
    const { file, ...where } = await place(tool);
    return {
      ...where,
      async create(day) {
        const began = performance.now();
        const name = `night_${day}`;
        await milvusBackup(
          ["--config", file, "create", ...args, "-c", collection_name, "-n", name, "--quiet", "--replace"],
          {
            signal,
          },
        );
        return performance.now() - began;
      },
    };
  };
  const ways = [await ours("plain", []), await ours("incremental", ["--incremental"])];
  if (rival === undefined) return ways;
  const { file, ...where } = await place("milvus-backup");
  const create = (day: number) =>
    runRival(rival, ["--config", file, "create", "-c", collection_name, "-n", `night_${day}`], signal);
  return [...ways, { ...where, create }];
}

async function seed(client: MilvusClient): Promise<void> {
  const fields = [
    { name: "id", data_type: DataType.Int64, is_primary_key: true },
    { name: "title", data_type: DataType.VarChar, max_length: 64 },
    { name: "embedding", data_type: DataType.FloatVector, dim: dimension },
  ];
  await answered("creating", client.createCollection({ collection_name, fields, shards_num: shards }));
  for (let flush = 0; flush < flushes; flush += 1) {
    await insert(client, flush * rowsPerFlush, rowsPerFlush);
    await answered("flushing", client.flushSync({ collection_names: [collection_name] }));
  }
  const index = { index_type: "FLAT", metric_type: "L2", field_name: "embedding", index_name: "embedding" };
  await answered("indexing", client.createIndex({ collection_name, ...index }));
  await answered("loading", client.loadCollectionSync({ collection_name }));
}

/** One day: new rows, deletes of others, and at the end of a week a compaction. */
async function live(client: MilvusClient, day: number): Promise<void> {
  await insert(client, rows + day * newRows, newRows);
  const first = day * deletedRows;
  const ids = Array.from({ length: deletedRows }, (_, index) => first + index * 3);
  await answered("deleting", client.deleteEntities({ collection_name, filter: `id in [${ids.join(",")}]` }));
  if (day % daysOfCompaction !== 0) return;
  await answered("flushing", client.flushSync({ collection_names: [collection_name] }));
  const { compactionID } = await answered("compacting", client.compact({ collection_name }));
  for (const until = performance.now() + compactionMilliseconds; performance.now() < until; ) {
    const { state } = await answered("looking at the compaction", client.getCompactionState({ compactionID }));
    if (String(state) === "Completed" || Number(state) === 2) return;
    await sleep(500);
  }
  throw new Error("the compaction did not end within five minutes");
}

async function insert(client: MilvusClient, first: number, count: number): Promise<void> {
  const data = Array.from({ length: count }, (_, row) => rowOf(first + row));
  await answered("inserting", client.insert({ collection_name, data }));
}

/** A row of which every value follows from its ID, with a vector that does not compress. */
function rowOf(id: number) {
  const embedding = Array.from({ length: dimension }, (_, index) => Math.fround(Math.sin(id * dimension + index)));
  return { id, title: `row ${id}`, embedding };
}

async function storedBytes(s3: S3Client, rootPath: string): Promise<number> {
  let bytes = 0;
  for await (const { Contents = [] } of pagesOf(s3, rootPath)) for (const { Size = 0 } of Contents) bytes += Size;
  return bytes;
}

function pagesOf(client: S3Client, rootPath: string) {
  return paginateListObjectsV2({ client }, { Bucket: backupPlace.bucket, Prefix: `${rootPath}/` });
}
