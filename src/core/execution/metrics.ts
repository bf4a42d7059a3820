/** The names by which alarms and dashboards find what the functions count. */

/** Namespace of all metrics; each has the function's name as its dimension `service`. */
export const metricsNamespace = "MilvusBackup";

/** Complete backups of a schedule: Finalize Backup counts them, the alarm for a schedule without backups looks at them. */
export const scheduledBackupsMetric = {
  name: "ScheduledBackups",
  dimensions: (stack: string, schedule: string) => ({ Stack: stack, Schedule: schedule }),
} as const;

/** Drills of pipeline.yaml that ended well: Clean Drill counts them, the alarm for a drill without successes looks at them. */
export const goodDrillsMetric = {
  name: "GoodDrills",
  dimensions: (stack: string, drill: string) => ({ Stack: stack, Drill: drill }),
} as const;
