import type { Duration } from "aws-cdk-lib";
import { Metric, type MetricOptions } from "aws-cdk-lib/aws-cloudwatch";
import type { IRule } from "aws-cdk-lib/aws-events";
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

/** What a rule could not hand to its target, for good. */
export function failedInvocations({ ruleName }: IRule, options: MetricOptions): Metric {
  return new Metric({
    namespace: "AWS/Events",
    metricName: "FailedInvocations",
    dimensionsMap: { RuleName: ruleName },
    ...options,
  });
}

/**
 * What the schedules of a group could not start, a metric each: an alarm over a sum of them is more than the emulator has.
 * https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
 */
export function schedulerFaults(
  group: string,
  options: MetricOptions,
): { fault: string; what: string; metric: Metric }[] {
  const metric = (metricName: string) =>
    new Metric({ namespace: "AWS/Scheduler", metricName, dimensionsMap: { ScheduleGroup: group }, ...options });
  return [
    { fault: "failed", what: "A try failed to start what", metric: metric("TargetErrorCount") },
    { fault: "dropped", what: "EventBridge Scheduler gave up to start what", metric: metric("InvocationDroppedCount") },
    {
      fault: "lost",
      what: "The dead-letter queue did not take what could not be started of what",
      metric: metric("InvocationsFailedToBeSentToDeadLetterCount"),
    },
  ];
}
