import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, readlinkSync, renameSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalStackError } from "./errors.ts";
import { localDir } from "./paths.ts";

/**
 * Every process of the stack carries this variable, and its children inherit it. It says which stack (by its folder) and which
 * service a process belongs to, so that nothing foreign is ever ended: a recorded process id may meanwhile be somebody else's,
 * and a Lambda's process may outlive the emulator that started it, but what the kernel shows in /proc/<pid>/environ stays.
 */
const MARK = "MILVUS_BACKUP_LOCAL";

/** A living process that this stack started. */
export interface StackProcess {
  pid: number;
  parent: number;
  service: string;
  /** Start time in clock ticks since boot: with the pid it names a process for good. */
  startTicks: string;
}

/** The environment variable that marks a service's processes as ours. */
export function markOf(service: string): Record<string, string> {
  return { [MARK]: `${localDir}#${service}` };
}

/** All living processes of the stack, or of one of its services. */
export async function stackProcesses(service?: string): Promise<StackProcess[]> {
  if (!existsSync("/proc/self/environ")) throw new LocalStackError("The local stack needs Linux: it reads /proc.");
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map(stackProcess));
  return found.filter((it) => it !== undefined).filter((it) => service === undefined || it.service === service);
}

/** The process that started the others of its service. */
export function leaderOf(processes: StackProcess[]): StackProcess | undefined {
  const pids = new Set(processes.map((it) => it.pid));
  return processes.find((it) => !pids.has(it.parent));
}

async function stackProcess(pid: number): Promise<StackProcess | undefined> {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, "latin1");
    const mark = environment.split("\0").find((entry) => entry.startsWith(`${MARK}=${localDir}#`));
    if (mark === undefined) return undefined;
    const stat = parseStat(await readFile(`/proc/${pid}/stat`, "latin1"));
    if (stat.state === "Z") return undefined;
    return {
      pid,
      parent: stat.parent,
      startTicks: stat.startTicks,
      service: mark.slice(mark.indexOf("#", MARK.length + 1 + localDir.length) + 1),
    };
  } catch {
    return undefined; // ended meanwhile, or not ours to read
  }
}

/** The fields of /proc/<pid>/stat used here; the command name in it may hold spaces and parentheses. */
export function parseStat(stat: string): { state: string; parent: number; startTicks: string } {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "?", parent: Number(fields[1]), startTicks: fields[19] ?? "0" };
}

/** Start time of a process, which tells it from a later one with the same pid; undefined when there is none. */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = parseStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
    return stat.state === "Z" ? undefined : stat.startTicks;
  } catch {
    return undefined;
  }
}

/** When a process started, as a date. */
export function startedAt(process: Pick<StackProcess, "startTicks">): Date {
  const bootSeconds = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? 0);
  const ticksPerSecond = 100; // USER_HZ, fixed by the kernel's ABI
  return new Date((bootSeconds + Number(process.startTicks) / ticksPerSecond) * 1000);
}

/** A command line as one would type it. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").join(" ").trim();
  } catch {
    return "(ended)";
  }
}

/** What it takes to start a service's process. */
export interface Command {
  file: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
}

/** Starts a process that outlives this one: a session of its own, output into a log, the previous log kept beside it. */
export function spawnDetached(service: string, command: Command, log: string): number {
  if (existsSync(log)) renameSync(log, log.replace(/\.log$/, ".previous.log"));
  const output = openSync(log, "a");
  try {
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: { ...command.env, ...markOf(service) },
      stdio: ["ignore", output, output],
      detached: true,
    });
    child.on("error", () => {}); // seen as a service that ends at once
    child.unref();
    if (child.pid === undefined) throw new LocalStackError(`${service}: ${command.file} cannot be started`);
    return child.pid;
  } finally {
    closeSync(output);
  }
}

/** Ends every process of a service: asked first, forced after `graceMs`. Answers how many there were. */
export async function endProcesses(service: string, graceMs: number): Promise<number> {
  const ended = new Set<number>();
  const forceFrom = performance.now() + graceMs;
  const giveUpAt = forceFrom + 10_000;
  const asked = new Set<number>();
  // Until none is left, as a process may start another while it ends.
  for (;;) {
    const left = await stackProcesses(service);
    if (left.length === 0) return ended.size;
    const now = performance.now();
    if (now > giveUpAt)
      throw new LocalStackError(`${service}: pid ${left.map((it) => it.pid).join(", ")} does not end`);
    for (const it of left) {
      ended.add(it.pid);
      if (now > forceFrom) signal(it, "SIGKILL");
      else if (!asked.has(it.pid)) signal(it, "SIGTERM");
      asked.add(it.pid);
    }
    await sleep(50);
  }
}

function signal(target: StackProcess, name: NodeJS.Signals): void {
  if (startTicksOf(target.pid) !== target.startTicks) return;
  try {
    process.kill(target.pid, name);
  } catch {
    // ended between the look and the signal
  }
}

/** The process that listens on a local TCP port; pid undefined when it belongs to somebody we may not look at. */
export async function listenerOf(port: number): Promise<{ pid?: number; command: string } | undefined> {
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    if (!existsSync(table)) continue;
    for (const inode of listeningInodes(await readFile(table, "latin1"), port)) inodes.add(inode);
  }
  if (inodes.size === 0) return undefined;
  for (const name of await readdir("/proc")) {
    if (/^\d+$/.test(name) && (await holdsSocket(name, inodes))) {
      return { pid: Number(name), command: commandOf(Number(name)) };
    }
  }
  return { command: "a process of another user" };
}

/** The sockets in the kernel's table that listen on a port. */
export function listeningInodes(table: string, port: number): string[] {
  const listening = "0A";
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === listening && Number.parseInt(fields[1]?.split(":")[1] ?? "", 16) === port)
    .map((fields) => fields[9] ?? "");
}

async function holdsSocket(pid: string, inodes: Set<string>): Promise<boolean> {
  try {
    return (await readdir(`/proc/${pid}/fd`)).some((fd) => {
      try {
        return inodes.has(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? "");
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
