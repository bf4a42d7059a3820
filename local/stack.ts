import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { aws, awsEnvFile, awsService, stackName, writeAwsEnvFile } from "./aws.ts";
import { backupYaml } from "./backup-yaml.ts";
import { type CloudEnvironment, cloudEnvironments, writeCloudYamls } from "./cloud-environments.ts";
import { bootstrap, type DeployOptions, deployStack, outputsFile, stackOutputs } from "./deploy.ts";
import { ensureFakeGcs } from "./fake-gcs.ts";
import { withLock } from "./lock.ts";
import { type MilvusService, milvusService } from "./milvus.ts";
import { ensureMinio } from "./minio.ts";
import { type MinioEnvironment, minioBackupYaml, minioEnvironments } from "./minio-environments.ts";
import { localDir } from "./paths.ts";
import { stackProcesses } from "./processes.ts";
import { ensurePython } from "./python.ts";
import { type Reporter, reportStep, silent } from "./reporter.ts";
import {
  assertPortsFree,
  runOf,
  type Service,
  type ServiceStatus,
  startService,
  statusOf,
  stopService,
} from "./service.ts";
import { logFileOf } from "./tool.ts";

/** Where the backups of both servers go. */
export const backupPlace = { bucket: "bucket-b", rootPath: "backup" };

/** The AWS emulator of the stack. */
const awsEmulator: Service = awsService({ buckets: ["bucket-a", "bucket-b"] });

/** The Milvus servers of the stack: one to back up, one to restore into. */
export const milvusServers: MilvusService[] = [
  milvusService({ name: "milvus-a", port: 19530, bucket: "bucket-a", rootPath: "files" }),
  milvusService({ name: "milvus-b", port: 19540, bucket: "bucket-b", rootPath: "files" }),
];

const services: Service[] = [awsEmulator, ...milvusServers];

/** Two more servers that only `up` with `sharedBucket` starts: one bucket, two root paths, the backups beside them. */
const sharedBucketServers: MilvusService[] = [
  milvusService({ name: "files-a", port: 19560, bucket: "bucket-a", rootPath: "files_A" }),
  milvusService({ name: "files-b", port: 19570, bucket: "bucket-a", rootPath: "files_B" }),
];

/** What only `up` with `minio` starts. */
const minioServices: Service[] = minioEnvironments.flatMap(({ store, milvus }) => [store, milvus]);

/** What only `up` with `clouds` starts, beside those of `minio`. */
const cloudServices: Service[] = cloudEnvironments.map(({ store }) => store);

const optionalServices: Service[] = [...sharedBucketServers, ...minioServices, ...cloudServices];

/** What can be asked of `up`. */
export interface UpOptions extends Omit<DeployOptions, "signal"> {
  /** Whether to bootstrap and deploy the CDK app too; yes unless told otherwise. */
  deploy?: boolean | undefined;
  /** Whether to start two MinIO stores, each with a Milvus server of its own, too. */
  minio?: boolean | undefined;
  /** Whether to start Azure Blob Storage and Google Cloud Storage as they run here too; they come with `minio`. */
  clouds?: boolean | undefined;
  /** Whether to start two more Milvus servers that share one bucket too. */
  sharedBucket?: boolean | undefined;
  reporter?: Reporter | undefined;
  /** Stops it, and what it started, halfway. */
  signal?: AbortSignal | undefined;
}

/** A Milvus server, as its users need to know it. */
type MilvusInfo = Pick<
  MilvusService,
  "name" | "host" | "port" | "address" | "managementUrl" | "bucket" | "rootPath"
> & {
  /** Its backup.yaml. */
  backupYaml: string;
};

/** The running stack, as its users need to know it. */
export interface StackInfo {
  aws: typeof aws & {
    /** A file of exports for a shell. */
    envFile: string;
  };
  stackName: string;
  /** The outputs of the deployed stack. */
  outputs: Record<string, string>;
  milvus: MilvusInfo[];
  backups: typeof backupPlace;
  /** Two servers in one bucket; they run only where `up` was asked for them. */
  sharedBucket: MilvusInfo[];
  /** The environments across two object stores; they run only where `up` was asked for them. */
  minio: MinioEnvironment[];
  /** The environments with their backups in the store of a cloud; they run only where `up` was asked for them. */
  clouds: CloudEnvironment[];
}

/** Brings the whole stack up. Safe to repeat: what is healthy stays as it is, the rest is started, the app deployed again. */
export async function up(options: UpOptions = {}): Promise<StackInfo> {
  const { deploy: withDeploy = true, clouds = false, sharedBucket = false, reporter = silent, signal } = options;
  const minio = clouds || (options.minio ?? false);
  await withLock(reporter, signal, async () => {
    await assertPortsFree([
      ...services,
      ...(sharedBucket ? sharedBucketServers : []),
      ...(minio ? minioServices : []),
      ...(clouds ? cloudServices : []),
    ]);
    await reportStep(reporter, "python", () => ensurePython(signal));
    if (minio) await reportStep(reporter, "minio", () => ensureMinio({ reporter, signal }));
    if (clouds) await reportStep(reporter, "fake-gcs-server", () => ensureFakeGcs({ reporter, signal }));
    const startedHere: StartedHere[] = [];
    try {
      await startAll(startedHere, { ...options, minio }, withDeploy);
    } catch (error) {
      // Only a failed start takes back what was started: after a failed deployment the services are as good as ever.
      if (!(error instanceof DeployFailure)) {
        for (const { service, afresh } of startedHere) {
          await stopService(service, { keepData: !afresh });
          reporter({ step: service.name, state: "note", detail: "stopped again" });
        }
      }
      throw error instanceof DeployFailure ? error.cause : error;
    }
  });
  return stackInfo();
}

class DeployFailure extends Error {}

/** A service that this `up` started, on no data or on what it had. */
interface StartedHere {
  service: Service;
  afresh: boolean;
}

async function startAll(startedHere: StartedHere[], options: UpOptions, withDeploy: boolean): Promise<void> {
  const { reporter = silent, minio = false, clouds = false, sharedBucket = false, signal } = options;
  const emulatorServers = [...milvusServers, ...(sharedBucket ? sharedBucketServers : [])];
  const start = (service: Service, afresh: boolean) =>
    reportStep(reporter, service.name, () =>
      startService(service, { afresh, signal, onStart: (afresh) => startedHere.push({ service, afresh }) }),
    );

  await start(awsEmulator, false);
  await writeAwsEnvFile();
  const deployment = withDeploy
    ? deploySteps(options, reporter).then(noFailure, asFailure)
    : Promise.resolve(undefined);
  const starts = await Promise.allSettled([
    ...emulatorServers.map((server) => startOnStore(server, awsEmulator, start)),
    ...(minio ? minioEnvironments : []).map(async ({ milvus, store }) => {
      await start(store, false);
      await startOnStore(milvus, store, start);
    }),
    ...(clouds ? cloudServices : []).map((store) => start(store, false)),
  ]);
  for (const server of emulatorServers) await writeFile(backupYamlOf(server), backupYaml(environmentOf(server)));
  if (minio) for (const it of minioEnvironments) await writeFile(it.backupYaml, minioBackupYaml(it));
  if (clouds) await writeCloudYamls();
  const deployFailure = await deployment;
  for (const outcome of starts) if (outcome.status === "rejected") throw outcome.reason;
  if (deployFailure !== undefined) {
    signal?.throwIfAborted();
    throw deployFailure;
  }
}

/**
 * A server whose store lost the data it kept there has to start afresh: the emulator holds all in its memory, so a new one means
 * empty buckets; a MinIO store keeps it on disk until the stack goes down. A note in the server's folder says which data it was.
 */
async function startOnStore(
  server: MilvusService,
  store: Service,
  start: (service: Service, afresh: boolean) => Promise<unknown>,
): Promise<void> {
  const note = join(localDir, server.name, "store");
  const data = (await (store.dataId?.() ?? runOf(store))) ?? "";
  const noted = await readFile(note, "utf8").catch(() => undefined);
  await start(server, noted !== data);
  await writeFile(note, data);
}

const noFailure = () => undefined;
const asFailure = (cause: unknown) => new DeployFailure("deploy", { cause });

/** Deploys the CDK app into the running emulator once more. */
export async function deploy(options: DeployOptions & { reporter?: Reporter } = {}): Promise<Record<string, string>> {
  const { reporter = silent, signal } = options;
  await withLock(reporter, signal, () => deploySteps(options, reporter));
  return stackOutputs(options.stack);
}

async function deploySteps(options: DeployOptions, reporter: Reporter): Promise<void> {
  await reportStep(reporter, "cdk bootstrap", () => bootstrap(options));
  await reportStep(reporter, "cdk deploy", () => deployStack(options));
}

/** Takes the whole stack down, with every process and all data of it; logs and installed packages stay. */
export async function down({ reporter = silent }: { reporter?: Reporter } = {}): Promise<void> {
  await withLock(reporter, undefined, async () => {
    // Also those of servers that a test started on its own.
    const names = new Set([
      ...(await stackProcesses()).map((it) => it.service),
      ...knownServices().map((it) => it.name),
    ]);
    // Those who use a store go before it.
    const stores = new Set([awsEmulator, ...minioEnvironments.map((it) => it.store)].map((it) => it.name));
    await Promise.all([...names].filter((name) => !stores.has(name)).map((name) => stopByName(name, reporter)));
    await Promise.all([...names].filter((name) => stores.has(name)).map((name) => stopByName(name, reporter)));
    const servers = [...milvusServers, ...sharedBucketServers];
    const yamls = [
      ...servers.map(backupYamlOf),
      ...[...minioEnvironments, ...cloudEnvironments].map((it) => it.backupYaml),
    ];
    for (const file of [awsEnvFile, outputsFile, ...yamls]) await rm(file, { force: true });
  });
}

/** The services that are to run: the optional ones only since they were asked for. */
function knownServices(): Service[] {
  return [...services, ...optionalServices.filter(({ dataDirs }) => dataDirs.some((folder) => existsSync(folder)))];
}

async function stopByName(name: string, reporter: Reporter): Promise<void> {
  await reportStep(reporter, name, async () => {
    const ended = await stopService(
      [...services, ...optionalServices].find((it) => it.name === name) ?? { name, dataDirs: [join(localDir, name)] },
    );
    return ended === 0 ? { unchanged: true, detail: "did not run" } : { detail: `stopped, ${ended} processes` };
  });
}

/** How each service of the stack is. */
export async function status(): Promise<ServiceStatus[]> {
  return Promise.all(knownServices().map(statusOf));
}

/** What the users of the stack need to know, from its definition and its last deployment. */
export async function stackInfo(): Promise<StackInfo> {
  return {
    aws: { ...aws, envFile: awsEnvFile },
    stackName,
    outputs: await stackOutputs(),
    milvus: milvusServers.map(infoOf),
    backups: backupPlace,
    sharedBucket: sharedBucketServers.map(infoOf),
    minio: minioEnvironments,
    clouds: cloudEnvironments,
  };
}

function infoOf(server: MilvusService): MilvusInfo {
  const { name, host, port, address, managementUrl, bucket, rootPath } = server;
  return { name, host, port, address, managementUrl, bucket, rootPath, backupYaml: backupYamlOf(server) };
}

function backupYamlOf(server: MilvusService): string {
  return join(localDir, `${server.name}.yaml`);
}

function environmentOf(server: MilvusService) {
  const logFile = logFileOf(`milvus-backup-${server.name}`);
  // Servers that share a bucket keep their backups there too.
  const backupBucket = sharedBucketServers.includes(server) ? server.bucket : backupPlace.bucket;
  return { ...server, backupBucket, backupRootPath: backupPlace.rootPath, logFile };
}
