import type { Duration } from "aws-cdk-lib";
import { Metric } from "aws-cdk-lib/aws-cloudwatch";
import { metricsNamespace, scheduledBackupsMetric } from "../src/core/execution/metrics.ts";
import { finalizeBackup } from "./functions.ts";

/** The complete backups of a schedule, as Finalize Backup counts them (functions/shared/observability.ts). */
export function scheduledBackups(stack: string, schedule: string, period: Duration): Metric {
  return new Metric({
    namespace: metricsNamespace,
    metricName: scheduledBackupsMetric.name,
    dimensionsMap: { service: finalizeBackup.name, ...scheduledBackupsMetric.dimensions(stack, schedule) },
    statistic: "Sum",
    period,
  });
}
