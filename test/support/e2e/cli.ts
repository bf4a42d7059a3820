import { execa } from "execa";
import { awsEnvironment, stackName } from "../../../local/index.ts";
import { projectDir } from "../../../local/paths.ts";
import { parseDocument } from "../documents.ts";

/** What one run of the command came to. */
export interface CliRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The backup.yaml files of the stack's servers, from the project's folder. */
export const configs = { a: ".local/milvus-a.yaml", b: ".local/milvus-b.yaml" } as const;

/** Runs `milvus-backup` as a process, with what .local/aws.env sets, from the project's folder. */
export async function milvusBackup(...args: readonly string[]): Promise<CliRun> {
  const { exitCode, stdout, stderr, signal } = await execa(process.execPath, ["cli/bin.js", ...args], {
    cwd: projectDir,
    env: { ...awsEnvironment, MILVUS_BACKUP_STACK: stackName },
    reject: false,
    stdin: "ignore",
    timeout: 580_000,
  });
  if (exitCode === undefined) throw new Error(`milvus-backup ${args.join(" ")} ended by ${signal ?? "?"}: ${stderr}`);
  return { exitCode, stdout, stderr };
}

/** The same with --json, for a run that has to succeed: the document it printed. */
export async function milvusBackupJson<T = Record<string, unknown>>(...args: readonly string[]): Promise<T> {
  const run = await milvusBackup("--json", ...args);
  if (run.exitCode !== 0) throw new Error(`milvus-backup ${args.join(" ")} failed (${run.exitCode}): ${run.stderr}`);
  return parseDocument(run.stdout) as T;
}

/** Runs a line in a shell in the project's folder, as a person would type it. */
export async function shell(line: string): Promise<CliRun> {
  const { exitCode, stdout, stderr } = await execa("bash", ["-c", line], {
    cwd: projectDir,
    // The test runner's own mode would make the Milvus client log every request.
    env: { NODE_ENV: undefined },
    reject: false,
    stdin: "ignore",
    timeout: 580_000,
  });
  return { exitCode: exitCode ?? 1, stdout, stderr };
}

/** What `restore --json` prints, as far as the tests use it. */
export interface RestoreDocument {
  readonly backupName: string;
  readonly collections: readonly {
    readonly from: string;
    readonly to: string;
    readonly id: string;
    readonly rows: number;
    readonly inBackup: number;
    readonly leftOut: number;
    readonly imported: number;
    readonly loaded: boolean;
    readonly location: string;
  }[];
  readonly staged: { readonly segments: number; readonly objects: number; readonly bytes: number };
  readonly warnings: readonly string[];
  readonly milliseconds: number;
  readonly executionArn: string;
}

/** What `create --json` prints, as far as the tests use it. */
export interface BackupDocument {
  readonly backupName: string;
  readonly location: string;
  readonly segments: number;
  readonly objects: number;
  readonly bytes: number;
  readonly milliseconds: number;
  readonly warnings: readonly string[];
  readonly executionArn: string;
}
