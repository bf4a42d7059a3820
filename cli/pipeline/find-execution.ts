import type { Machine } from "../../src/core/execution/machines.ts";
import { settleEach } from "../../src/core/execution/settle.ts";
import { executionArnOf } from "../../src/core/execution/state-machine-arn.ts";
import { isDrillRestore } from "../../src/core/plan/drill.ts";
import type { ExecutionDescription, PipelineExecutions } from "../../src/ports/pipeline-executions.ts";
import { CliError } from "../errors.ts";
import { backupOf, inputOf } from "./execution-input.ts";
import { executionNames } from "./execution-name.ts";
import { deployedMachines, machineArn, machineOf, type Pipeline } from "./stack.ts";

export interface FoundExecution {
  readonly machine: Machine;
  readonly execution: ExecutionDescription;
}

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
      ? deployedMachines(pipeline).map((machine) => executionArnOf(machineArn(pipeline, machine), name))
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

interface Among {
  /** All that are deployed where absent. */
  readonly machines?: readonly Machine[];
  /** Only those whose input names it. */
  readonly environment?: string;
}

/**
 * The newest execution that is about a backup of that name; undefined where none of the newest is.
 * Looks into their inputs: their names have the backup's only where the command started them, and cut.
 */
export async function newestAbout(
  executions: PipelineExecutions,
  pipeline: Pipeline,
  backupName: string,
  { machines = deployedMachines(pipeline), environment }: Among = {},
): Promise<FoundExecution | undefined> {
  const ofMachines = await settleEach([...machines], describeConcurrency, async (machine) =>
    (await executions.list(machineArn(pipeline, machine), listed)).map((it) => ({ machine, ...it })),
  );
  const newestFirst = ofMachines
    .flat()
    // The drill that started it says what came of it.
    .filter(({ machine, name }) => !(machine === "restore" && isDrillRestore(name)))
    .sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
    .slice(0, described);
  while (newestFirst.length > 0) {
    const next = newestFirst.splice(0, describeConcurrency);
    const looked = await settleEach(next, describeConcurrency, async ({ machine, arn }) => {
      const execution = await executions.describe(arn);
      if (execution === undefined || backupOf(execution, machine) !== backupName) return undefined;
      return environment === undefined || inputOf(execution).environment === environment
        ? { machine, execution }
        : undefined;
    });
    const found = looked.find((one) => one !== undefined);
    if (found) return found;
  }
  return undefined;
}
