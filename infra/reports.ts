import { Role } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { CfnSchedule, CfnScheduleGroup } from "aws-cdk-lib/aws-scheduler";
import { Construct } from "constructs";
import type { ReportConfig, ScheduleConfig } from "../src/core/deployment/config.ts";
import { promiseOf } from "../src/core/deployment/schedule-promise.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { grantedPolicy } from "./grants.ts";
import { serviceActingFor } from "./trust.ts";

interface ReportsProps {
  /** Name of the deployment. */
  readonly stack: string;
  readonly reports: readonly ReportConfig[];
  readonly schedules: readonly ScheduleConfig[];
  /** Write Report. */
  readonly writeReport: IFunction;
  readonly deadLetters: DeadLetters;
}

/** The group of the schedules of reports. */
export function reportsGroup(stack: string): string {
  return `${stack}-reports`;
}

/** The reports that are written on a schedule: each tells the function whose backups, and what their schedules promise. */
export class Reports extends Construct {
  constructor(scope: Construct, id: string, { stack, reports, schedules, writeReport, deadLetters }: ReportsProps) {
    super(scope, id);
    const group = new CfnScheduleGroup(this, "Group", { name: reportsGroup(stack) });
    const role = new Role(this, "Role", {
      // What Scheduler says it acts for is the group, never one schedule.
      assumedBy: serviceActingFor("scheduler.amazonaws.com", [group.attrArn]),
    });
    const policy = grantedPolicy(this, role, [
      { sid: "WriteReports", actions: ["lambda:InvokeFunction"], resources: [writeReport.functionArn] },
      ...deadLetters.grants,
    ]);
    for (const { name, environment, expression, timeZone, enabled } of reports) {
      const promises = schedules.filter((schedule) => schedule.environment === environment).map(promiseOf);
      const created = new CfnSchedule(this, name, {
        name,
        groupName: group.ref,
        description: `milvus-backup: writes the report of the backups of ${environment}`,
        scheduleExpression: expression,
        scheduleExpressionTimezone: timeZone,
        state: enabled ? "ENABLED" : "DISABLED",
        flexibleTimeWindow: { mode: "OFF" },
        target: {
          arn: writeReport.functionArn,
          roleArn: role.roleArn,
          input: JSON.stringify({ environment, promises }),
          // What could not start within the hour is the next one's business.
          retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 10 },
          deadLetterConfig: { arn: deadLetters.queue.queueArn },
        },
      });
      created.node.addDependency(policy);
    }
  }
}
