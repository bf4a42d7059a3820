import { readFile } from "node:fs/promises";
import { stackProcesses } from "../local/processes.ts";

/** The most memory that a function's processes took since they started. */
export interface FunctionMemory {
  readonly name: string;
  /** Bytes, resident, of the largest of its processes: the code of Node is part of it. */
  readonly peakBytes: number;
}

/** What the living processes of the pipeline's functions took at most, largest first. Those that ended are not seen. */
export async function functionMemory(): Promise<FunctionMemory[]> {
  const peaks = new Map<string, number>();
  for (const { pid } of await stackProcesses("aws")) {
    const [environment, status] = await Promise.all(
      ["environ", "status"].map((file) => readFile(`/proc/${pid}/${file}`, "latin1").catch(() => "")),
    );
    const name = /(?:^|\0)AWS_LAMBDA_FUNCTION_NAME=([^\0]*)/.exec(environment ?? "")?.[1];
    const kib = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status ?? "")?.[1] ?? 0);
    if (name !== undefined) peaks.set(name, Math.max(peaks.get(name) ?? 0, kib * 1024));
  }
  return [...peaks].map(([name, peakBytes]) => ({ name, peakBytes })).sort((a, b) => b.peakBytes - a.peakBytes);
}
