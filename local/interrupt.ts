import { LocalStackError } from "./errors.ts";

/** A signal that Ctrl-C aborts, so that what was started can be stopped; a second Ctrl-C leaves at once. */
export function interruptible(): AbortSignal {
  const interrupt = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (interrupt.signal.aborted) process.exit(130);
      process.stderr.write(`${name}: stopping what this command started (again to leave at once)\n`);
      interrupt.abort(new LocalStackError("Interrupted."));
    });
  }
  return interrupt.signal;
}

/** Says why a command ended early, and sets its exit code: 130 for an interruption, otherwise 1. */
export function reportFailure(error: unknown, signal: AbortSignal): void {
  // Whatever an interrupted step fails with, the interruption is the reason.
  const reason: unknown = signal.aborted ? signal.reason : error;
  console.error(reason instanceof LocalStackError ? reason.message : reason);
  process.exitCode = signal.aborted ? 130 : 1;
}
