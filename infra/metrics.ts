import type { Duration } from "aws-cdk-lib";
import { Metric } from "aws-cdk-lib/aws-cloudwatch";

/** The complete backups of a schedule, as Finalize Backup counts them (functions/shared/observability.ts). */
export function scheduledBackups(stack: string, schedule: string, period: Duration): Metric {
  return new Metric({
    namespace: "MilvusBackup",
    metricName: "ScheduledBackups",
    dimensionsMap: { service: "finalize-backup", Stack: stack, Schedule: schedule },
    statistic: "Sum",
    period,
  });
}
