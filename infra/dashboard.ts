import { Duration } from "aws-cdk-lib";
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { IStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import type { DrillConfig, ScheduleConfig } from "../src/core/deployment/config.ts";
import type { Machine } from "../src/core/execution/machines.ts";
import { goodDrills, scheduledBackups } from "./metrics.ts";

interface PipelineDashboardProps {
  readonly stack: string;
  readonly alarms: readonly Alarm[];
  readonly stateMachines: ReadonlyMap<Machine, IStateMachine>;
  readonly functions: ReadonlyMap<string, IFunction>;
  readonly schedules: readonly ScheduleConfig[];
  readonly drills: readonly DrillConfig[];
}

const period = Duration.hours(1);
/** Of the 24 columns of a dashboard. */
const half = 12;

/** One page: the alarms, what ran and how long it took, what the functions did, what the schedules made. */
export class PipelineDashboard extends Construct {
  constructor(scope: Construct, id: string, props: PipelineDashboardProps) {
    super(scope, id);
    const machines = [...props.stateMachines];
    const functions = [...props.functions.values()];
    const dashboard = new Dashboard(this, "Dashboard", {
      dashboardName: props.stack,
      defaultInterval: Duration.days(7),
    });
    dashboard.addWidgets(new AlarmStatusWidget({ title: "Alarms", width: 24, alarms: [...props.alarms] }));
    dashboard.addWidgets(
      graph(
        "Executions",
        machines.flatMap(([machine, it]) => [
          it.metricSucceeded({ label: `${machine} succeeded`, period, statistic: "Sum" }),
          it.metricFailed({ label: `${machine} failed`, period, statistic: "Sum" }),
        ]),
      ),
      graph(
        "Duration of executions",
        machines.map(([machine, it]) => it.metricTime({ label: machine, period, statistic: "Maximum" })),
      ),
    );
    dashboard.addWidgets(
      graph(
        "Errors of functions",
        functions.map((it) => it.metricErrors({ period, statistic: "Sum" })),
      ),
      graph(
        "Throttled functions",
        functions.map((it) => it.metricThrottles({ period, statistic: "Sum" })),
      ),
    );
    const { stack, schedules, drills } = props;
    if (schedules.length + drills.length === 0) return;
    const brought = (title: string, names: readonly { readonly name: string }[], metric: typeof goodDrills) =>
      names.length === 0
        ? []
        : [
            graph(
              title,
              names.map(({ name }) => metric(stack, name, period).with({ label: name })),
            ),
          ];
    dashboard.addWidgets(
      ...brought("Complete backups by schedule", schedules, scheduledBackups),
      ...brought("Good drills", drills, goodDrills),
    );
  }
}

function graph(title: string, left: IMetric[]): IWidget {
  return new GraphWidget({ title, left, width: half });
}
