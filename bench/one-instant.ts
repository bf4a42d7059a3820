import type { MilvusClient } from "@zilliz/milvus2-sdk-node";
import { z } from "zod";
import { dropCollection } from "../local/milvus-client.ts";
import { milvusServers } from "../local/stack.ts";
import { instantOf } from "../measure/backup-instant.ts";
import { startCompactingServer } from "../measure/compacting-server.ts";
import { atTimestamp, type InstantBounds, judgeInstant } from "../measure/instant-judge.ts";
import { configs, milvusBackup } from "../measure/milvus-backup.ts";
import { deleteBackup, timesOf } from "../measure/pipeline-run.ts";
import { startUpsertLoad } from "../measure/upsert-load.ts";
import { readVersions } from "../measure/version-rows.ts";
import { withStack } from "../measure/with-stack.ts";
import type { LoadLog } from "../measure/write-log.ts";
import { type BenchOptions, median } from "./options.ts";
import { runRival } from "./rival.ts";

/** What the backups that one tool took under one load brought back; sums over its backups. */
export interface BroughtBack {
  readonly tool: "pipeline" | "milvus-backup";
  /** Whether the collection was compacted meanwhile. */
  readonly compacting: boolean;
  /** Backups that were asked for. */
  readonly asked: number;
  /** Of those: backups that the tool called good. */
  readonly taken: number;
  /** Of those: restores that the tool called good. */
  readonly restored: number;
  /** Keys that had been acknowledged 100 ms before the instants of the backups that were taken. */
  readonly keysExpected: number;
  /** Of those: keys that are there after the restores. */
  readonly keysBack: number;
  readonly keysTwice: number;
  /** Keys in a version that was not current at the instant. */
  readonly wrongVersions: number;
  /** Of the commands of the backups that were taken; milliseconds. */
  readonly medianMilliseconds: number;
  readonly longestMilliseconds: number;
  /** How often segments vanished while they were copied, so that a collection was cut anew; absent where the tool has no such thing. */
  readonly cutAnew?: number;
}

/** A tool as this measurement uses it. */
interface Tool {
  readonly name: BroughtBack["tool"];
  create(config: string, collection: string, backup: string): Promise<{ readonly cutAnew?: number }>;
  /** Without it a backup may have been at any time while it was taken. */
  instant?(config: string, backup: string): Promise<InstantBounds>;
  restore(collection: string, backup: string): Promise<unknown>;
}

interface TakenBackup {
  readonly backup: string;
  readonly at: InstantBounds;
  readonly milliseconds: number;
  readonly cutAnew?: number;
}

const createDocument = z.object({ executionArn: z.string() });
const collection = "bench_one_instant";
const suffix = "_back";
const backups = Array.from({ length: 5 }, (_, index) => `bench_one_instant_${index + 1}`);
const compactEveryMs = 2_000;
/** Bounds a load that nobody stops: longer than five backups take. */
const loadForMs = 600_000;

/** Takes five backups with every tool under a load of upserts and flushes, without and with compaction, and judges each restore. */
export async function runOneInstant(options: BenchOptions): Promise<readonly BroughtBack[]> {
  const { rival, signal } = options;
  const tools = [pipeline(signal), ...(rival === undefined ? [] : [goTool(rival, signal)])];
  return withStack(options, async ({ a, b }) => {
    const results: BroughtBack[] = [];
    for (const compacting of [false, true]) {
      for (const tool of tools) {
        signal.throwIfAborted();
        results.push(await measureTool(tool, compacting, b, options).finally(() => cleanUp(a, b)));
      }
    }
    return results;
  });
}

function pipeline(signal: AbortSignal): Tool {
  return {
    name: "pipeline",
    async create(config, collection, backup) {
      const args = ["--config", config, "create", "-c", collection, "-n", backup, "--quiet", "--json"];
      const { executionArn } = createDocument.parse(JSON.parse(await milvusBackup(args, { signal })));
      const { states } = await timesOf(executionArn);
      return { cutAnew: (states.find(({ state }) => state === "Prepare Backup")?.visits ?? 1) - 1 };
    },
    instant: async (config, backup) => {
      const document = await milvusBackup(["--config", config, "get", "-n", backup, "--json"], { signal });
      return atTimestamp(instantOf(JSON.parse(document)).timestamp);
    },
    restore: (_, backup) =>
      milvusBackup(["--config", configs.b, "restore", "-n", backup, "-s", suffix, "--quiet"], { signal }),
  };
}

function goTool(binary: string, signal: AbortSignal): Tool {
  const run = (args: readonly string[]) => runRival(binary, args, signal);
  return {
    name: "milvus-backup",
    async create(config, collection, backup) {
      await run(["--config", config, "create", "-c", collection, "-n", backup]);
      return {};
    },
    restore: (collection, backup) =>
      run(["--config", configs.b, "restore", "-c", collection, "-n", backup, "-s", suffix]),
  };
}

async function measureTool(
  tool: Tool,
  compacting: boolean,
  b: MilvusClient,
  { say, signal }: BenchOptions,
): Promise<BroughtBack> {
  const label = `${tool.name}${compacting ? ", compacting" : ""}`;
  const trouble = (what: string) => (error: unknown) => {
    signal.throwIfAborted();
    say(`${label}: ${what} failed: ${error instanceof Error ? error.message : error}`);
    return undefined;
  };
  for (const backup of backups) await deleteBackup(backup); // what a run that was interrupted left
  const server = compacting
    ? await startCompactingServer({ name: "bench-compacting", port: 19550, signal })
    : undefined;
  try {
    const address = server?.address ?? milvusServers[0]?.address ?? "";
    const load = await startUpsertLoad({
      address,
      collection,
      forMs: loadForMs,
      ...(compacting && { compactEveryMs }),
    });
    const taken: TakenBackup[] = [];
    let log: LoadLog;
    try {
      for (const backup of backups) {
        say(`${label}: backup ${backup} under load`);
        const one = await take(tool, server?.config ?? configs.a, backup).catch(trouble(`the backup ${backup}`));
        if (one !== undefined) taken.push(one);
      }
    } finally {
      log = await load.stop();
    }
    const sum = { restored: 0, keysExpected: 0, keysBack: 0, keysTwice: 0, wrongVersions: 0 };
    for (const { backup, at } of taken) {
      say(`${label}: restore of ${backup}`);
      await dropCollection(b, collection + suffix);
      const restored = await tool.restore(collection, backup).then(() => true, trouble(`the restore of ${backup}`));
      const rows = restored === true ? await readVersions(b, collection + suffix) : [];
      const { expected, back, violations } = judgeInstant(log.writes, at, rows);
      const keysWith = (...kinds: readonly string[]) =>
        new Set(violations.filter(({ violation }) => kinds.includes(violation)).map(({ key }) => key)).size;
      if (restored === true) sum.restored += 1;
      sum.keysExpected += expected;
      sum.keysBack += back;
      sum.keysTwice += keysWith("twice");
      sum.wrongVersions += keysWith("too old", "too new", "never written");
    }
    const times = taken.map(({ milliseconds }) => milliseconds);
    const anew = taken.flatMap(({ cutAnew }) => cutAnew ?? []);
    return {
      ...{ tool: tool.name, compacting, asked: backups.length, taken: taken.length, ...sum },
      ...{ medianMilliseconds: median(times), longestMilliseconds: Math.max(0, ...times) },
      ...(anew.length > 0 && { cutAnew: anew.reduce((all, one) => all + one, 0) }),
    };
  } finally {
    await server?.stop();
  }
}

/** Takes a backup; answers when its instant was, as the tool tells it or as the clock does, and how long it took. */
async function take(tool: Tool, config: string, backup: string): Promise<TakenBackup> {
  const [earliest, began] = [Date.now(), performance.now()];
  const created = await tool.create(config, collection, backup);
  const milliseconds = performance.now() - began;
  const at = (await tool.instant?.(config, backup)) ?? { earliest, latest: Date.now() };
  return { backup, at, milliseconds, ...created };
}

async function cleanUp(a: MilvusClient, b: MilvusClient): Promise<void> {
  await dropCollection(a, collection);
  await dropCollection(b, collection + suffix);
  for (const backup of backups) await deleteBackup(backup);
}
