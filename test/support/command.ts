import { createConnections } from "../../cli/connections.ts";
import { processTerminal } from "../../cli/output/terminal.ts";
import { buildProgram } from "../../cli/program.ts";
import { createVerbHost } from "../../cli/verbs/verb.ts";

/** What the command runs with where it is only read and refused: it gets at nothing. */
export const commandContext = {
  terminal: processTerminal(),
  connections: createConnections({}),
  clock: { now: () => new Date(0), sleep: async () => {} },
};

/** Every verb of the command with its options. */
export const program = buildProgram(
  commandContext.terminal,
  createVerbHost(commandContext, () => {}),
);
