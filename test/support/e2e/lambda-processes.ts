import { readdir, readFile, readlink } from "node:fs/promises";
import { stackName } from "../../../local/index.ts";
import { commandOf, stackProcesses } from "../../../local/processes.ts";

/**
 * Ends the processes in which the emulator runs one of the pipeline's functions, as if the machine under them had died. Only those at
 * the other end of some connections: the same function may be working for another test.
 * @param ports their ends of these connections (`socket.remotePort` of who accepted them)
 * @returns how many processes that were
 */
export async function killFunction(name: string, ports: readonly number[]): Promise<number> {
  const sockets = await socketsAt(ports);
  let killed = 0;
  for (const { pid } of await stackProcesses("aws")) {
    if (!commandOf(pid).includes(`ministack-lambda-${stackName}-${name}-`)) continue;
    if (!(await holdsOne(pid, sockets))) continue;
    process.kill(pid, "SIGKILL");
    killed += 1;
  }
  return killed;
}

/** The kernel's names of the sockets with these local ports. */
async function socketsAt(ports: readonly number[]): Promise<Set<string>> {
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "latin1")));
  const found = tables.flatMap((table) =>
    table
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => ports.includes(Number.parseInt(fields[1]?.split(":")[1] ?? "", 16)))
      .map((fields) => `socket:[${fields[9]}]`),
  );
  return new Set(found);
}

async function holdsOne(pid: number, sockets: ReadonlySet<string>): Promise<boolean> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
  return links.some((link) => sockets.has(link));
}
