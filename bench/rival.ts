import { execa } from "execa";
import { projectDir } from "../local/paths.ts";

/** Names a binary of the Go tool, milvus-backup 0.5. */
export const rivalVariable = "MILVUS_BACKUP_GO";

/**
 * Runs the Go tool, or another one, in the project's folder; answers the milliseconds from start to end of its process.
 * @param env added to its environment: what is secret belongs here, as the arguments are told where it fails
 * @throws Error with the end of what it printed where it failed
 */
export async function runRival(
  binary: string,
  args: readonly string[],
  signal: AbortSignal,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const began = performance.now();
  const result = await execa(binary, args, {
    cwd: projectDir,
    env,
    reject: false,
    stdin: "ignore",
    all: true,
    cancelSignal: signal,
    timeout: 600_000,
  });
  signal.throwIfAborted();
  if (result.exitCode !== 0) throw new Error(`${binary} ${args.join(" ")} failed: ${result.all.slice(-2_000)}`);
  return performance.now() - began;
}
