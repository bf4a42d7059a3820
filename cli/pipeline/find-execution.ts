import type { Machine } from "../../src/core/execution/machines.ts";
import type { ExecutionDescription, PipelineExecutions } from "../../src/ports/pipeline-executions.ts";
import { CliError } from "../errors.ts";
import { deployedMachines, machineArn, machineOf, type Pipeline } from "./stack.ts";

export interface FoundExecution {
  readonly machine: Machine;
  readonly execution: ExecutionDescription;
}

/** An execution of the pipeline by its ARN or its name; throws ExecutionNotFound. */
export async function findExecution(
  executions: PipelineExecutions,
  pipeline: Pipeline,
  nameOrArn: string,
): Promise<FoundExecution> {
  const arns = nameOrArn.startsWith("arn:")
    ? [nameOrArn]
    : deployedMachines(pipeline).map((machine) => executionArn(machineArn(pipeline, machine), nameOrArn));
  for (const arn of arns) {
    const execution = await executions.describe(arn);
    const machine = execution && machineOf(pipeline, execution.stateMachineArn);
    if (execution && machine) return { machine, execution };
  }
  throw new CliError(
    "ExecutionNotFound",
    `the pipeline ${pipeline.stack} knows no execution ${nameOrArn}: milvus-backup executions lists the newest`,
  );
}

/** `arn:aws:states:...:stateMachine:backup` and a name give `arn:aws:states:...:execution:backup:<name>`. */
function executionArn(stateMachineArn: string, name: string): string {
  return `${stateMachineArn.replace(":stateMachine:", ":execution:")}:${name}`;
}
