import type { Clock } from "../../src/ports/clock.ts";
import type { ExecutionDescription, PipelineExecutions } from "../../src/ports/pipeline-executions.ts";
import type { Progress, ProgressReader } from "./progress.ts";

/** What is shown of an execution that is going on. */
export interface Following {
  /** The state entered last: `Copy Segments`; undefined before the first. */
  readonly state: string | undefined;
  readonly progress: Progress;
}

/**
 * The wait before the next look is a small part of what was waited for already, so that the end is seen about as soon as it is there: small
 * backups take a second, and long ones need no haste.
 */
const shortestWaitMilliseconds = 50;
const longestWaitMilliseconds = 2_000;
const partOfElapsed = 1 / 50;

/** Progress costs several requests, so it is not read with every poll. */
const progressMilliseconds = 1_000;

/** A laptop that changes its network loses a few requests; the execution does not care. */
const toleratedFailures = 5;

/**
 * Asks for an execution until it is over and answers how it ended; undefined where `signal` told it to leave before that. Progress is
 * read beside that, and never waited for.
 * @param options.quiet nobody is shown any progress: none is read
 * @throws what describing the execution throws
 */
export async function followExecution(options: {
  readonly executions: PipelineExecutions;
  readonly reader: Pick<ProgressReader, "read">;
  readonly executionArn: string;
  readonly clock: Clock;
  readonly quiet: boolean;
  readonly onProgress: (following: Following) => void;
  readonly signal: AbortSignal;
}): Promise<ExecutionDescription | undefined> {
  const { executions, reader, executionArn, clock, quiet, onProgress, signal } = options;
  const began = clock.now().getTime();
  const left = aborted(signal);
  const tolerant = { describing: new Tolerance(), reading: new Tolerance() };
  let nextProgress = quiet ? Number.POSITIVE_INFINITY : began;
  let isReading = false;

  async function readProgress(): Promise<void> {
    isReading = true;
    await tolerant.reading.try(async () => {
      const [state, progress] = await Promise.all([executions.currentState(executionArn), reader.read()]);
      onProgress({ state, progress });
    });
    isReading = false;
  }

  while (!signal.aborted) {
    const description = await Promise.race([tolerant.describing.try(() => executions.describe(executionArn)), left]);
    if (signal.aborted) break;
    if (description !== undefined && description.status !== "running") return description;
    for (const { fault } of Object.values(tolerant)) if (fault !== undefined) throw fault;
    const now = clock.now().getTime();
    if (now >= nextProgress && !isReading) {
      nextProgress = now + progressMilliseconds;
      void readProgress();
    }
    const wait = Math.max(shortestWaitMilliseconds, (now - began) * partOfElapsed);
    await Promise.race([clock.sleep(Math.min(wait, longestWaitMilliseconds)), left]);
  }
  return undefined;
}

/** Comes when `signal` is aborted, at once where it is already. */
export function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

/** Calls that may fail now and then. */
class Tolerance {
  /** What the calls throw again and again; undefined as long as that is tolerated. */
  fault: unknown;
  #failures = 0;

  /** Answers undefined where the call failed. */
  async try<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await call();
      this.#failures = 0;
      return result;
    } catch (error) {
      this.#failures += 1;
      if (this.#failures > toleratedFailures) this.fault = error;
      return undefined;
    }
  }
}
