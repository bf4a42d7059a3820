import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { EventBus } from "aws-cdk-lib/aws-events";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { acknowledgeFunction, acknowledgeStateMachine } from "./acknowledgements.ts";
import type { Bundles } from "./bundle.ts";
import { type FunctionSpec, functionSpecs, type Machine, machines, pascalCase } from "./functions.ts";
import {
  assumeRoleStatements,
  dataBucketStatements,
  describeExecutionsStatement,
  environmentStatements,
  workBucketStatements,
} from "./permissions.ts";
import { PipelineFunction } from "./pipeline-function.ts";
import { PipelineStateMachine } from "./pipeline-state-machine.ts";
import type { Settings } from "./settings.ts";
import { WorkBucket } from "./work-bucket.ts";

export interface PipelineStackProps extends StackProps {
  readonly settings: Settings;
  /** The code of the functions. */
  readonly bundles: Pick<Bundles, "directoryOf">;
}

/** The whole pipeline: work bucket, functions, state machines. The CLI finds them by the stack's outputs. */
export class PipelineStack extends Stack {
  readonly functions: ReadonlyMap<string, PipelineFunction>;
  readonly stateMachines: ReadonlyMap<Machine, PipelineStateMachine>;

  private readonly settings: Settings;
  private readonly workBucket: WorkBucket;
  private readonly environmentsPrefix: string;

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    super(scope, id, {
      description: "Serverless backups and migrations for Milvus, in the milvus-backup format",
      ...props,
      stackName: props.settings.stack,
    });
    this.settings = props.settings;
    this.environmentsPrefix = `milvus-backup/${this.settings.stack}/environments/`;
    this.workBucket = new WorkBucket(this, "Work", { retention: Duration.days(this.settings.retentionDays) });
    this.functions = new Map(
      functionSpecs.map((spec) => [spec.name, this.createFunction(spec, props.bundles.directoryOf(spec.name))]),
    );
    this.stateMachines = new Map(machines.map((machine) => [machine, this.createStateMachine(machine)]));

    for (const [machine, { stateMachine }] of this.stateMachines) {
      this.output(`${pascalCase(machine)}StateMachineArn`, stateMachine.stateMachineArn, `Starts a ${machine}`);
    }
    this.output("WorkBucketName", this.workBucket.bucket.bucketName, "Plans, receipts and leases of executions");
    this.output("EnvironmentsPrefix", this.environmentsPrefix, "Names of the environments' secrets begin with it");
  }

  private createFunction(spec: FunctionSpec, code: string): PipelineFunction {
    const { dataBuckets, assumableRoles } = this.settings;
    const created = new PipelineFunction(this, pascalCase(spec.name), {
      spec,
      functionName: `${this.settings.stack}-${spec.name}`,
      code,
      environment: {
        WORK_BUCKET: this.workBucket.bucket.bucketName,
        ENVIRONMENTS_PREFIX: this.environmentsPrefix,
      },
      logRetention: logRetention(this.settings.retentionDays),
      statements: [
        ...workBucketStatements(this.workBucket.bucket, spec.machine),
        ...environmentStatements(this, this.environmentsPrefix, spec.first === true),
        ...dataBucketStatements(dataBuckets, spec.dataAccess),
        ...assumeRoleStatements(assumableRoles),
        ...(spec.first === true ? [describeExecutionsStatement(this, machines.map(this.machineName, this))] : []),
      ],
    });
    acknowledgeFunction(created, spec, {
      workBucket: this.workBucket.bucket,
      environmentsPrefix: this.environmentsPrefix,
      dataBuckets,
      machineNames: machines.map(this.machineName, this),
    });
    return created;
  }

  private createStateMachine(machine: Machine): PipelineStateMachine {
    const stateMachineName = this.machineName(machine);
    const workBucket = this.workBucket.bucket;
    const created = new PipelineStateMachine(this, pascalCase(machine), {
      machine,
      stateMachineName,
      functions: this.functions,
      workBucket,
      eventBus: EventBus.fromEventBusName(this, `${pascalCase(machine)}EventBus`, "default"),
      logRetention: logRetention(this.settings.retentionDays),
    });
    acknowledgeStateMachine(created, { machine, stateMachineName, workBucket });
    return created;
  }

  private machineName(machine: Machine): string {
    return `${this.settings.stack}-${machine}`;
  }

  private output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description });
  }
}

/** The shortest retention CloudWatch Logs has that is at least so long. */
function logRetention(days: number): RetentionDays {
  const choices = Object.values(RetentionDays).filter((value): value is RetentionDays => typeof value === "number");
  return choices.sort((a, b) => a - b).find((choice) => choice >= days) ?? RetentionDays.INFINITE;
}
