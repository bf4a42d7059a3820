import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { type SharedOptions, sharedOptions } from "../options.ts";
import { createOutput, type Output } from "../output/output.ts";

/** One run of a verb, as its action sees it. */
export interface VerbRun<Options> {
  readonly options: Options;
  readonly arguments: readonly string[];
  readonly shared: SharedOptions;
  readonly output: Output;
  readonly context: CliContext;
  /** What the execution that it starts is called; after the verb and the backup where absent. */
  readonly executionName?: string;
  /** Until when it may begin something; absent where it may take its time. */
  readonly until?: Date;
}

/** The same at the command line. */
export interface CommandRun<Options> extends VerbRun<Options> {
  /** The whole command line's tree. */
  readonly program: Command;
}

/** Does a verb's work; may answer an exit code. */
type VerbAction<Options> = (run: CommandRun<Options>) => Promise<number | undefined> | Promise<void>;

/** What a verb file gets to add its command with. */
export interface VerbHost {
  /**
   * Wraps an action for commander.
   * @param load imports it, when its verb is run: a verb's file only says its options, so that `--help` and bad input stay quick
   */
  action<Options>(load: () => Promise<VerbAction<Options>>): (...all: unknown[]) => Promise<void>;
}

/** @param exitWith hears of the exit code an action answered */
export function createVerbHost(context: CliContext, exitWith: (code: number) => void): VerbHost {
  return {
    action<Options>(load: () => Promise<VerbAction<Options>>) {
      // Commander calls with the arguments, the options and the command.
      return async (...all: unknown[]) => {
        const command = all.at(-1) as Command;
        const shared = sharedOptions(command);
        const run = await load();
        const code = await run({
          options: command.opts() as Options,
          arguments: command.args,
          shared,
          output: createOutput(context.terminal, shared),
          context,
          program: rootOf(command),
        });
        if (code !== undefined) exitWith(code);
      };
    },
  };
}

function rootOf(command: Command): Command {
  return command.parent ? rootOf(command.parent) : command;
}

/** The examples at the end of a verb's help. */
export function examples(...lines: readonly (readonly [string, string])[]): string {
  return `\nExamples:\n${lines.map(([comment, command]) => `  # ${comment}\n  milvus-backup ${command}`).join("\n\n")}\n`;
}
