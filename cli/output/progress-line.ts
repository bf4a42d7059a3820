import { formatDuration } from "./format.ts";
import type { Terminal } from "./terminal.ts";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMilliseconds = 100;
/** How often the same phase is told again where lines cannot be rewritten (CI logs): after a tenth of the time so far, within these bounds. */
const plainMilliseconds = { least: 5_000, most: 60_000 };

const clearLine = "\r\x1b[2K";

/** One line about what goes on and for how long: rewritten with a spinner on a terminal, a plain line now and then elsewhere. */
interface ProgressLine {
  /** `phase` is what changes rarely; a new phase is always shown at once. */
  update(phase: string, text: string): void;
  /** Removes the line (a terminal) or does nothing; further updates are ignored. */
  stop(): void;
}

export const silentProgress: ProgressLine = { update() {}, stop() {} };

/**
 * A progress line on stderr.
 * @param options.now milliseconds
 */
export function createProgressLine(
  terminal: Terminal,
  options: { interactive: boolean; now: () => number },
): ProgressLine {
  return options.interactive ? spinnerLine(terminal, options.now) : plainLines(terminal, options.now);
}

function spinnerLine({ stderr }: Terminal, now: () => number): ProgressLine {
  const began = now();
  let text = "";
  let frame = 0;
  let stopped = false;
  const draw = () => {
    const line = `${frames[frame % frames.length]} ${text}  ${formatDuration(now() - began)}`;
    // A line that wraps cannot be rewritten; a terminal without a size says 0 columns.
    stderr.write(`${clearLine}${cut(line, (stderr.columns || 80) - 1)}`);
  };
  const timer = setInterval(() => {
    frame += 1;
    draw();
  }, frameMilliseconds);
  timer.unref();
  return {
    update(_phase, next) {
      if (stopped) return;
      text = next;
      draw();
    },
    stop() {
      if (stopped) return;
      stopped = true;
      clearInterval(timer);
      stderr.write(clearLine);
    },
  };
}

function plainLines({ stderr }: Terminal, now: () => number): ProgressLine {
  const began = now();
  let lastPhase: string | undefined;
  let lastText = "";
  let lastTime = Number.NEGATIVE_INFINITY;
  let stopped = false;
  const pause = () => Math.min(plainMilliseconds.most, Math.max(plainMilliseconds.least, (now() - began) / 10));
  return {
    update(phase, text) {
      if (stopped || (phase === lastPhase && (text === lastText || now() - lastTime < pause()))) return;
      stderr.write(`${text}  ${formatDuration(now() - began)}\n`);
      lastPhase = phase;
      lastText = text;
      lastTime = now();
    },
    stop() {
      stopped = true;
    },
  };
}

/** Cuts a line to a width in characters. */
function cut(line: string, width: number): string {
  const characters = [...line];
  return characters.length <= width ? line : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`;
}
