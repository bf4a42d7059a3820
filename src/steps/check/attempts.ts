import type { CheckResult } from "../../core/check/result.ts";
import { missingStatements, type NeededStatement, type Runner, type Side } from "../../core/check/statements.ts";
import type { Environment } from "../../core/environment/environment.ts";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";

/** What was tried so far, in order. A fault is an outcome: whatever is wrong, what comes after it is tried too. */
export class Attempts {
  readonly results: CheckResult[] = [];
  readonly #environment: Environment;
  readonly #runner: Runner;

  constructor(environment: Environment, runner: Runner) {
    this.#environment = environment;
    this.#runner = runner;
  }

  /**
   * @param side whose credentials sign, where that tells which statement is missing; undefined: no store's
   * @param run answers what was found
   * @returns the fault; undefined where all is well
   */
  async try(
    check: string,
    side: Side | undefined | ((fault: PipelineError) => Side),
    run: () => Promise<string>,
  ): Promise<unknown> {
    try {
      this.results.push({ check, ok: true, detail: await run() });
      return undefined;
    } catch (error) {
      const missing = this.#missing(side, error);
      this.results.push({ check, ok: false, detail: messageOf(error), ...(missing.length > 0 && { missing }) });
      return error;
    }
  }

  #missing(side: Side | undefined | ((fault: PipelineError) => Side), error: unknown): NeededStatement[] {
    if (side === undefined || !(error instanceof PipelineError)) return [];
    const signing = typeof side === "string" ? side : side(error);
    return missingStatements(this.#environment, signing, error, this.#runner);
  }
}

/** Whether a store refused one permission, so that others may well be there. */
export function isDenied(fault: unknown): boolean {
  return fault instanceof PipelineError && fault.details.denied === true;
}
