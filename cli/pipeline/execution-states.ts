import type { PipelineExecutions } from "../../src/ports/pipeline-executions.ts";
import type { Executions } from "../../src/ports/step-context.ts";
import { CliError } from "../errors.ts";

/** What became of executions, as steps ask for it, by the credentials of whoever runs the command; `unknown` where those do not let it ask. */
export function executionStates(executions: () => Promise<PipelineExecutions>): Executions {
  return {
    async state(executionArn) {
      try {
        const found = await (await executions()).describe(executionArn);
        return found?.status === "running" ? "running" : "over";
      } catch (error) {
        if (error instanceof CliError && error.name === "AwsAccessDenied") return "unknown";
        throw error;
      }
    },
  };
}
