import { CliError } from "../errors.ts";
import type { Terminal } from "../output/terminal.ts";

interface Asked {
  /** Who asks, and does nothing where nobody can answer; absent: then it is done without an answer. */
  readonly verb?: string;
  /** What else a script may add besides `--yes`. */
  readonly instead?: string;
  /** What did not happen after a no. */
  readonly declined?: string;
}

/**
 * Asks before something is done that deletes or costs, on a terminal only.
 * @throws Interrupted for anything but a yes, Usage where nobody can answer
 */
export async function confirm(
  terminal: Terminal,
  question: string,
  { verb, instead, declined = "nothing was deleted" }: Asked,
): Promise<void> {
  const answer = await terminal.ask(`${question} [y/N] `);
  if (answer === undefined && verb === undefined) return;
  if (answer === undefined) {
    const add = ["--yes", ...(instead === undefined ? [] : [instead])].join(", or ");
    throw new CliError("Usage", `${verb} asks first, and nobody can answer here, as this is no terminal: add ${add}`);
  }
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError("Interrupted", declined);
}
