import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { goodDrillsMetric, scheduledBackupsMetric } from "../../src/core/execution/metrics.ts";
import { variable } from "./variable.ts";

/** One of each for a function; service and namespace come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_METRICS_NAMESPACE. */
export const logger = new Logger();
export const metrics = new Metrics();

/** The counts in a step's result that become metrics, by their name there. */
const countedInResults = {
  collections: { metric: "Collections", unit: MetricUnit.Count },
  batches: { metric: "Batches", unit: MetricUnit.Count },
  segments: { metric: "Segments", unit: MetricUnit.Count },
  objects: { metric: "Objects", unit: MetricUnit.Count },
  bytes: { metric: "Bytes", unit: MetricUnit.Bytes },
  imports: { metric: "Imports", unit: MetricUnit.Count },
} as const;

/** Puts the counts of a step's result into metrics; a list counts as its length. */
export function countResult(result: object, target: Metrics = metrics): void {
  const values = new Map<string, unknown>(Object.entries(result));
  for (const [name, { metric, unit }] of Object.entries(countedInResults)) {
    const value = values.get(name);
    if (typeof value === "number") target.addMetric(metric, unit, value);
    else if (Array.isArray(value)) target.addMetric(metric, unit, value.length);
  }
}

/**
 * Counts a complete backup for its schedule: what the alarm for a schedule without backups looks at (infra/alarms.ts). A step that runs
 * twice counts it twice, which the alarm does not mind.
 * @param schedule undefined for a backup that no schedule started: nothing is counted
 */
export function countScheduledBackup(schedule: string | undefined, target: Metrics = metrics): void {
  count(scheduledBackupsMetric, schedule, target);
}

/**
 * Counts a drill that ended well, likewise.
 * @param drill undefined for one that pipeline.yaml did not start: nothing is counted
 */
export function countGoodDrill(drill: string | undefined, target: Metrics = metrics): void {
  count(goodDrillsMetric, drill, target);
}

function count(
  { name, dimensions }: { readonly name: string; dimensions(stack: string, of: string): Record<string, string> },
  of: string | undefined,
  target: Metrics,
): void {
  if (of === undefined) return;
  const single = target.singleMetric();
  single.addDimensions(dimensions(variable("STACK_NAME"), of));
  single.addMetric(name, MetricUnit.Count, 1);
}
