import type { ExecutionTimes } from "./state-times.ts";
import { textTable } from "./text-table.ts";

/** Times of one machine's states in two runs, as a table; `-` where a run did not enter a state. */
export function timesTable(
  machine: string,
  cold: ExecutionTimes,
  warm: ExecutionTimes,
  titles: readonly [string, string] = ["cold", "warm"],
): string {
  const states = [...new Set([...cold.states, ...warm.states].map(({ state }) => state))];
  const of = (times: ExecutionTimes, state: string) => times.states.find((it) => it.state === state);
  return textTable(
    [machine, ...titles],
    [
      ...states.map((state) => {
        const [inCold, inWarm] = [of(cold, state), of(warm, state)];
        const items = inWarm?.items ?? inCold?.items;
        return [
          state + (items === undefined ? "" : ` (${items} ${items === 1 ? "batch" : "batches"})`),
          inCold ? seconds(inCold.milliseconds) : "-",
          inWarm ? seconds(inWarm.milliseconds) : "-",
        ];
      }),
      ["in all", seconds(cold.milliseconds), seconds(warm.milliseconds)],
    ],
  );
}

/** `0.85 s` */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}
