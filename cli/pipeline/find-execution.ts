import type { Machine } from "../../src/core/execution/machines.ts";
import { settleEach } from "../../src/core/execution/settle.ts";
import type { ExecutionDescription, PipelineExecutions } from "../../src/ports/pipeline-executions.ts";
import { CliError } from "../errors.ts";
import { backupOf } from "./execution-input.ts";
import { deployedMachines, machineArn, machineOf, type Pipeline } from "./stack.ts";

export interface FoundExecution {
  readonly machine: Machine;
  readonly execution: ExecutionDescription;
}

/** What Step Functions takes as one; a backup's name may be longer, and asking for it would be an error. */
const executionNames = /^[A-Za-z0-9._-]{1,80}$/;

/** Of each machine, newest first: what one request lists. */
const listed = 1_000;
/** Only their input says which backup they are about. */
const described = 200;
const describeConcurrency = 8;

/**
 * An execution of the pipeline by its ARN or its name, or the newest one that is about a backup of that name.
 * @throws ExecutionNotFound
 */
export async function findExecution(
  executions: PipelineExecutions,
  pipeline: Pipeline,
  name: string,
): Promise<FoundExecution> {
  const arns = name.startsWith("arn:")
    ? [name]
    : executionNames.test(name)
      ? deployedMachines(pipeline).map((machine) => executionArn(machineArn(pipeline, machine), name))
      : [];
  for (const arn of arns) {
    const execution = await executions.describe(arn);
    const machine = execution && machineOf(pipeline, execution.stateMachineArn);
    if (execution && machine) return { machine, execution };
  }
  const found = name.startsWith("arn:") ? undefined : await newestAbout(executions, pipeline, name);
  if (found) return found;
  throw new CliError(
    "ExecutionNotFound",
    `the pipeline ${pipeline.stack} knows no execution ${name}, and none of its newest ${described} is about a backup of that name: milvus-backup executions lists them`,
  );
}

/** Looks into the inputs of the newest executions: their names have the backup's only where the command started them, and cut. */
async function newestAbout(
  executions: PipelineExecutions,
  pipeline: Pipeline,
  backupName: string,
): Promise<FoundExecution | undefined> {
  const ofMachines = await settleEach(deployedMachines(pipeline), describeConcurrency, async (machine) =>
    (await executions.list(machineArn(pipeline, machine), listed)).map((it) => ({ machine, ...it })),
  );
  const newestFirst = ofMachines
    .flat()
    .sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
    .slice(0, described);
  while (newestFirst.length > 0) {
    const next = newestFirst.splice(0, describeConcurrency);
    const looked = await settleEach(next, describeConcurrency, async ({ machine, arn }) => {
      const execution = await executions.describe(arn);
      return execution && backupOf(execution, machine) === backupName ? { machine, execution } : undefined;
    });
    const found = looked.find((one) => one !== undefined);
    if (found) return found;
  }
  return undefined;
}

/** `arn:aws:states:...:stateMachine:backup` and a name give `arn:aws:states:...:execution:backup:<name>`. */
function executionArn(stateMachineArn: string, name: string): string {
  return `${stateMachineArn.replace(":stateMachine:", ":execution:")}:${name}`;
}
