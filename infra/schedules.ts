import { Aws } from "aws-cdk-lib";
import { EventField, Rule, RuleTargetInput } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { CfnSchedule, CfnScheduleGroup } from "aws-cdk-lib/aws-scheduler";
import type { IStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import type { ScheduleConfig } from "../src/core/deployment/config.ts";
import { type DetailType, eventSource } from "../src/core/deployment/events.ts";
import type { BackupInput } from "../src/core/execution/messages.ts";
import { grantedPolicy } from "./grants.ts";

interface SchedulesProps {
  /** Name of the deployment, and of the group of its schedules. */
  readonly stack: string;
  readonly schedules: readonly ScheduleConfig[];
  readonly backupMachine: IStateMachine;
  /** Prune Backups; needed where a schedule has rules. */
  readonly pruneBackups?: IFunction | undefined;
}

/**
 * The schedules: each starts the backup machine, and its complete backups start its retention. That is a rule on the event, not a
 * state of the machine: whatever becomes of retention, the backup is complete and says so.
 */
export class Schedules extends Construct {
  constructor(scope: Construct, id: string, props: SchedulesProps) {
    super(scope, id);
    const { stack, backupMachine } = props;
    const group = new CfnScheduleGroup(this, "Group", { name: stack });
    const role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("scheduler.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    });
    const policy = grantedPolicy(this, role, [
      { sid: "StartBackups", actions: ["states:StartExecution"], resources: [backupMachine.stateMachineArn] },
    ]);
    for (const schedule of props.schedules) {
      const created = new CfnSchedule(this, schedule.name, {
        name: schedule.name,
        groupName: group.ref,
        description: `milvus-backup: backs up ${schedule.environment}`,
        scheduleExpression: schedule.expression,
        scheduleExpressionTimezone: schedule.timeZone,
        state: schedule.enabled ? "ENABLED" : "DISABLED",
        flexibleTimeWindow: { mode: "OFF" },
        target: {
          arn: backupMachine.stateMachineArn,
          roleArn: role.roleArn,
          input: JSON.stringify(inputOf(schedule)),
          // A backup that could not start within the hour is the next one's business.
          retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 10 },
        },
      });
      created.node.addDependency(policy);
      if (schedule.keep !== undefined && props.pruneBackups !== undefined) {
        this.#retain(schedule, stack, props.pruneBackups);
      }
    }
  }

  #retain(schedule: ScheduleConfig, stack: string, pruneBackups: IFunction): void {
    const { name, environment, keep, timeZone } = schedule;
    new Rule(this, `${name}Retention`, {
      description: `milvus-backup: applies the retention of ${name} when one of its backups is complete`,
      eventPattern: {
        source: [eventSource],
        detailType: ["Backup Completed" satisfies DetailType],
        detail: { stack: [stack], input: { schedule: [name], environment: [environment] } },
      },
      targets: [
        new LambdaFunction(pruneBackups, {
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

/** What a schedule starts the backup machine with; EventBridge Scheduler fills in the time. */
function inputOf(schedule: ScheduleConfig): BackupInput {
  const { name, environment, collections, strategy, incremental } = schedule;
  return {
    environment,
    ...(collections && { collections }),
    ...(strategy && { strategy }),
    ...(incremental && { incremental }),
    schedule: name,
    scheduledTime: "<aws.scheduler.scheduled-time>",
  };
}
