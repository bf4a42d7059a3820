import { aws } from "../local/aws.ts";
import { connectClient, dropCollection } from "../local/milvus-client.ts";
import { type ExtraServer, startExtraServer } from "../measure/extra-server.ts";
import { configs } from "../measure/milvus-backup.ts";
import { deleteBackup, type MeasuredRun, measureCreate, measureRestore } from "../measure/pipeline-run.ts";
import { type Servers, withStack } from "../measure/with-stack.ts";
import { startLatencyProxy } from "./latency-proxy.ts";
import { type ManySegments, manySegments, manyWithDeletes, seedSegments } from "./many-segments.ts";
import { type BenchMachine, benchMachine, medianBy, type RepeatedOptions } from "./options.ts";
import { runRival } from "./rival.ts";

export interface ManyOptions extends RepeatedOptions {
  /** Milliseconds by which a request to the object store takes longer, for both tools and for the Milvus that is restored into. */
  readonly latency: number;
}

/** Restores of one backup; medians, milliseconds. */
interface RestoreTimes {
  readonly name: string;
  readonly collection: ManySegments;
  readonly restore: MeasuredRun;
  /** Of one run of the Go tool, of a backup of its own of the same collection: it takes minutes. */
  readonly rival?: number;
  /** How many times as fast as that the command is. */
  readonly timesAsFast?: number;
}

/** Everything one run of the benchmark measured. */
export interface ManyResult {
  readonly machine: BenchMachine;
  readonly runs: number;
  /** Milliseconds that were added to a request. */
  readonly latency: number;
  readonly restores: readonly RestoreTimes[];
}

/** Collections of 80 segments, and what is restored of each. */
const collections = [
  { name: "bench_many", shape: manySegments, backups: [{ title: "80 segments", options: [] }] },
  {
    name: "bench_many_deletes",
    shape: manyWithDeletes,
    backups: [
      { title: "80 segments, half of them with deletes", options: [] },
      { title: "the same, in a backup without an instant", options: ["--strategy", "skip_flush"] },
    ],
  },
] as const;
const proxyPort = 19599;
const backupOf = (collection: string, index: number) => `${collection}_${index}`;
const rivalBackupOf = (collection: string) => `${collection}_rival`;

/** Measures restores into a Milvus whose object store takes its time, beside the Go tool; what it made is removed. */
export async function runMany(options: ManyOptions): Promise<ManyResult> {
  return withStack(options, async (servers) => {
    await removeBackups();
    const far = await startFarServer(options);
    try {
      return await measure(servers, far, options);
    } finally {
      await far.stop();
      await removeBackups();
      for (const { name } of collections) await dropCollection(servers.a, name);
    }
  });
}

/** A Milvus that reaches the emulator's store as all of its tools do: by a way on which requests take longer. */
async function startFarServer({ latency, signal }: ManyOptions): Promise<ExtraServer> {
  const proxy = await startLatencyProxy({ to: aws, port: proxyPort, milliseconds: latency });
  const { accessKeyId, secretAccessKey } = aws;
  const storage = { host: proxy.host, port: proxy.port, accessKeyId, secretAccessKey };
  try {
    const server = await startExtraServer({ name: "bench-far", port: 19580, bucket: "bucket-b", storage, signal });
    return {
      ...server,
      async stop() {
        await server.stop();
        await proxy.stop();
      },
    };
  } catch (error) {
    await proxy.stop();
    throw error;
  }
}

async function measure({ a }: Servers, far: ExtraServer, options: ManyOptions): Promise<ManyResult> {
  const { rival, runs, latency, say, signal } = options;
  const restores: RestoreTimes[] = [];
  const client = await connectClient(far.address);
  try {
    for (const { name, shape, backups } of collections) {
      const collection = await seedSegments(a, name, shape, (text) => say(`seeding: ${text}`));
      for (const [index, backup] of backups.entries()) {
        await measureCreate(name, backupOf(name, index), [...backup.options]);
      }
      let theirs: number | undefined;
      if (rival !== undefined) {
        await runRival(rival, ["--config", configs.a, "create", "-c", name, "-n", rivalBackupOf(name)], signal);
        say(`the Go tool's restore of ${name}; it takes minutes`);
        const args = ["--config", far.config, "restore", "-c", name, "-n", rivalBackupOf(name), "-s", "_rival"];
        theirs = await runRival(rival, args, signal);
        await dropCollection(client, `${name}_rival`);
      }
      for (const [index, { title }] of backups.entries()) {
        const measured: MeasuredRun[] = [];
        for (let run = 0; run <= runs; run += 1) {
          signal.throwIfAborted();
          say(`restore: ${title}, ${run === 0 ? "not counted" : `run ${run} of ${runs}`}`);
          const suffix = `_${index}_${run}`;
          const one = await measureRestore(name, backupOf(name, index), suffix, far.config);
          if (run > 0) measured.push(one);
          await dropCollection(client, name + suffix);
        }
        const restore = medianBy(measured, ({ commandMilliseconds }) => commandMilliseconds);
        const compared = theirs !== undefined && { rival: theirs, timesAsFast: theirs / restore.commandMilliseconds };
        restores.push({ name: title, collection, restore, ...compared });
      }
    }
  } finally {
    await client.closeConnection();
  }
  return { machine: benchMachine(), runs, latency, restores };
}

async function removeBackups(): Promise<void> {
  for (const { name, backups } of collections) {
    for (const index of backups.keys()) await deleteBackup(backupOf(name, index));
    await deleteBackup(rivalBackupOf(name));
  }
}
