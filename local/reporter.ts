/** What happens to a step: it began, said something, ended well or badly, or needed nothing done. */
type StepState = "started" | "note" | "done" | "failed" | "unchanged";

/** One line of progress. */
export interface StepReport {
  step: string;
  state: StepState;
  /** What there is to say about it, in a few words. */
  detail?: string;
  /** How long the step took, once it ended. */
  seconds?: number;
}

/** Receives the progress of the stack; tests and the demo pass their own. */
export type Reporter = (report: StepReport) => void;

/** A reporter for those who want to hear nothing. */
export const silent: Reporter = () => {};

/** What a step may answer: words for its last line, and whether it found nothing to do. */
export interface StepOutcome {
  detail?: string;
  unchanged?: boolean;
}

/** Runs one step and reports its beginning, its end and its duration. */
export async function reportStep<T extends StepOutcome>(
  reporter: Reporter,
  step: string,
  run: () => Promise<T>,
): Promise<T> {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  reporter({ step, state: "started" });
  try {
    const outcome = await run();
    reporter({
      step,
      state: outcome.unchanged ? "unchanged" : "done",
      seconds: seconds(),
      ...(outcome.detail !== undefined && { detail: outcome.detail }),
    });
    return outcome;
  } catch (error) {
    reporter({ step, state: "failed", seconds: seconds() });
    throw error;
  }
}

/** A step's report as one line of a terminal, or nothing when it is not worth a line. */
export function formatReport({ step, state, detail, seconds }: StepReport): string | undefined {
  if (state === "started") return undefined;
  const sign = { note: "·", done: "✓", failed: "✗", unchanged: "=" }[state];
  const time = seconds === undefined ? "" : `${seconds.toFixed(1)} s`;
  return `${sign} ${step.padEnd(14)} ${time.padStart(7)}  ${detail ?? ""}`.trimEnd();
}
