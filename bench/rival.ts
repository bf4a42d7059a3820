import { execa } from "execa";
import { projectDir } from "../local/paths.ts";
import { configs } from "../measure/milvus-backup.ts";

/** Names a binary of the Go tool, milvus-backup 0.5. */
export const rivalVariable = "MILVUS_BACKUP_GO";

/** Milliseconds of both commands of the Go tool, from start to end of its process. */
export interface RivalTimes {
  readonly create: number;
  readonly restore: number;
}

/**
 * Runs the Go tool in the project's folder; answers the milliseconds from start to end of its process.
 * @throws Error with the end of what it printed where it failed
 */
export async function runRival(binary: string, args: readonly string[], signal: AbortSignal): Promise<number> {
  const began = performance.now();
  const result = await execa(binary, args, {
    cwd: projectDir,
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

/** Backs up and restores the same collection with the Go tool, on the same servers and with the same backup.yaml files. */
export async function measureRival(
  binary: string,
  { collection, backupName, suffix }: { collection: string; backupName: string; suffix: string },
  signal: AbortSignal,
): Promise<RivalTimes> {
  const run = (args: readonly string[]) => runRival(binary, args, signal);
  return {
    create: await run(["--config", configs.a, "create", "-c", collection, "-n", backupName]),
    restore: await run(["--config", configs.b, "restore", "-c", collection, "-n", backupName, "-s", suffix]),
  };
}
