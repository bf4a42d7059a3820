import {
  DescribeExecutionCommand,
  DescribeMapRunCommand,
  type HistoryEvent,
  ListMapRunsCommand,
  paginateGetExecutionHistory,
  paginateListExecutions,
  type SFNClient,
} from "@aws-sdk/client-sfn";
import { LocalStackError } from "../local/errors.ts";

/** How long an execution spent in one state, over all visits. */
export interface StateTime {
  readonly state: string;
  readonly visits: number;
  readonly milliseconds: number;
  /** Items of a distributed map, each an execution of its own. */
  readonly items?: number;
}

/** An execution's states in the order they were entered first. */
export interface ExecutionTimes {
  readonly execution: string;
  /** From start to end, what Step Functions itself takes included. */
  readonly milliseconds: number;
  readonly states: readonly StateTime[];
}

/** States that do something or wait; what a machine decides or passes on takes no time worth a line. */
const timed = /^(Task|Map|Wait|Parallel)State(Entered|Exited)$/;

/**
 * The times between the entries and the exits of a machine's states. The machines here go from state to state, so that an exit
 * belongs to the last entry; what runs inside a distributed map is not in this history.
 */
export function stateTimesOf(events: readonly HistoryEvent[]): StateTime[] {
  const times = new Map<string, { visits: number; milliseconds: number }>();
  let entered = 0;
  for (const event of events) {
    if (!timed.test(event.type ?? "")) continue;
    const at = event.timestamp?.getTime() ?? 0;
    const name = event.stateExitedEventDetails?.name;
    if (name === undefined) {
      entered = at;
      continue;
    }
    const known = times.get(name) ?? { visits: 0, milliseconds: 0 };
    times.set(name, { visits: known.visits + 1, milliseconds: known.milliseconds + at - entered });
  }
  return [...times].map(([state, time]) => ({ state, ...time }));
}

/** The times of an execution that is over; throws LocalStackError for one that is not. */
export async function executionTimes(client: SFNClient, executionArn: string): Promise<ExecutionTimes> {
  const { name, startDate, stopDate } = await client.send(new DescribeExecutionCommand({ executionArn }));
  if (startDate === undefined || stopDate === undefined) {
    throw new LocalStackError(`The execution ${name ?? executionArn} is not over: it has no times yet.`);
  }
  const events: HistoryEvent[] = [];
  for await (const page of paginateGetExecutionHistory({ client }, { executionArn, includeExecutionData: false })) {
    events.push(...(page.events ?? []));
  }
  const items = await mapItems(client, executionArn);
  return {
    execution: name ?? executionArn,
    milliseconds: stopDate.getTime() - startDate.getTime(),
    states: stateTimesOf(events).map((time) => {
      const count = items.get(time.state.replaceAll(" ", ""));
      return { ...time, ...(count !== undefined && { items: count }) };
    }),
  };
}

/** Items of an execution's distributed maps, by label: the state's name without spaces, as the machines have it. */
async function mapItems(client: SFNClient, executionArn: string): Promise<Map<string, number>> {
  const items = new Map<string, number>();
  const { mapRuns = [] } = await client.send(new ListMapRunsCommand({ executionArn }));
  for (const { mapRunArn } of mapRuns) {
    const { itemCounts } = await client.send(new DescribeMapRunCommand({ mapRunArn }));
    const label = /\/([^/:]+):[^:]+$/.exec(mapRunArn ?? "")?.[1];
    if (label !== undefined) items.set(label, (items.get(label) ?? 0) + (itemCounts?.total ?? 0));
  }
  return items;
}

/** The newest execution of a machine whose name begins like that; throws LocalStackError where there is none. */
export async function newestExecution(client: SFNClient, stateMachineArn: string, prefix: string): Promise<string> {
  let newest: { arn: string; started: number } | undefined;
  for await (const { executions } of paginateListExecutions({ client }, { stateMachineArn })) {
    for (const { name, executionArn, startDate } of executions ?? []) {
      const started = startDate?.getTime() ?? 0;
      if (executionArn === undefined || !name?.startsWith(prefix) || started <= (newest?.started ?? 0)) continue;
      newest = { arn: executionArn, started };
    }
  }
  if (newest === undefined) throw new LocalStackError(`There is no execution ${prefix}*.`);
  return newest.arn;
}
