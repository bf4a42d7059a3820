import { setTimeout as sleep } from "node:timers/promises";
import { CommanderError } from "commander";
import { normalizeArguments } from "./arguments.ts";
import { createConnections } from "./connections.ts";
import type { CliContext } from "./context.ts";
import { processTerminal } from "./output/terminal.ts";
import { buildProgram } from "./program.ts";
import { reportError } from "./report-error.ts";
import { createVerbHost } from "./verbs/verb.ts";

/**
 * Runs one command line and answers the exit code: 0 done, 1 failed, 130 left with Ctrl-C while an execution goes on, or may.
 * @param argv without the interpreter and the script
 */
export async function main(argv: readonly string[], context: CliContext = processContext()): Promise<number> {
  let exitCode = 0;
  const host = createVerbHost(context, (code) => {
    exitCode = code;
  });
  const program = buildProgram(context.terminal, host);
  try {
    await program.parseAsync(normalizeArguments(argv, program), { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has said already what is wrong with the command line; help and version are no errors.
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    return reportError(context.terminal, argv, error);
  }
}

function processContext(): CliContext {
  return {
    terminal: processTerminal(),
    connections: createConnections(process.env),
    clock: {
      now: () => new Date(),
      sleep,
    },
  };
}
