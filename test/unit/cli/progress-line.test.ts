import { expect, test } from "vitest";
import { createProgressLine } from "../../../cli/output/progress-line.ts";
import type { Terminal } from "../../../cli/output/terminal.ts";

function memoryTerminal(columns = 80) {
  let written = "";
  const stream = { columns, isTTY: true, write: (text: string) => (written += text) };
  const terminal: Terminal = {
    stdout: stream,
    stderr: stream,
    env: {},
    ask: async () => undefined,
    onInterrupt: () => () => {},
  };
  return { terminal, written: () => written };
}

test("without a terminal a phase is a line, repeated every few seconds while it changes", () => {
  const { terminal, written } = memoryTerminal();
  let now = 0;
  const line = createProgressLine(terminal, { interactive: false, now: () => now });

  line.update("copying", "copying 1/9");
  now = 1_000;
  line.update("copying", "copying 2/9");
  now = 6_000;
  line.update("copying", "copying 5/9");
  line.update("finishing", "finishing");
  line.stop();
  line.update("finishing", "too late");

  expect(written()).toBe("copying 1/9  0.0 s\ncopying 5/9  6.0 s\nfinishing  6.0 s\n");
});

test("without a terminal a long phase is told less and less often: a restore of a day is no log of ten thousand lines", () => {
  const { terminal, written } = memoryTerminal();
  let now = 0;
  const line = createProgressLine(terminal, { interactive: false, now: () => now });

  for (; now < 86_400_000; now += 1_000) line.update("importing", `importing ${now}`);

  const lines = written().split("\n");
  expect(lines.length).toBeGreaterThan(1_400);
  expect(lines.length).toBeLessThan(1_500);
});

test("on a terminal one line is rewritten, never wider than the terminal, and removed at the end", () => {
  const { terminal, written } = memoryTerminal(20);
  const line = createProgressLine(terminal, { interactive: true, now: () => 0 });

  line.update("copying", "copying 1/9 segments of a long story");
  line.stop();

  const drawn = written().split("\x1b[2K");
  expect(drawn.at(1)).toMatch(/^. copying 1\/9 segm…/);
  expect([...(drawn.at(1)?.replace("\r", "") ?? "")].length).toBeLessThan(20);
  expect(written()).not.toContain("\n");
  expect(written().endsWith("\r\x1b[2K")).toBe(true);
});
