import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { EventBus } from "aws-cdk-lib/aws-events";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { acknowledgeFunction, acknowledgeStateMachine } from "./acknowledgements.ts";
import { Alarms } from "./alarms.ts";
import type { Bundles } from "./bundle.ts";
import { PipelineDashboard } from "./dashboard.ts";
import {
  type FunctionSpec,
  functionSpecs,
  type Machine,
  machines,
  namesEnvironments,
  pascalCase,
  pruneBackups,
  startTriggeredRestore,
} from "./functions.ts";
import { functionNetwork } from "./network.ts";
import {
  assumeRoleStatements,
  dataBucketStatements,
  describeExecutionsStatement,
  environmentStatements,
  keyStatements,
  networkStatement,
  workBucketStatements,
} from "./permissions.ts";
import { type FunctionNetwork, PipelineFunction } from "./pipeline-function.ts";
import { PipelineStateMachine } from "./pipeline-state-machine.ts";
import { RestoreTriggers } from "./restore-triggers.ts";
import { Schedules } from "./schedules.ts";
import type { Settings } from "./settings.ts";
import { WorkBucket } from "./work-bucket.ts";

export interface PipelineStackProps extends StackProps {
  readonly settings: Settings;
  /** The code of the functions. */
  readonly bundles: Pick<Bundles, "directoryOf">;
}

/**
 * The whole pipeline: work bucket, functions, state machines, and what pipeline.yaml adds: schedules, restore triggers, alarms. The CLI
 * finds them by the stack's outputs.
 */
export class PipelineStack extends Stack {
  readonly functions: ReadonlyMap<string, PipelineFunction>;
  readonly stateMachines: ReadonlyMap<Machine, PipelineStateMachine>;

  readonly #settings: Settings;
  readonly #workBucket: WorkBucket;
  readonly #environmentsPrefix: string;
  readonly #network: FunctionNetwork | undefined;

  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    super(scope, id, {
      description: "Serverless backups and migrations for Milvus, in the milvus-backup format",
      ...props,
      stackName: props.settings.stack,
    });
    this.#settings = props.settings;
    this.#environmentsPrefix = `milvus-backup/${this.#settings.stack}/environments/`;
    this.#workBucket = new WorkBucket(this, "Work", {
      retention: Duration.days(this.#settings.retentionDays),
      keyArn: this.#settings.pipeline.workBucketKeyArn,
    });
    this.#network = functionNetwork(this, this.#settings.pipeline.network);
    this.functions = new Map(
      functionSpecs.map((spec) => [spec.name, this.#createFunction(spec, props.bundles.directoryOf(spec.name))]),
    );
    this.stateMachines = new Map(machines.map((machine) => [machine, this.#createStateMachine(machine)]));

    this.#addEvents(props.bundles);

    for (const [machine, { stateMachine }] of this.stateMachines) {
      this.#output(`${pascalCase(machine)}StateMachineArn`, stateMachine.stateMachineArn, `Starts a ${machine}`);
    }
    this.#output("WorkBucketName", this.#workBucket.bucket.bucketName, "Plans, receipts and leases of executions");
    this.#output("EnvironmentsPrefix", this.#environmentsPrefix, "Names of the environments' secrets begin with it");
  }

  /** What pipeline.yaml adds to the machines. */
  #addEvents(bundles: PipelineStackProps["bundles"]): void {
    const { stack, pipeline } = this.#settings;
    const { schedules, restoreTriggers } = pipeline;
    const eventFunctions = new Map<string, PipelineFunction>();
    const add = (spec: FunctionSpec, extra: FunctionExtra) => {
      const created = this.#createFunction(spec, bundles.directoryOf(spec.name), extra);
      // EventBridge tries twice more on its own; a fault that lasts is told once more, not for hours.
      created.function.configureAsyncInvoke({ retryAttempts: 1 });
      eventFunctions.set(spec.name, created);
      return created.function;
    };
    const { stateMachine: backupMachine } = required(this.stateMachines.get("backup"));
    const { stateMachine: restoreMachine } = required(this.stateMachines.get("restore"));
    if (schedules.length > 0) {
      const prune = schedules.some(({ keep }) => keep !== undefined)
        ? add(pruneBackups, {
            statements: [
              new PolicyStatement({
                sid: "Announce",
                actions: ["events:PutEvents"],
                resources: [EventBus.fromEventBusName(this, "RetentionEventBus", "default").eventBusArn],
              }),
            ],
          })
        : undefined;
      new Schedules(this, "Schedules", { stack, schedules, backupMachine, pruneBackups: prune });
    }
    if (restoreTriggers.length > 0) {
      const start = add(startTriggeredRestore, {
        environment: { RESTORE_STATE_MACHINE_ARN: restoreMachine.stateMachineArn },
        statements: [
          new PolicyStatement({
            sid: "StartRestores",
            actions: ["states:StartExecution"],
            resources: [restoreMachine.stateMachineArn],
          }),
        ],
      });
      new RestoreTriggers(this, "RestoreTriggers", { triggers: restoreTriggers, startTriggeredRestore: start });
    }
    if (pipeline.alarms === undefined) return;
    const stateMachines = new Map([...this.stateMachines].map(([name, created]) => [name, created.stateMachine]));
    const functionsOf = (all: ReadonlyMap<string, PipelineFunction>) =>
      new Map([...all].map(([name, created]) => [name, created.function]));
    const { alarms } = new Alarms(this, "Alarms", {
      stack,
      config: pipeline.alarms,
      stateMachines,
      eventFunctions: functionsOf(eventFunctions),
      schedules,
    });
    if (!pipeline.alarms.dashboard) return;
    const functions = new Map([...functionsOf(this.functions), ...functionsOf(eventFunctions)]);
    new PipelineDashboard(this, "Overview", { stack, alarms, stateMachines, functions, schedules });
  }

  #createFunction(spec: FunctionSpec, code: string, extra: FunctionExtra = {}): PipelineFunction {
    const { dataBuckets, assumableRoles, dataKeys, pipeline } = this.#settings;
    const created = new PipelineFunction(this, pascalCase(spec.name), {
      spec,
      functionName: `${this.#settings.stack}-${spec.name}`,
      code,
      environment: {
        WORK_BUCKET: this.#workBucket.bucket.bucketName,
        ENVIRONMENTS_PREFIX: this.#environmentsPrefix,
        STACK_NAME: this.#settings.stack,
        ...extra.environment,
      },
      network: this.#network,
      logRetention: logRetention(this.#settings.retentionDays),
      statements: [
        ...workBucketStatements(this.#workBucket.bucket, spec.machine),
        ...environmentStatements(this, this.#environmentsPrefix, namesEnvironments(spec)),
        ...dataBucketStatements(dataBuckets, spec.dataAccess),
        ...assumeRoleStatements(assumableRoles),
        ...keyStatements("UseDataKeys", dataKeys, spec.dataAccess),
        ...(spec.machine === "none"
          ? []
          : keyStatements(
              "UseWorkBucketKey",
              optional(pipeline.workBucketKeyArn),
              spec.machine === "retention" ? ["read"] : ["read", "write"],
            )),
        ...(this.#network ? [networkStatement()] : []),
        ...(extra.statements ?? []),
        ...(spec.first === true ? [describeExecutionsStatement(this, machines.map(this.#machineName, this))] : []),
      ],
    });
    acknowledgeFunction(created, spec, {
      workBucket: this.#workBucket.bucket,
      environmentsPrefix: this.#environmentsPrefix,
      dataBuckets,
      machineNames: machines.map(this.#machineName, this),
      inNetwork: this.#network !== undefined,
    });
    return created;
  }

  #createStateMachine(machine: Machine): PipelineStateMachine {
    const stateMachineName = this.#machineName(machine);
    const workBucket = this.#workBucket.bucket;
    const created = new PipelineStateMachine(this, pascalCase(machine), {
      machine,
      stateMachineName,
      functions: this.functions,
      workBucket,
      workBucketKeyArn: this.#settings.pipeline.workBucketKeyArn,
      eventBus: EventBus.fromEventBusName(this, `${pascalCase(machine)}EventBus`, "default"),
      logRetention: logRetention(this.#settings.retentionDays),
    });
    acknowledgeStateMachine(created, { machine, stateMachineName, workBucket });
    return created;
  }

  #machineName(machine: Machine): string {
    return `${this.#settings.stack}-${machine}`;
  }

  #output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description });
  }
}

/** What only one function has. */
interface FunctionExtra {
  readonly environment?: Readonly<Record<string, string>>;
  readonly statements?: readonly PolicyStatement[];
}

function optional<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a state machine is missing");
  return value;
}

/** The shortest retention CloudWatch Logs has that is at least so long. */
function logRetention(days: number): RetentionDays {
  const choices = Object.values(RetentionDays).filter((value): value is RetentionDays => typeof value === "number");
  return choices.sort((a, b) => a - b).find((choice) => choice >= days) ?? RetentionDays.INFINITE;
}
