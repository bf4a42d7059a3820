import { availableParallelism, cpus, totalmem } from "node:os";
import prettyBytes from "pretty-bytes";
import type { WithStackOptions } from "../measure/with-stack.ts";

/** What every benchmark is told. */
export interface BenchOptions extends WithStackOptions {
  /** A binary of the Go tool. */
  readonly rival: string | undefined;
  /** Receives progress. */
  readonly say: (text: string) => void;
}

/** What a benchmark of several runs is told as well. */
export interface RepeatedOptions extends BenchOptions {
  /** How many runs the medians are of. */
  readonly runs: number;
}

/** Where it was measured: figures of two machines are not compared. */
export interface BenchMachine {
  readonly processor: string;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  readonly node: string;
}

/** This machine. */
export function benchMachine(): BenchMachine {
  return {
    processor: cpus()[0]?.model ?? "?",
    cores: availableParallelism(),
    memory: totalmem(),
    node: process.version,
  };
}

/** `2 cores of AMD EPYC, 25 GB, Node v24.21.0` */
export function machineText({ processor, cores, memory, node }: BenchMachine): string {
  return `${cores} cores of ${processor}, ${prettyBytes(memory)}, Node ${node}`;
}

/** The middle one of some values: of an even number the upper of the two in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** The middle one by a figure of theirs. @throws RangeError for none */
export function medianBy<T>(values: readonly T[], figure: (value: T) => number): T {
  const middle = values.toSorted((a, b) => figure(a) - figure(b))[Math.floor(values.length / 2)];
  if (middle === undefined) throw new RangeError("There is no median of nothing.");
  return middle;
}
