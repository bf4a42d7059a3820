import type { PipelineExecutions } from "../../src/ports/pipeline-executions.ts";
import type { Executions } from "../../src/ports/step-context.ts";

/** What became of executions, as steps ask for it, by the credentials of whoever runs the command. */
export function executionStates(executions: () => Promise<PipelineExecutions>): Executions {
  return {
    async state(executionArn) {
      const found = await (await executions()).describe(executionArn);
      return found?.status === "running" ? "running" : "over";
    },
  };
}
