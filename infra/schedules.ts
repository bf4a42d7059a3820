import { EventField, type IRule, Rule, RuleTargetInput } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import { Role } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { CfnSchedule, CfnScheduleGroup } from "aws-cdk-lib/aws-scheduler";
import type { IStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { anySchedule, type DrillConfig, type ScheduleConfig } from "../src/core/deployment/config.ts";
import { type DetailType, eventSource } from "../src/core/deployment/events.ts";
import { verifyScheduleName } from "../src/core/deployment/verify-rule.ts";
import type { BackupInput, DrillInput, VerifyInput } from "../src/core/execution/messages.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { grantedPolicy } from "./grants.ts";
import { serviceActingFor } from "./trust.ts";

interface SchedulesProps {
  /** Name of the deployment, and of the group of its schedules. */
  readonly stack: string;
  readonly schedules: readonly ScheduleConfig[];
  readonly drills: readonly DrillConfig[];
  readonly backupMachine: IStateMachine;
  readonly drillMachine: IStateMachine;
  readonly verifyMachine: IStateMachine;
  /** Prune Backups; needed where a schedule has rules. */
  readonly pruneBackups?: IFunction | undefined;
  readonly deadLetters: DeadLetters;
}

/**
 * The schedules: each starts the backup machine, and its complete backups start its retention. That is a rule on the event, not a
 * state of the machine: whatever becomes of retention, the backup is complete and says so. Beside it one may have a schedule of its own on
 * which its newest backup is verified. And the drills: each starts the drill machine.
 */
export class Schedules extends Construct {
  /** By `<schedule>-retention`. */
  readonly rules: ReadonlyMap<string, IRule>;

  constructor(scope: Construct, id: string, props: SchedulesProps) {
    super(scope, id);
    const { stack, schedules, drills, backupMachine, drillMachine, verifyMachine, deadLetters } = props;
    const rules = new Map<string, IRule>();
    this.rules = rules;
    const group = new CfnScheduleGroup(this, "Group", { name: stack });
    const role = new Role(this, "Role", {
      // What Scheduler says it acts for is the group, never one schedule.
      assumedBy: serviceActingFor("scheduler.amazonaws.com", [group.attrArn]),
    });
    const verified = schedules.filter(({ verify }) => verify !== undefined);
    const started = (machine: IStateMachine) => [machine.stateMachineArn];
    const policy = grantedPolicy(this, role, [
      ...(schedules.length > 0
        ? [{ sid: "StartBackups", actions: ["states:StartExecution"], resources: started(backupMachine) }]
        : []),
      ...(drills.length > 0
        ? [{ sid: "StartDrills", actions: ["states:StartExecution"], resources: started(drillMachine) }]
        : []),
      ...(verified.length > 0
        ? [{ sid: "StartVerifications", actions: ["states:StartExecution"], resources: started(verifyMachine) }]
        : []),
      ...deadLetters.grants,
    ]);
    const start = (id: string, { machine, input, ...more }: Start, { timeZone, enabled }: Timing) => {
      const created = new CfnSchedule(this, id, {
        ...more,
        name: id,
        groupName: group.ref,
        scheduleExpressionTimezone: timeZone,
        state: enabled ? "ENABLED" : "DISABLED",
        flexibleTimeWindow: { mode: "OFF" },
        target: {
          arn: machine.stateMachineArn,
          roleArn: role.roleArn,
          input: JSON.stringify(input),
          // What could not start within the hour is the next one's business.
          retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 10 },
          deadLetterConfig: { arn: deadLetters.queue.queueArn },
        },
      });
      created.node.addDependency(policy);
    };
    for (const schedule of schedules) {
      const { name, environment, expression, verify } = schedule;
      const description = `milvus-backup: backs up ${environment}`;
      const backup = { machine: backupMachine, input: inputOf(schedule), description, scheduleExpression: expression };
      start(name, backup, schedule);
      if (verify !== undefined) {
        start(
          verifyScheduleName(name),
          {
            machine: verifyMachine,
            input: verifyInputOf(schedule),
            description: `milvus-backup: verifies the newest backup of ${name}`,
            scheduleExpression: verify.expression,
          },
          schedule,
        );
      }
      if (schedule.keep !== undefined && props.pruneBackups !== undefined) {
        rules.set(`${name}-retention`, this.#retain(schedule, stack, props.pruneBackups, deadLetters));
      }
    }
    const environmentOf = new Map(schedules.map(({ name, environment }) => [name, environment]));
    for (const drill of drills) {
      const from = drill.of === anySchedule ? drill.from : environmentOf.get(drill.of);
      const drilling = {
        machine: drillMachine,
        input: drillInputOf(drill, from),
        description: `milvus-backup: restores a backup into ${drill.environment} to see that it can be restored`,
        scheduleExpression: drill.expression,
      };
      start(drill.name, drilling, drill);
    }
  }

  #retain(schedule: ScheduleConfig, stack: string, pruneBackups: IFunction, { queue }: DeadLetters): IRule {
    const { name, environment, keep, timeZone } = schedule;
    return new Rule(this, `${name}Retention`, {
      description: `milvus-backup: applies the retention of ${name} when one of its backups is complete`,
      eventPattern: {
        source: [eventSource],
        detailType: ["Backup Completed" satisfies DetailType],
        detail: { stack: [stack], input: { schedule: [name], environment: [environment] } },
      },
      targets: [
        new LambdaFunction(pruneBackups, {
          deadLetterQueue: queue,
          event: RuleTargetInput.fromObject({
            input: { schedule: name, environment, keep, timeZone },
            execution: EventField.fromPath("$.detail.execution"),
            startTime: EventField.fromPath("$.detail.startTime"),
          }),
        }),
      ],
    });
  }
}

type Timing = Pick<ScheduleConfig, "timeZone" | "enabled">;

/** What a schedule starts, and when. */
interface Start {
  readonly machine: IStateMachine;
  readonly input: BackupInput | DrillInput | VerifyInput;
  readonly description: string;
  readonly scheduleExpression: string;
}

function verifyInputOf({ name, environment, verify }: ScheduleConfig): VerifyInput {
  const { readData, rows } = verify ?? {};
  return {
    environment,
    schedule: name,
    ...(readData !== undefined && { readData }),
    ...(rows !== undefined && { rows }),
  };
}

/** What a schedule starts the backup machine with; EventBridge Scheduler fills in the time. */
function inputOf(schedule: ScheduleConfig): BackupInput {
  const { name, environment, collections, strategy, incremental, rbac, lock } = schedule;
  return {
    environment,
    ...(collections && { collections }),
    ...(strategy && { strategy }),
    ...(incremental && { incremental }),
    ...(rbac && { rbac }),
    ...(lock && { lock }),
    schedule: name,
    scheduledTime: "<aws.scheduler.scheduled-time>",
  };
}

/** What a drill starts the drill machine with. @param from whose backups are meant */
function drillInputOf(
  { name, environment, of, pick, collections, confirm }: DrillConfig,
  from: string | undefined,
): DrillInput {
  return {
    environment,
    ...(from !== undefined && from !== environment && { from }),
    ...(of !== anySchedule && { of }),
    ...(pick && { pick }),
    ...(collections && { collections }),
    ...(confirm !== undefined && { confirm }),
    drill: name,
  };
}
