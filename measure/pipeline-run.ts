import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { z } from "zod";
import { s3Client } from "../local/aws.ts";
import { backupPlace } from "../local/stack.ts";
import { configs, milvusBackup } from "./milvus-backup.ts";
import { sfnClient } from "./pipeline-functions.ts";
import { type ExecutionTimes, executionTimes } from "./state-times.ts";

/** A backup or a restore that was measured. */
export interface MeasuredRun {
  /** Of the execution, state by state. */
  readonly times: ExecutionTimes;
  /** Of the command, from its start to its end: Node, the poll for the end and the summary included. */
  readonly commandMilliseconds: number;
  readonly segments: number;
  /** Objects that were copied. */
  readonly objects: number;
  /** Bytes that were copied. */
  readonly bytes: number;
}

const counts = { segments: z.number(), objects: z.number(), bytes: z.number() };
const createDocument = z.object({ ...counts, executionArn: z.string() });
const restoreDocument = z.object({ segments: z.number(), staged: z.object(counts), executionArn: z.string() });

/** Backs up a collection (of Milvus A unless told otherwise) with the command, and reads what its execution took. */
export async function measureCreate(
  collection: string,
  backupName: string,
  options: readonly string[] = [],
  config: string = configs.a,
): Promise<MeasuredRun> {
  const args = ["--config", config, "create", ...options, "-c", collection, "-n", backupName];
  return measured([...args, "--json", "--quiet"], (stdout) => createDocument.parse(stdout));
}

/** Restores a collection (into Milvus B unless told otherwise) with the command, and reads what its execution took. */
export async function measureRestore(
  collection: string,
  backupName: string,
  suffix: string,
  config: string = configs.b,
): Promise<MeasuredRun> {
  const args = ["--config", config, "restore", "-c", collection, "-n", backupName, "-s", suffix];
  return measured([...args, "--json", "--quiet"], (stdout) => {
    const { segments, staged, executionArn } = restoreDocument.parse(stdout);
    return { segments, objects: staged.objects, bytes: staged.bytes, executionArn };
  });
}

/** Copies a backup to where another environment keeps its backups, and reads what the execution took. */
export async function measureCopy(backupName: string, from: string, to: string): Promise<MeasuredRun> {
  const args = ["--config", from, "copy", "-n", backupName, "--to", to, "--json", "--quiet"];
  return measured(args, (stdout) => createDocument.parse(stdout));
}

/** Removes a backup, an incomplete one too; answers whether there was anything of it. */
export async function deleteBackup(backupName: string): Promise<boolean> {
  if (!(await hasFiles(backupName))) return false;
  await milvusBackup(["--config", configs.a, "delete", "-n", backupName, "--yes", "--incomplete"]);
  return true;
}

async function hasFiles(backupName: string): Promise<boolean> {
  const s3 = s3Client();
  try {
    const { bucket, rootPath } = backupPlace;
    const request = { Bucket: bucket, Prefix: `${rootPath}/${backupName}/`, MaxKeys: 1 };
    const { KeyCount = 0 } = await s3.send(new ListObjectsV2Command(request));
    return KeyCount > 0;
  } finally {
    s3.destroy();
  }
}

async function measured(
  args: readonly string[],
  read: (document: unknown) => { segments: number; objects: number; bytes: number; executionArn: string },
): Promise<MeasuredRun> {
  const began = performance.now();
  const stdout = await milvusBackup(args);
  const commandMilliseconds = performance.now() - began;
  const { executionArn, ...copied } = read(JSON.parse(stdout));
  return { times: await timesOf(executionArn), commandMilliseconds, ...copied };
}

/** The times of one execution on the local stack. */
export async function timesOf(executionArn: string): Promise<ExecutionTimes> {
  const client = sfnClient();
  try {
    return await executionTimes(client, executionArn);
  } finally {
    client.destroy();
  }
}
