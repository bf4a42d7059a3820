import { type ObjectProblem, objectProblem } from "../../src/core/execution/copy-plan.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import { readFailure } from "../../src/core/execution/failure.ts";
import { parseWorkJson } from "../../src/core/execution/work-json.ts";
import { workLayout } from "../../src/core/execution/work-layout.ts";
import { type VerifyFindings, verifyFindings } from "../../src/core/plan/verify.ts";
import type { ObjectStore } from "../../src/ports/object-store.ts";
import type { ExecutionDescription } from "../../src/ports/pipeline-executions.ts";

/** What a verification found, with every problem by name. */
export interface Findings extends Omit<VerifyFindings, "problems"> {
  readonly counts: VerifyFindings["problems"];
  readonly problems: readonly ObjectProblem[];
}

/**
 * What an execution of `verify` that failed found to be wrong with its backup; undefined where it passed, failed for another reason, or its
 * files may not be read from here: then its own message says what there is to say.
 */
export async function readFindings(work: ObjectStore, execution: ExecutionDescription): Promise<Findings | undefined> {
  const { status, error = "", cause = "", name } = execution;
  if (status !== "failed" || readFailure({ Error: error, Cause: cause }).error !== "CorruptBackup") return undefined;
  const layout = workLayout("verify", name);
  try {
    const text = await work.getTextIfPresent(layout.findings);
    if (text === undefined) return undefined;
    const { problems: counts, ...findings } = parseWorkJson(text, layout.findings, verifyFindings);
    const problems: ObjectProblem[] = [];
    for (let file = 0; file < findings.problemFiles; file += 1) {
      const key = layout.problems(file);
      const lines = (await work.getText(key)).split("\n").filter((line) => line !== "");
      for (const line of lines) problems.push(parseWorkJson(line, key, objectProblem));
    }
    return { ...findings, counts, problems };
  } catch (fault) {
    if (fault instanceof PipelineError) return undefined;
    throw fault;
  }
}
