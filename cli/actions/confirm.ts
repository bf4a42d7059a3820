import { CliError } from "../errors.ts";
import type { Terminal } from "../output/terminal.ts";

/**
 * Asks before something is done that deletes or costs; throws Interrupted for anything but a yes.
 * @param options.unanswered what to do instead where nobody can answer (Usage); absent: then it is done without an answer
 * @param options.declined what did not happen
 */
export async function confirm(
  terminal: Terminal,
  question: string,
  { unanswered, declined = "nothing was deleted" }: { unanswered?: string; declined?: string },
): Promise<void> {
  const answer = await terminal.ask(`${question} [y/N] `);
  if (answer === undefined && unanswered === undefined) return;
  if (answer === undefined) throw new CliError("Usage", unanswered ?? "");
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError("Interrupted", declined);
}
