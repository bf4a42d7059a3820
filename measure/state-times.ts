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
  /** Items of a map. */
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
 * belongs to the last entry. What runs inside a map counts as its items: here those of a map within the execution, as what runs in a
 * distributed map is not in this history.
 */
export function stateTimesOf(events: readonly HistoryEvent[]): StateTime[] {
  const times = new Map<string, StateTime>();
  let entered = 0;
  let items = 0;
  let map: string | undefined;
  for (const event of events) {
    if (!timed.test(event.type ?? "")) continue;
    const at = event.timestamp?.getTime() ?? 0;
    const exited = event.stateExitedEventDetails?.name;
    const name = exited ?? event.stateEnteredEventDetails?.name ?? "";
    if (map !== undefined && name !== map) {
      if (exited === undefined) items += 1;
      continue;
    }
    if (exited === undefined) {
      entered = at;
      items = 0;
      map = event.type === "MapStateEntered" ? name : undefined;
      continue;
    }
    map = undefined;
    const { visits, milliseconds, items: before = 0 } = times.get(name) ?? { visits: 0, milliseconds: 0 };
    const all = before + items;
    items = 0;
    times.set(name, {
      state: name,
      visits: visits + 1,
      milliseconds: milliseconds + at - entered,
      ...(all > 0 && { items: all }),
    });
  }
  return [...times.values()];
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
