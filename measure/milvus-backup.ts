import { execa } from "execa";
import { awsEnvironment, stackName } from "../local/aws.ts";
import { LocalStackError } from "../local/errors.ts";
import { projectDir } from "../local/paths.ts";

/** The backup.yaml files of the two servers, as one types them in the project's folder. */
export const configs = { a: ".local/milvus-a.yaml", b: ".local/milvus-b.yaml" } as const;

/** How a run of the command is shown and stopped. */
export interface CommandOptions {
  /** Receives what the command prints, line by line. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** The command as a person types it, with `.local/aws.env` sourced. */
export function commandLine(args: readonly string[]): string {
  return `npx milvus-backup ${args.join(" ")}`;
}

/**
 * Runs `milvus-backup` as a process of its own, against the local stack; answers what it printed on stdout.
 * @throws LocalStackError with its error where it failed
 */
export async function milvusBackup(args: readonly string[], { onLine, signal }: CommandOptions = {}): Promise<string> {
  const child = execa(process.execPath, ["cli/bin.js", ...args], {
    cwd: projectDir,
    env: { ...awsEnvironment, MILVUS_BACKUP_STACK: stackName },
    reject: false,
    stdin: "ignore",
    all: true,
    ...(signal && { cancelSignal: signal }),
  });
  if (onLine) for await (const line of child.iterable({ from: "all" })) onLine(line);
  const { exitCode, stdout, stderr, shortMessage } = await child;
  signal?.throwIfAborted();
  if (exitCode === 0) return stdout;
  throw new LocalStackError(`${commandLine(args)} failed: ${stderr.trim() || shortMessage || `exit code ${exitCode}`}`);
}
