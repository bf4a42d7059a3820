import type { Duration } from "aws-cdk-lib";
import { Metric } from "aws-cdk-lib/aws-cloudwatch";
import { goodDrillsMetric, metricsNamespace, scheduledBackupsMetric } from "../src/core/execution/metrics.ts";
import { cleanDrill, finalizeBackup } from "./functions.ts";

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

/** The drills of pipeline.yaml that ended well, as Clean Drill counts them. */
export function goodDrills(stack: string, drill: string, period: Duration): Metric {
  return new Metric({
    namespace: metricsNamespace,
    metricName: goodDrillsMetric.name,
    dimensionsMap: { service: cleanDrill.name, ...goodDrillsMetric.dimensions(stack, drill) },
    statistic: "Sum",
    period,
  });
}
