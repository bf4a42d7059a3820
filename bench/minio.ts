import type { S3Client } from "@aws-sdk/client-s3";
import { minioClient, minioEnvironments } from "../local/index.ts";
import { mc } from "../local/mc.ts";
import { connectClient, dropCollection } from "../local/milvus-client.ts";
import type { MinioEnvironment } from "../local/minio-environments.ts";
import { localDir } from "../local/paths.ts";
import { up } from "../local/stack.ts";
import { type FunctionMemory, functionMemory } from "../measure/function-memory.ts";
import { coolFunctions } from "../measure/pipeline-functions.ts";
import { type MeasuredRun, measureCopy, measureCreate, measureRestore } from "../measure/pipeline-run.ts";
import { withStack } from "../measure/with-stack.ts";
import { type MadeBackup, makeBackup, removeAll } from "./made-backup.ts";
import { fewSegments, type ManySegments, manySegments, seedSegments } from "./many-segments.ts";
import { type BenchMachine, benchMachine, median, medianBy, type RepeatedOptions } from "./options.ts";
import { runRival } from "./rival.ts";

/** A transfer of one backup between two stores, by the command and by MinIO's client; medians, milliseconds. */
interface TransferTimes {
  readonly backup: MadeBackup;
  readonly copy: MeasuredRun;
  /** `mc cp --recursive`, from start to end of its process. */
  readonly mc: number;
}

/** A backup of one collection; medians, milliseconds. */
interface CreateTimes {
  readonly collection: ManySegments;
  readonly create: MeasuredRun;
  readonly rival?: number;
}

/** What was measured on two MinIO stores. */
export interface MinioResult {
  readonly machine: BenchMachine;
  readonly runs: number;
  readonly creates: readonly CreateTimes[];
  /** Of the collection with many segments. */
  readonly restore: MeasuredRun;
  /** Of one run: it takes minutes. */
  readonly rivalRestore?: number;
  readonly transfers: readonly TransferTimes[];
  readonly memory: readonly FunctionMemory[];
}

const collections = [
  { name: "bench_minio_many", shape: manySegments },
  { name: "bench_minio_few", shape: fewSegments },
] as const;
const made: readonly MadeBackup[] = [
  { name: "bench_minio_small", objects: 1_500, objectSize: 16 * 2 ** 10 },
  { name: "bench_minio_large", objects: 60, objectSize: 8 * 2 ** 20 },
];
const suffix = "_back";
const rivalSuffix = "_rival";

/** Backs up and restores on a MinIO store, and transfers backups from it to another one; what it made is removed. */
export async function runMinio(options: RepeatedOptions): Promise<MinioResult> {
  const [from, to] = minioEnvironments;
  if (from === undefined || to === undefined) throw new Error("The local stack has fewer than two MinIO stores.");
  const { reporter, signal } = options;
  await mc.ensure({ reporter, signal });
  return withStack(options, async () => {
    await up({ minio: true, deploy: false, reporter, signal });
    const stores = { from: minioClient(from.store), to: minioClient(to.store) };
    try {
      await cleanUp(from, to, stores, options.runs);
      return await measure(from, to, stores, options);
    } finally {
      await cleanUp(from, to, stores, options.runs);
      stores.from.destroy();
      stores.to.destroy();
    }
  });
}

interface Stores {
  readonly from: S3Client;
  readonly to: S3Client;
}

async function measure(
  from: MinioEnvironment,
  to: MinioEnvironment,
  stores: Stores,
  options: RepeatedOptions,
): Promise<MinioResult> {
  const { runs, rival, say, signal } = options;
  const config = from.backupYaml;
  const client = await connectClient(from.milvus.address);
  const creates: CreateTimes[] = [];
  try {
    await coolFunctions(); // so that what they take is of this run
    for (const { name, shape } of collections) {
      const collection = await seedSegments(client, name, shape, (text) => say(`seeding: ${text}`));
      const ours: MeasuredRun[] = [];
      const theirs: number[] = [];
      for (let run = 0; run <= runs; run += 1) {
        signal.throwIfAborted();
        say(`create of ${collection.segments} segments, ${run === 0 ? "not counted" : `run ${run} of ${runs}`}`);
        const measured = await measureCreate(name, `${name}_${run}`, [], config);
        if (run > 0) ours.push(measured);
        if (run === 0 || rival === undefined) continue;
        const args = ["--config", config, "create", "-c", name, "-n", `${name}_rival_${run}`];
        theirs.push(await runRival(rival, args, signal));
      }
      creates.push({ collection, create: byCommand(ours), ...(rival !== undefined && { rival: median(theirs) }) });
    }
  } finally {
    await client.closeConnection();
  }

  const [many] = collections;
  const restores: MeasuredRun[] = [];
  for (let run = 1; run <= runs; run += 1) {
    signal.throwIfAborted();
    say(`restore, run ${run} of ${runs}`);
    restores.push(await measureRestore(many.name, `${many.name}_${run}`, `${suffix}_${run}`, config));
  }
  const transfers: TransferTimes[] = [];
  for (const backup of made) transfers.push(await measureTransfer(backup, from, to, stores, options));
  const memory = await functionMemory();
  if (rival !== undefined) say("the Go tool's restore; it takes minutes");
  const args = ["--config", config, "restore", "-c", many.name, "-n", `${many.name}_rival_1`, "-s", rivalSuffix];
  const rivalRestore = rival === undefined ? undefined : await runRival(rival, args, signal);
  return {
    machine: benchMachine(),
    runs,
    creates,
    restore: byCommand(restores),
    ...(rivalRestore !== undefined && { rivalRestore }),
    transfers,
    memory,
  };
}

async function measureTransfer(
  backup: MadeBackup,
  from: MinioEnvironment,
  to: MinioEnvironment,
  stores: Stores,
  { runs, say, signal }: RepeatedOptions,
): Promise<TransferTimes> {
  await makeBackup(stores.from, from.backups, backup);
  const copies: MeasuredRun[] = [];
  const clients: number[] = [];
  const clear = () => removeAll(stores.to, to.backups.bucket, `${to.backups.rootPath}/${backup.name}/`);
  for (let run = 1; run <= runs; run += 1) {
    signal.throwIfAborted();
    say(`transfer of ${backup.objects} objects, run ${run} of ${runs}`);
    await clear();
    copies.push(await measureCopy(backup.name, from.backupYaml, to.backupYaml));
    await clear();
    clients.push(await runMc(from, to, backup.name, signal));
  }
  return { backup, copy: byCommand(copies), mc: median(clients) };
}

/** Milliseconds of `mc cp --recursive` of one backup. */
async function runMc(from: MinioEnvironment, to: MinioEnvironment, name: string, signal: AbortSignal): Promise<number> {
  const host = ({ store }: MinioEnvironment) => `http://${store.accessKeyId}:${store.secretAccessKey}@${store.address}`;
  const folder = ({ backups }: MinioEnvironment) => `${backups.bucket}/${backups.rootPath}/${name}/`;
  const args = ["cp", "--recursive", "--quiet", `from/${folder(from)}`, `to/${folder(to)}`];
  return runRival(mc.file(), args, signal, { HOME: localDir, MC_HOST_from: host(from), MC_HOST_to: host(to) });
}

function byCommand(runs: readonly MeasuredRun[]): MeasuredRun {
  return medianBy(runs, ({ commandMilliseconds }) => commandMilliseconds);
}

/** Takes away what the benchmark makes; a backup's folder as it is, claims and all: nobody else uses these names. */
async function cleanUp(from: MinioEnvironment, to: MinioEnvironment, stores: Stores, runs: number): Promise<void> {
  const client = await connectClient(from.milvus.address);
  try {
    for (const { name } of collections) {
      const copies = Array.from({ length: runs }, (_, index) => `${name}${suffix}_${index + 1}`);
      for (const one of [name, name + rivalSuffix, ...copies]) await dropCollection(client, one);
    }
  } finally {
    await client.closeConnection();
  }
  const prefix = ({ backups }: MinioEnvironment) => `${backups.rootPath}/bench_minio_`;
  await removeAll(stores.from, from.backups.bucket, prefix(from));
  await removeAll(stores.to, to.backups.bucket, prefix(to));
}
