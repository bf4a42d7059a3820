import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalStackError } from "./errors.ts";
import { localDir } from "./paths.ts";
import { commandOf, startTicksOf } from "./processes.ts";
import type { Reporter } from "./reporter.ts";

const lockFile = join(localDir, "lock");
const patienceMs = 10 * 60_000;

/** Runs something that changes the stack while nobody else does; waits for whoever is at it. */
export async function withLock<T>(
  reporter: Reporter,
  signal: AbortSignal | undefined,
  run: () => Promise<T>,
): Promise<T> {
  await mkdir(localDir, { recursive: true });
  const giveUpAt = performance.now() + patienceMs;
  let waitedFor: number | undefined;
  while (!(await tryLock())) {
    const holder = await lockHolder();
    if (holder === undefined) {
      await rm(lockFile, { force: true }); // its holder died
      continue;
    }
    if (performance.now() > giveUpAt) throw new LocalStackError(`Still at work: pid ${holder} (${commandOf(holder)})`);
    if (holder !== waitedFor) {
      reporter({ step: "lock", state: "note", detail: `waiting for pid ${holder} (${commandOf(holder)})` });
      waitedFor = holder;
    }
    await sleep(250, undefined, signal && { signal });
  }
  try {
    return await run();
  } finally {
    await rm(lockFile, { force: true });
  }
}

async function tryLock(): Promise<boolean> {
  try {
    await writeFile(lockFile, `${process.pid} ${startTicksOf(process.pid)}`, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function lockHolder(): Promise<number | undefined> {
  try {
    const [pid = "", startTicks = ""] = (await readFile(lockFile, "utf8")).split(" ");
    return startTicksOf(Number(pid)) === startTicks ? Number(pid) : undefined;
  } catch {
    return undefined;
  }
}
