import type { HistoryEvent } from "@aws-sdk/client-sfn";
import { describe, expect, it } from "vitest";
import { stateTimesOf } from "../../../measure/state-times.ts";
import { timesTable } from "../../../measure/times-table.ts";

const began = Date.UTC(2026, 10, 21, 12, 0, 0);

/** Events as Step Functions has them: `[type, state, milliseconds since the start]`. */
function history(...events: readonly (readonly [string, string, number])[]): HistoryEvent[] {
  return events.map(([type, name, after], index) => ({
    id: index + 1,
    type: type as HistoryEvent["type"],
    timestamp: new Date(began + after),
    ...(type.endsWith("Entered") && { stateEnteredEventDetails: { name } }),
    ...(type.endsWith("Exited") && { stateExitedEventDetails: { name } }),
  }));
}

describe("the times of states", () => {
  it("are those between entry and exit, in the order of the states, without what only decides", () => {
    const events = history(
      ["ExecutionStarted", "", 0],
      ["PassStateEntered", "Begin", 5],
      ["PassStateExited", "Begin", 5],
      ["TaskStateEntered", "Prepare", 10],
      ["TaskScheduled", "", 10],
      ["TaskStateExited", "Prepare", 310],
      ["ChoiceStateEntered", "Check", 310],
      ["ChoiceStateExited", "Check", 310],
      ["MapStateEntered", "Copy", 310],
      ["MapStateExited", "Copy", 1_510],
    );

    const times = stateTimesOf(events);

    expect(times).toEqual([
      { state: "Prepare", visits: 1, milliseconds: 300 },
      { state: "Copy", visits: 1, milliseconds: 1_200 },
    ]);
  });

  it("add up over the rounds of a loop, waits included", () => {
    const round = (from: number) =>
      [
        ["TaskStateEntered", "Import", from],
        ["TaskStateExited", "Import", from + 100],
        ["WaitStateEntered", "Wait", from + 100],
        ["WaitStateExited", "Wait", from + 1_100],
      ] as const;

    const times = stateTimesOf(history(...round(0), ...round(2_000), ...round(4_000)));

    expect(times).toEqual([
      { state: "Import", visits: 3, milliseconds: 300 },
      { state: "Wait", visits: 3, milliseconds: 3_000 },
    ]);
  });

  it("count what runs inside a map of the execution as its items", () => {
    const events = history(
      ["MapStateEntered", "Copy", 0],
      ["TaskStateEntered", "Batch", 10],
      ["TaskStateEntered", "Batch", 12],
      ["TaskStateExited", "Batch", 500],
      ["TaskStateExited", "Batch", 800],
      ["MapStateExited", "Copy", 810],
      ["TaskStateEntered", "Finalize", 810],
      ["TaskStateExited", "Finalize", 900],
    );

    expect(stateTimesOf(events)).toEqual([
      { state: "Copy", visits: 1, milliseconds: 810, items: 2 },
      { state: "Finalize", visits: 1, milliseconds: 90 },
    ]);
  });

  it("leave out a state that was not left: the execution failed in it", () => {
    const times = stateTimesOf(history(["TaskStateEntered", "Prepare", 0], ["ExecutionFailed", "", 50]));

    expect(times).toEqual([]);
  });
});

describe("the table of times", () => {
  it("puts cold beside warm, with the batches of a map and a dash where a run did not come by", () => {
    const cold = {
      execution: "cold",
      milliseconds: 2_345,
      states: [
        { state: "Copy", visits: 1, milliseconds: 1_234, items: 4 },
        { state: "Wait", visits: 2, milliseconds: 1_000 },
      ],
    };
    const warm = {
      execution: "warm",
      milliseconds: 450,
      states: [{ state: "Copy", visits: 1, milliseconds: 400, items: 4 }],
    };

    const lines = timesTable("backup", cold, warm).split("\n");

    expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
      ["backup", "cold", "warm"],
      ["Copy (4 batches)", "1.23 s", "0.40 s"],
      ["Wait", "1.00 s", "-"],
      ["in all", "2.35 s", "0.45 s"],
    ]);
  });
});
