import type { Clock } from "../../src/ports/clock.ts";
import type { ExecutionDescription, PipelineExecutions } from "../../src/ports/pipeline-executions.ts";
import type { Progress } from "./progress.ts";

/** What is shown of an execution that is going on. */
export interface Following {
  /** The state entered last: `Copy Segments`; undefined before the first. */
  readonly state: string | undefined;
  readonly progress: Progress;
}

/** Quick at first, since small backups take a second or two; slower later, since long ones need no haste. */
const pollMilliseconds = [
  { until: 10_000, wait: 250 },
  { until: 60_000, wait: 1_000 },
  { until: Number.POSITIVE_INFINITY, wait: 2_000 },
] as const;

/** Progress costs several requests, so it is not read with every poll. */
const progressMilliseconds = 1_000;

/** A laptop that changes its network loses a few requests; the execution does not care. */
const toleratedFailures = 5;

/**
 * Asks for an execution until it is over and answers how it ended; undefined where `signal` told it to leave before that.
 * @throws what describing the execution throws
 */
export async function followExecution(options: {
  readonly executions: PipelineExecutions;
  readonly reader: { read(): Promise<Progress> };
  readonly executionArn: string;
  readonly clock: Clock;
  readonly onProgress: (following: Following) => void;
  readonly signal: AbortSignal;
}): Promise<ExecutionDescription | undefined> {
  const { executions, reader, executionArn, clock, onProgress, signal } = options;
  const began = clock.now().getTime();
  const left = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  let nextProgress = began;
  let failures = 0;

  async function describe(): Promise<ExecutionDescription | undefined> {
    try {
      const description = await executions.describe(executionArn);
      failures = 0;
      return description;
    } catch (error) {
      failures += 1;
      if (failures > toleratedFailures) throw error;
      return undefined;
    }
  }

  while (!signal.aborted) {
    const description = await describe();
    if (description !== undefined && description.status !== "running") return description;
    const now = clock.now().getTime();
    const elapsedMilliseconds = now - began;
    if (now >= nextProgress) {
      nextProgress = now + progressMilliseconds;
      const [state, progress] = await Promise.all([executions.currentState(executionArn), reader.read()]);
      onProgress({ state, progress });
    }
    const wait = pollMilliseconds.find(({ until }) => elapsedMilliseconds < until)?.wait ?? 2_000;
    await Promise.race([clock.sleep(wait), left]);
  }
  return undefined;
}
