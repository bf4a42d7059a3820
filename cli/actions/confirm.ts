import { CliError } from "../errors.ts";
import type { Terminal } from "../output/terminal.ts";

/**
 * Asks before something is deleted for good; throws Interrupted for anything but a yes, and Usage where nobody can answer.
 * @param options.unanswered what to do instead, where nobody can answer
 */
export async function confirm(terminal: Terminal, question: string, options: { unanswered: string }): Promise<void> {
  const answer = await terminal.ask(`${question} [y/N] `);
  if (answer === undefined) throw new CliError("Usage", options.unanswered);
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError("Interrupted", "nothing was deleted");
}
