import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { EventBus, type IEventBus, type IRule } from "aws-cdk-lib/aws-events";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import type { AllowedEnvironments, EnvironmentUse } from "../src/core/deployment/allowed-environments.ts";
import { problemOfRoots } from "../src/core/deployment/bucket-root.ts";
import type { PipelineConfig } from "../src/core/deployment/config.ts";
import { promiseOutputs } from "../src/core/deployment/schedule-promise.ts";
import type { FunctionEnvironment } from "../src/core/execution/function-environment.ts";
import { type Machine, machines } from "../src/core/execution/machines.ts";
import { Alarms } from "./alarms.ts";
import { RestApi } from "./api.ts";
import type { Bundles } from "./bundle.ts";
import { PipelineDashboard } from "./dashboard.ts";
import { DeadLetters } from "./dead-letters.ts";
import { type EncryptionKeys, encryptionKeysOf } from "./encryption.ts";
import {
  type FunctionSpec,
  functionSpecs,
  namesEnvironments,
  type Owner,
  pascalCase,
  pruneBackups,
  serveApi,
  startTriggeredRestore,
  writeReport,
} from "./functions.ts";
import type { Grant } from "./grants.ts";
import { type FunctionNetwork, functionNetwork } from "./network.ts";
import type { People } from "./people.ts";
import {
  announceGrant,
  apiExecutionsGrants,
  assumeRoleGrants,
  checkFunctionsGrant,
  dataGrants,
  describeExecutionsGrant,
  environmentGrants,
  environmentKeyGrants,
  keyGrants,
  keyUseOf,
  networkGrant,
  signingGrants,
  statesArn,
  stopExecutionsGrant,
  workBucketGrants,
} from "./permissions.ts";
import { PipelineFunction } from "./pipeline-function.ts";
import { PipelineStateMachine } from "./pipeline-state-machine.ts";
import { Reports, reportsGroup } from "./reports.ts";
import { RestoreTriggers } from "./restore-triggers.ts";
import { Schedules } from "./schedules.ts";
import { dataOf, type Settings } from "./settings.ts";
import { WorkBucket } from "./work-bucket.ts";

export interface PipelineProps {
  readonly settings: Settings;
  /** The code of the functions. */
  readonly bundles: Pick<Bundles, "directoryOf">;
  /** Where the functions run; what the settings say where absent. */
  readonly network?: FunctionNetwork | undefined;
}

/** The stack of `cdk deploy` in this project: the pipeline and nothing else. */
export class PipelineStack extends Stack {
  readonly functions: ReadonlyMap<string, PipelineFunction>;

  constructor(scope: Construct, id: string, props: StackProps & PipelineProps) {
    super(scope, id, {
      description: "Serverless backups and migrations for Milvus, in the milvus-backup format",
      ...props,
      stackName: props.settings.stack,
    });
    // CDK leaves the id Default out of logical IDs: they are those of a stack that holds its parts itself.
    ({ functions: this.functions } = new Pipeline(this, "Default", props));
  }
}

/**
 * The whole pipeline: work bucket, functions, state machines, and what pipeline.yaml adds: schedules, restore triggers, alarms. The CLI
 * finds them by the stack's outputs.
 */
export class Pipeline extends Construct {
  readonly functions: ReadonlyMap<string, PipelineFunction>;
  readonly stateMachines: ReadonlyMap<Machine, PipelineStateMachine>;
  /** Told of failures and alarms; absent without the section `alarms`. */
  readonly topic: ITopic | undefined;
  /** The REST API; absent without the section `api`. */
  readonly api: RestApi | undefined;

  readonly #settings: Settings;
  readonly #keys: EncryptionKeys;
  readonly #workBucket: WorkBucket;
  readonly #environmentsPrefix: string;
  readonly #network: FunctionNetwork | undefined;
  /** The default bus of the account: the rules of the stack listen to it too. */
  readonly #eventBus: IEventBus;

  constructor(scope: Construct, id: string, props: PipelineProps) {
    super(scope, id);
    this.#settings = props.settings;
    this.#keys = encryptionKeysOf(props.settings.pipeline);
    const { milvusBuckets, backupBuckets, exportBuckets } = dataOf(this.#settings);
    const problem = problemOfRoots(milvusBuckets, backupBuckets, exportBuckets);
    if (problem !== undefined) throw new Error(problem);
    this.#environmentsPrefix = `milvus-backup/${this.#settings.stack}/environments/`;
    this.#workBucket = new WorkBucket(this, "Work", {
      retention: Duration.days(this.#settings.retentionDays),
      keyArn: this.#keys.workBucket,
    });
    this.#network = props.network ?? functionNetwork(this, this.#settings.pipeline.network);
    this.#eventBus = EventBus.fromEventBusName(this, "EventBus", "default");
    this.functions = new Map(
      functionSpecs.map((spec) => [spec.name, this.#createFunction(spec, props.bundles.directoryOf(spec.name))]),
    );
    this.stateMachines = new Map(machines.map((machine) => [machine, this.#createStateMachine(machine)]));

    const eventFunctions = new Map<string, PipelineFunction>();
    this.api = this.#addApi(props.bundles, eventFunctions);
    this.topic = this.#addEvents(props.bundles, eventFunctions);

    for (const [machine, { stateMachine }] of this.stateMachines) {
      this.#output(`${pascalCase(machine)}StateMachineArn`, stateMachine.stateMachineArn, `Starts a ${machine}`);
    }
    this.#output("WorkBucketName", this.#workBucket.bucket.bucketName, "Plans and receipts of executions");
    for (const { id: output, value } of promiseOutputs(this.#settings.pipeline.schedules)) {
      this.#output(output, value, "What a schedule promises");
    }
    this.#output("EnvironmentsPrefix", this.#environmentsPrefix, "Names of the environments' secrets begin with it");
    if (this.#keys.environments !== undefined) {
      this.#output("EnvironmentsKeyArn", this.#keys.environments, "Environments' secrets are encrypted with it");
    }
  }

  /** What the roles of people are about. */
  get people(): People {
    const { bucketArn: workBucketArn } = this.#workBucket.bucket;
    return { name: this.#settings.stack, machines, workBucketArn, workBucketKeyArn: this.#keys.workBucket };
  }

  /** The REST API, with the function behind it. */
  #addApi(bundles: PipelineProps["bundles"], eventFunctions: Map<string, PipelineFunction>): RestApi | undefined {
    const { stack, pipeline, retentionDays } = this.#settings;
    if (pipeline.api === undefined) return undefined;
    const { environment } = pipeline.api;
    const [backup, restore] = (["backup", "restore"] as const).map(
      (machine) => required(this.stateMachines.get(machine)).stateMachine.stateMachineArn,
    ) as [string, string];
    const checking = ["prepare-backup", "copy-segments"].map(
      (name) => required(this.functions.get(name)).function.functionArn,
    );
    const created = this.#createFunction(serveApi, bundles.directoryOf(serveApi.name), {
      environments: [environment],
      environment: {
        API_ENVIRONMENT: environment,
        BACKUP_STATE_MACHINE_ARN: backup,
        RESTORE_STATE_MACHINE_ARN: restore,
      },
      grants: [...apiExecutionsGrants({ backup, restore }), checkFunctionsGrant(checking)],
    });
    eventFunctions.set(serveApi.name, created);
    const api = new RestApi(this, "RestApi", {
      stack,
      serveApi: created.live,
      logRetention: logRetention(retentionDays),
      logsKeyArn: this.#keys.logs,
    });
    this.#output("ApiUrl", api.url, "milvus-backup's REST API; requests are signed (SigV4)");
    return api;
  }

  /** What pipeline.yaml adds to the machines; answers the topic of its alarms. */
  #addEvents(bundles: PipelineProps["bundles"], eventFunctions: Map<string, PipelineFunction>): ITopic | undefined {
    const { stack, pipeline } = this.#settings;
    const { schedules, drills, restoreTriggers } = pipeline;
    const events = schedules.length + drills.length + restoreTriggers.length + pipeline.reports.length;
    if (events === 0 && pipeline.alarms === undefined) return undefined;
    const deadLetters = new DeadLetters(this, "DeadLetters", { keyArn: this.#keys.deadLetters });
    this.#output("DeadLetterQueueUrl", deadLetters.queue.queueUrl, "What could not be started");
    const rules = new Map<string, IRule>();
    const scheduleGroups = new Map<string, string>();
    const add = (spec: FunctionSpec, extra: FunctionExtra) => {
      const grants = [...(extra.grants ?? []), ...deadLetters.grants];
      const created = this.#createFunction(spec, bundles.directoryOf(spec.name), { ...extra, grants });
      // EventBridge tries twice more on its own; a fault that lasts is told once more, not for hours.
      created.live.configureAsyncInvoke({ retryAttempts: 1, onFailure: deadLetters.destination });
      eventFunctions.set(spec.name, created);
      return created.live;
    };
    const { stateMachine: backupMachine } = required(this.stateMachines.get("backup"));
    const { stateMachine: restoreMachine } = required(this.stateMachines.get("restore"));
    const { stateMachine: drillMachine } = required(this.stateMachines.get("drill"));
    const { stateMachine: verifyMachine } = required(this.stateMachines.get("verify"));
    if (schedules.length + drills.length > 0) {
      const prune = schedules.some(({ keep }) => keep !== undefined)
        ? add(pruneBackups, {
            environments: schedules.flatMap(({ environment, keep }) => (keep === undefined ? [] : [environment])),
            grants: [announceGrant(this.#eventBus)],
          })
        : undefined;
      const machines = { backupMachine, drillMachine, verifyMachine };
      const created = new Schedules(this, "Schedules", {
        ...{ stack, schedules, drills, ...machines, deadLetters },
        pruneBackups: prune,
      });
      for (const [name, rule] of created.rules) rules.set(name, rule);
      scheduleGroups.set("schedules", stack);
    }
    if (restoreTriggers.length > 0) {
      const start = add(startTriggeredRestore, {
        environments: restoreTriggers.map(({ environment, from }) => from ?? environment),
        environment: { RESTORE_STATE_MACHINE_ARN: restoreMachine.stateMachineArn },
        grants: [
          {
            sid: "StartRestores",
            actions: ["states:StartExecution"],
            resources: [restoreMachine.stateMachineArn],
          },
        ],
      });
      const created = new RestoreTriggers(this, "RestoreTriggers", {
        stack,
        triggers: restoreTriggers,
        startTriggeredRestore: start,
        eventBus: this.#eventBus,
        deadLetters,
      });
      for (const [name, rule] of created.rules) rules.set(name, rule);
    }
    if (pipeline.reports.length > 0) {
      const write = add(writeReport, {
        environments: pipeline.reports.map(({ environment }) => environment),
        environment: { BACKUP_STATE_MACHINE_ARN: backupMachine.stateMachineArn },
      });
      new Reports(this, "Reports", { stack, reports: pipeline.reports, schedules, writeReport: write, deadLetters });
      scheduleGroups.set("reports", reportsGroup(stack));
    }
    if (pipeline.alarms === undefined) return undefined;
    const stateMachines = new Map([...this.stateMachines].map(([name, created]) => [name, created.stateMachine]));
    const functionsOf = (all: ReadonlyMap<string, PipelineFunction>) =>
      new Map([...all].map(([name, created]) => [name, created.function]));
    const { alarms, topic } = new Alarms(this, "Alarms", {
      stack,
      config: pipeline.alarms,
      topicKeyArn: this.#keys.topic,
      stateMachines,
      eventFunctions: functionsOf(eventFunctions),
      rules,
      scheduleGroups,
      deadLetters,
      schedules,
      drills,
    });
    new CfnOutput(this, "TopicArn", { value: topic.topicArn, description: "Failures and alarms" });
    if (!pipeline.alarms.dashboard) return topic;
    const functions = new Map([...functionsOf(this.functions), ...functionsOf(eventFunctions)]);
    new PipelineDashboard(this, "Overview", { stack, alarms, stateMachines, functions, schedules, drills });
    return topic;
  }

  #createFunction(spec: FunctionSpec, code: string, extra: FunctionExtra = {}): PipelineFunction {
    const { pipeline } = this.#settings;
    const reached = extra.environments ?? reachedEnvironments(pipeline.allowedEnvironments, spec.machine);
    const names = reached && [...new Set(reached)];
    const data = dataOf(this.#settings, names);
    return new PipelineFunction(this, pascalCase(spec.name), {
      spec,
      functionName: `${this.#settings.stack}-${spec.name}`,
      config: pipeline.functions[spec.name],
      code,
      environment: {
        WORK_BUCKET: this.#workBucket.bucket.bucketName,
        ENVIRONMENTS_PREFIX: this.#environmentsPrefix,
        STACK_NAME: this.#settings.stack,
        ALLOWED_ENVIRONMENTS: JSON.stringify(pipeline.allowedEnvironments),
        ROLE_PATH: this.#rolePath,
        ...(spec.signs && pipeline.signBackups !== undefined && { SIGN_BACKUPS: pipeline.signBackups }),
        ...(spec.runsRestores && {
          RESTORE_STATE_MACHINE_ARN: statesArn(this, "stateMachine", this.#machineName("restore")),
        }),
        ...extra.environment,
      },
      network: this.#network,
      logRetention: logRetention(this.#settings.retentionDays),
      keys: this.#keys,
      rolePath: this.#rolePath,
      grants: [
        ...workBucketGrants(this.#workBucket.bucket, spec.machine, {
          keeps: spec.keepsWork ?? false,
          reads: spec.writesNoWork ?? false,
        }),
        ...environmentGrants(this, this.#environmentsPrefix, {
          listNames: namesEnvironments(spec),
          names: spec.seesAllEnvironments ? undefined : names,
        }),
        ...environmentKeyGrants(this.#keys.environments),
        ...(spec.dataAccess
          ? [
              ...dataGrants(data, spec.dataAccess),
              ...assumeRoleGrants(data.assumableRoles),
              ...keyGrants("UseDataKeys", data.dataKeys, keyUseOf(spec.dataAccess)),
            ]
          : []),
        ...(spec.machine === "none"
          ? []
          : keyGrants(
              "UseWorkBucketKey",
              optional(this.#keys.workBucket),
              spec.machine === "retention" || spec.machine === "api" || spec.writesNoWork
                ? ["read"]
                : ["read", "write"],
            )),
        ...(spec.signs ? signingGrants("SignBackups", "kms:Sign", optional(pipeline.signBackups)) : []),
        ...(spec.verifiesSignatures ? signingGrants("VerifySignatures", "kms:Verify", signingKeysOf(pipeline)) : []),
        ...(this.#network ? [networkGrant()] : []),
        ...(extra.grants ?? []),
        ...(spec.runsRestores ? [stopExecutionsGrant(this, this.#machineName("restore"))] : []),
        ...(spec.first === true || spec.asks === true
          ? [describeExecutionsGrant(this, machines.map(this.#machineName, this))]
          : []),
      ],
    });
  }

  #createStateMachine(machine: Machine): PipelineStateMachine {
    return new PipelineStateMachine(this, pascalCase(machine), {
      machine,
      stack: this.#settings.stack,
      stateMachineName: this.#machineName(machine),
      functions: this.functions,
      ...(machine === "drill" && { runs: this.#machineName("restore") }),
      workBucket: this.#workBucket.bucket,
      keys: this.#keys,
      eventBus: this.#eventBus,
      logRetention: logRetention(this.#settings.retentionDays),
      maxConcurrency: this.#settings.pipeline.maxConcurrency,
    });
  }

  /** What others trust: a name would begin like those of the stack `<stack>-more`, a path ends with its slash. */
  get #rolePath(): string {
    return `/milvus-backup/${this.#settings.stack}/`;
  }

  #machineName(machine: Machine): string {
    return `${this.#settings.stack}-${machine}`;
  }

  /** An output that the command looks for, under its own name in whichever stack this stands. */
  #output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description }).overrideLogicalId(id);
  }
}

/** What only one function has. */
interface FunctionExtra {
  /** The environments it is about; absent where executions name any. */
  readonly environments?: readonly string[];
  readonly environment?: Partial<FunctionEnvironment>;
  readonly grants?: readonly Grant[];
}

/** The keys whose signatures restores of a deployment may have verified. */
function signingKeysOf({ signBackups, restoreTriggers, trustedKeyArns }: PipelineConfig): string[] {
  return [...new Set([signBackups, ...restoreTriggers.map(({ signedBy }) => signedBy), ...trustedKeyArns])].filter(
    (keyArn) => keyArn !== undefined,
  );
}

/**
 * Which environments the executions that a function works for can name: it gets at no other one's secrets, keys and data. undefined
 * where a list is absent, as those are all.
 */
function reachedEnvironments(allowed: AllowedEnvironments, machine: Owner): readonly string[] | undefined {
  const uses: Readonly<Partial<Record<Owner, readonly EnvironmentUse[]>>> = {
    backup: ["backup"],
    restore: ["restore", "read"],
    drill: ["restore", "read"],
    export: ["transfer", "read"],
    transfer: ["transfer", "read"],
    verify: ["read"],
    any: ["backup", "restore", "transfer", "read"],
  };
  const lists = uses[machine]?.map((use) => allowed[use]) ?? [undefined];
  return lists.some((list) => list === undefined) ? undefined : lists.flatMap((list) => list ?? []);
}

function optional<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a state machine or function is missing");
  return value;
}

/** The shortest retention CloudWatch Logs has that is at least so long. */
function logRetention(days: number): RetentionDays {
  const choices = Object.values(RetentionDays).filter((value): value is RetentionDays => typeof value === "number");
  return choices.sort((a, b) => a - b).find((choice) => choice >= days) ?? RetentionDays.INFINITE;
}
