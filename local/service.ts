import { mkdir, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalStackError } from "./errors.ts";
import { logsDir } from "./paths.ts";
import {
  type Command,
  endProcesses,
  leaderOf,
  listenerOf,
  spawnDetached,
  stackProcesses,
  startedAt,
} from "./processes.ts";
import type { StepOutcome } from "./reporter.ts";
import { logFileOf, tailOf } from "./tool.ts";

/** A server of the stack. */
export interface Service {
  /** Names its log, its processes and its line in the status. */
  name: string;
  /** Where its users reach it. */
  address: string;
  /** Every port it listens on. */
  ports: number[];
  /** What it keeps on disk; removed when it starts afresh and when the stack goes down. */
  dataDirs: string[];
  /** Whether all that counts is in its memory, so that every start is one from nothing. */
  inMemory?: boolean;
  /** How long a start may take. */
  startTimeoutMs: number;
  /** Writes its configuration and says how to start it. */
  prepare(): Promise<Command>;
  /** @throws the reason why it is not healthy */
  checkHealth(signal: AbortSignal): Promise<void>;
  /** Tells the data it keeps on disk from what it kept before it last started from nothing. */
  dataId?(): Promise<string | undefined>;
  /** What has to be there before anybody uses it; runs at every `up`, so it has to be safe to repeat. */
  provision?(): Promise<void>;
}

/** How a service is. */
export interface ServiceStatus {
  name: string;
  address: string;
  pid?: number;
  health: "healthy" | "unhealthy" | "stopped";
  /** Why it is not healthy. */
  reason?: string;
  /** Start of its process, as ISO 8601. */
  since?: string;
}

/** What starting a service came to. */
export interface StartOutcome extends StepOutcome {
  /** Whether this call started its process. */
  started: boolean;
}

const probeTimeoutMs = 5_000;
const stopGraceMs = 5_000;

/** Says how a service is, now. */
export async function statusOf(service: Service): Promise<ServiceStatus> {
  const leader = leaderOf(await stackProcesses(service.name));
  const base = { name: service.name, address: service.address };
  if (leader === undefined) return { ...base, health: "stopped" };
  const reason = await whyUnhealthy(service);
  return {
    ...base,
    pid: leader.pid,
    since: startedAt(leader).toISOString(),
    health: reason === undefined ? "healthy" : "unhealthy",
    ...(reason !== undefined && { reason }),
  };
}

/** @throws naming the processes, when ports of these services are in other hands */
export async function assertPortsFree(services: Service[]): Promise<void> {
  const taken = new Map<string, number[]>();
  for (const service of services) {
    const own = new Set((await stackProcesses(service.name)).map((it) => it.pid));
    for (const port of service.ports) {
      const listener = await listenerOf(port);
      if (listener === undefined || (listener.pid !== undefined && own.has(listener.pid))) continue;
      const who = listener.pid === undefined ? listener.command : `pid ${listener.pid}: ${listener.command}`;
      const line = `${service.name} needs a port that is taken by ${who}`;
      taken.set(line, [...(taken.get(line) ?? []), port]);
    }
  }
  if (taken.size === 0) return;
  throw new LocalStackError([...taken].map(([line, ports]) => `${line} (${ports.join(", ")})`).join("\n"));
}

/** What can be said about starting a service. */
export interface StartOptions {
  /** Start it without the data it has, even when it is healthy. */
  afresh?: boolean;
  signal?: AbortSignal | undefined;
  /** Called right before its process starts. */
  onStart?: (afresh: boolean) => void;
}

/** Brings a service up: leaves a healthy one alone, otherwise ends what is left of it and starts it. */
export async function startService(
  service: Service,
  { afresh = false, signal, onStart }: StartOptions = {},
): Promise<StartOutcome> {
  signal?.throwIfAborted();
  if (!afresh && (await isHealthy(service, signal))) {
    await service.provision?.();
    return { started: false, unchanged: true, detail: `healthy at ${service.address}` };
  }
  const leftOver = await endProcesses(service.name, stopGraceMs);
  await assertPortsFree([service]);
  const fromNothing = afresh || service.inMemory === true;
  if (fromNothing) await removeAll(service.dataDirs);
  for (const folder of [...service.dataDirs, logsDir]) await mkdir(folder, { recursive: true });
  const command = await service.prepare();
  signal?.throwIfAborted();
  onStart?.(fromNothing);
  const pid = spawnDetached(service.name, command, logFileOf(service.name));
  try {
    await untilHealthy(service, signal);
    await service.provision?.();
  } catch (error) {
    await endProcesses(service.name, stopGraceMs);
    throw error;
  }
  const restarted = leftOver > 0 ? ", after ending what was left of the last one" : "";
  return { started: true, detail: `${service.address}, pid ${pid}${restarted}` };
}

/** Tells one run of a service from the next; undefined when it does not run. */
export async function runOf(service: Pick<Service, "name">): Promise<string | undefined> {
  const leader = leaderOf(await stackProcesses(service.name));
  return leader && `${leader.pid} ${leader.startTicks}`;
}

/** Ends a service and removes what it kept, unless told to keep it. Answers how many processes it ended. */
export async function stopService(
  service: Pick<Service, "name" | "dataDirs">,
  { keepData = false }: { keepData?: boolean } = {},
): Promise<number> {
  const ended = await endProcesses(service.name, stopGraceMs);
  if (!keepData) await removeAll(service.dataDirs);
  return ended;
}

async function removeAll(folders: string[]): Promise<void> {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
}

async function isHealthy(service: Service, signal: AbortSignal | undefined): Promise<boolean> {
  // A service at work on a busy machine may be slow to answer, and one that was just started is not ready yet.
  for (let attempt = 0; attempt < 5; attempt++) {
    if (leaderOf(await stackProcesses(service.name)) === undefined) return false;
    if ((await whyUnhealthy(service, signal)) === undefined) return true;
    await sleep(500, undefined, signal && { signal });
  }
  return false;
}

async function whyUnhealthy(service: Service, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const timeout = AbortSignal.timeout(probeTimeoutMs);
    await service.checkHealth(signal === undefined ? timeout : AbortSignal.any([signal, timeout]));
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

async function untilHealthy(service: Service, signal: AbortSignal | undefined): Promise<void> {
  const giveUpAt = performance.now() + service.startTimeoutMs;
  for (;;) {
    const reason = await whyUnhealthy(service, signal);
    if (reason === undefined) return;
    signal?.throwIfAborted();
    const log = logFileOf(service.name);
    if ((await stackProcesses(service.name)).length === 0) {
      throw new LocalStackError(
        `${service.name} ended while it started. Its last words (${log}):\n${await tailOf(log)}`,
      );
    }
    if (performance.now() > giveUpAt) {
      const seconds = service.startTimeoutMs / 1000;
      throw new LocalStackError(`${service.name} is not healthy after ${seconds} s: ${reason}. See ${log}`);
    }
    await sleep(100, undefined, signal && { signal });
  }
}

/** The innermost reason: fetch says only "fetch failed" and hides the rest in its cause. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.cause instanceof Error && error.cause.message !== "") return error.cause.message;
  return error instanceof Error ? error.message : String(error);
}
