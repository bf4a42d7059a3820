import { promisesIn, type SchedulePromise } from "../../src/core/deployment/schedule-promise.ts";
import { type Machine, machines } from "../../src/core/execution/machines.ts";
import { CliError } from "../errors.ts";

/** What a deployed pipeline consists of, as far as the command needs it: outputs of its CloudFormation stack. */
export interface Pipeline {
  readonly stack: string;
  readonly backupStateMachineArn: string;
  /** Absent in a pipeline that was deployed before there were drills. */
  readonly drillStateMachineArn?: string;
  /** Absent in a pipeline that was deployed before there were exports. */
  readonly exportStateMachineArn?: string;
  readonly restoreStateMachineArn: string;
  /** Absent in a pipeline that was deployed before there were transfers. */
  readonly transferStateMachineArn?: string;
  /** Absent in a pipeline that was deployed before there were verifications. */
  readonly verifyStateMachineArn?: string;
  readonly workBucket: string;
  /** Secrets below this prefix are registered environments. */
  readonly environmentsPrefix: string;
  /** Customer-managed key of those secrets; Secrets Manager's own where absent. */
  readonly environmentsKeyArn?: string;
  /** What the schedules of its pipeline.yaml promise. */
  readonly schedules: readonly SchedulePromise[];
}

/** The ARN of one of the pipeline's machines; throws PipelineNotDeployed where it has none. */
export function machineArn(pipeline: Pipeline, machine: Machine): string {
  const arn = arnsOf(pipeline)[machine];
  if (arn !== undefined) return arn;
  throw new CliError(
    "PipelineNotDeployed",
    `the stack ${pipeline.stack} has no state machine ${machine}: deploy the current version`,
  );
}

/**
 * The name of one of the pipeline's functions.
 * @param folder below `functions/`
 */
export function functionName({ environmentsPrefix, stack }: Pipeline, folder: string): string {
  // the pipeline's own name, also where it stands in a stack of another name
  const [, name = stack] = /^milvus-backup\/([^/]+)\//.exec(environmentsPrefix) ?? [];
  return `${name}-${folder}`;
}

/** The machines that a pipeline has. */
export function deployedMachines(pipeline: Pipeline): Machine[] {
  return machines.filter((machine) => arnsOf(pipeline)[machine] !== undefined);
}

function arnsOf(pipeline: Pipeline): Readonly<Record<Machine, string | undefined>> {
  return {
    backup: pipeline.backupStateMachineArn,
    drill: pipeline.drillStateMachineArn,
    export: pipeline.exportStateMachineArn,
    restore: pipeline.restoreStateMachineArn,
    transfer: pipeline.transferStateMachineArn,
    verify: pipeline.verifyStateMachineArn,
  };
}

/** The machine that runs an execution, by its state machine's ARN; undefined for one of another pipeline. */
export function machineOf(pipeline: Pipeline, stateMachineArn: string): Machine | undefined {
  return machines.find((machine) => arnsOf(pipeline)[machine] === stateMachineArn);
}

/** Reads a stack's outputs; throws PipelineNotDeployed where there is no such stack, or it is no pipeline. */
export function pipelineOf(stack: string, outputs: Readonly<Record<string, string>> | undefined): Pipeline {
  const deploy = "deploy it with cdk deploy (the local stack: npm run local -- up), or name another with --stack";
  if (outputs === undefined) {
    throw new CliError("PipelineNotDeployed", `there is no CloudFormation stack ${stack}: ${deploy}`);
  }
  const output = (key: string): string => {
    const value = outputs[key];
    if (value === undefined) {
      throw new CliError(
        "PipelineNotDeployed",
        `the CloudFormation stack ${stack} has no output ${key}: it is no milvus-backup pipeline, or its deployment failed; ${deploy}`,
      );
    }
    return value;
  };
  const environmentsKey = outputs.EnvironmentsKeyArn;
  const drill = outputs.DrillStateMachineArn;
  const exporting = outputs.ExportStateMachineArn;
  const transfer = outputs.TransferStateMachineArn;
  const verify = outputs.VerifyStateMachineArn;
  return {
    stack,
    backupStateMachineArn: output("BackupStateMachineArn"),
    ...(drill !== undefined && { drillStateMachineArn: drill }),
    ...(exporting !== undefined && { exportStateMachineArn: exporting }),
    restoreStateMachineArn: output("RestoreStateMachineArn"),
    ...(transfer !== undefined && { transferStateMachineArn: transfer }),
    ...(verify !== undefined && { verifyStateMachineArn: verify }),
    workBucket: output("WorkBucketName"),
    environmentsPrefix: output("EnvironmentsPrefix"),
    ...(environmentsKey !== undefined && { environmentsKeyArn: environmentsKey }),
    schedules: promisesIn(outputs),
  };
}
