import { CommanderError } from "commander";
import { PipelineError } from "../src/core/execution/errors.ts";
import { CliError, DetachedError, ExecutionError, InterruptedStartError } from "./errors.ts";
import { createOutput } from "./output/output.ts";
import type { Terminal } from "./output/terminal.ts";

/** Says what went wrong, on stderr and with `--json` as the document on stdout; answers the exit code. */
export function reportError(terminal: Terminal, argv: readonly string[], error: unknown): number {
  const json = argv.includes("--json");
  const output = createOutput(terminal, {
    json,
    quiet: false,
    color: !argv.includes("--no-color") && !argv.includes("--no_color"),
  });
  if (error instanceof DetachedError) {
    output.note(error.message);
    output.note(`Execution: ${error.execution.executionArn}`);
    if (json) output.result(error.execution, "");
    return 130;
  }
  const { name, message } = nameAndMessage(error);
  // Commander has written its message by itself.
  if (!(error instanceof CommanderError)) {
    terminal.stderr.write(`${output.style("red", `Error (${name}):`)} ${message}\n`);
  }
  const isInterruptedStart = error instanceof InterruptedStartError;
  const executionArn = error instanceof ExecutionError || isInterruptedStart ? error.executionArn : undefined;
  if (executionArn !== undefined) terminal.stderr.write(`Execution: ${executionArn}\n`);
  if (terminal.env.MILVUS_BACKUP_DEBUG === "1" && error instanceof Error)
    terminal.stderr.write(`${error.stack ?? ""}\n`);
  const of = executionArn === undefined ? {} : { executionArn };
  if (json) output.result({ kind: "error", version: 1, state: "failed", error: { name, message }, ...of }, "");
  return isInterruptedStart ? 130 : 1;
}

/** What an error is called, and what it says, wherever it comes from. */
export function nameAndMessage(error: unknown): { name: string; message: string } {
  if (error instanceof ExecutionError) return { name: error.error, message: error.message };
  if (error instanceof CliError || error instanceof PipelineError) return { name: error.name, message: error.message };
  if (error instanceof CommanderError) return { name: "Usage", message: error.message.replace(/^error: /, "") };
  return { name: "Unexpected", message: error instanceof Error ? error.message : String(error) };
}
