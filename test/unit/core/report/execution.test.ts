import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  executionReport,
  mostBatches,
  reportExecution,
  retriesIn,
  statesOfMaps,
} from "../../../../src/core/report/execution.ts";
import { executionFacts, now } from "../../../support/report-facts.ts";

interface Machine {
  readonly States: Readonly<
    Record<
      string,
      {
        readonly Type: string;
        readonly ItemProcessor?: Machine & { readonly ProcessorConfig: { readonly Mode: string } };
      }
    >
  >;
}

describe("the report of an execution", () => {
  it("tells when it was where, what it copied how fast, and what was tried again", () => {
    const report = reportExecution(executionFacts(24));

    expect(executionReport.parse(report)).toEqual(report);
    expect(report.steps.map(({ step }) => step)).toEqual([
      "Prepare Backup",
      "Copy Segments",
      "Finalize Backup",
      "Announce Backup Completed",
    ]);
    expect(report.steps[0]).toMatchObject({ milliseconds: 13_000, retries: 1, errors: { MilvusBusy: 1 } });
    expect(report.batches).toMatchObject({ total: 24, succeeded: 24, failed: 0, retries: 1 });
    expect(report.retries).toBe(2);
    const bytes = 24 * 1.2e9 + 3e7 * ((24 * 23) / 2);
    const seconds = (report.steps[1]?.milliseconds ?? 0) / 1000;
    expect(report.copies).toMatchObject({ bytes, objects: 36_000, bytesPerSecond: bytes / seconds });
    expect(Math.max(...(report.batches?.concurrency ?? []).map(({ running }) => running))).toBe(16);
    expect(report.batches?.concurrency.at(-1)?.running).toBe(0);
  });

  it("of 10,000 batches shows those that failed and the longest, and a bounded number of points", () => {
    const facts = executionFacts(10_000);
    const batches = facts.batches.map((batch, index) =>
      index === 5_000 ? { ...batch, state: "failed" as const } : batch,
    );

    const { batches: reported } = reportExecution({ ...facts, batches });

    expect(reported?.shown).toHaveLength(mostBatches);
    expect(reported?.shown.filter(({ state }) => state === "failed")).toHaveLength(1);
    expect(reported?.concurrency.length).toBeLessThanOrEqual(202);
    expect(reported).toMatchObject({ total: 10_000, failed: 1 });
  });

  it("that is running goes to now, and so does what it is in", () => {
    const facts = executionFacts(0);

    const report = reportExecution({
      ...facts,
      state: "running",
      stoppedAt: undefined,
      events: facts.events.slice(0, 2),
    });

    expect(report.milliseconds).toBe(now.getTime() - facts.startedAt.getTime());
    expect(report.steps).toMatchObject([{ step: "Prepare Backup", spans: [{ to: now.toISOString() }] }]);
    expect(report).not.toHaveProperty("batches");
    expect(report).not.toHaveProperty("copies");
  });

  it("ends a step that failed where the next one begins, and takes a loop's visits together", () => {
    const at = (seconds: number) => new Date(Date.UTC(2026, 10, 28, 3, 0, seconds));
    const loop = Array.from({ length: 20 }, (_, index) => [
      { at: at(10 + 2 * index), kind: "entered" as const, state: "Import Segments" },
      { at: at(11 + 2 * index), kind: "exited" as const, state: "Import Segments" },
      { at: at(11 + 2 * index), kind: "entered" as const, state: "Wait For Imports" },
      { at: at(12 + 2 * index), kind: "exited" as const, state: "Wait For Imports" },
    ]).flat();
    const events = [
      { at: at(0), kind: "entered" as const, state: "Stage Segments" },
      { at: at(10), kind: "failed" as const, error: "States.ExceedToleratedFailureThreshold" },
      ...loop,
    ];

    const { steps } = reportExecution({ ...executionFacts(0), events });

    expect(steps.map(({ step, visits, milliseconds }) => [step, visits, milliseconds])).toEqual([
      ["Stage Segments", 1, 10_000],
      ["Import Segments", 20, 20_000],
      ["Wait For Imports", 20, 20_000],
    ]);
    expect(steps[0]?.errors).toEqual({ "States.ExceedToleratedFailureThreshold": 1 });
  });

  it("takes copies within the execution as their map's: its time, its throughput, its retries", () => {
    const at = (seconds: number) => new Date(Date.UTC(2026, 10, 28, 3, 0, seconds));
    const facts = executionFacts(2);
    const batch = (kind: "entered" | "exited", seconds: number) => ({
      at: at(seconds),
      kind,
      state: "Copy Batch Directly",
    });
    const events = [
      { at: at(0), kind: "entered" as const, state: "Copy Segments Directly" },
      batch("entered", 0),
      batch("entered", 0),
      { at: at(0), kind: "scheduled" as const },
      { at: at(0), kind: "scheduled" as const },
      { at: at(2), kind: "failed" as const, error: "StoreBusy" },
      batch("exited", 4),
      { at: at(5), kind: "scheduled" as const },
      batch("exited", 9),
      { at: at(10), kind: "exited" as const, state: "Copy Segments Directly" },
    ];

    const report = reportExecution({ ...facts, events, batches: [] });

    expect(report.steps).toEqual([
      expect.objectContaining({
        ...{ step: "Copy Segments Directly", visits: 1, milliseconds: 10_000, retries: 1, errors: { StoreBusy: 1 } },
      }),
    ]);
    expect(report.copies).toMatchObject({ seconds: 10, bytesPerSecond: (report.copies?.bytes ?? 0) / 10 });
    expect(report).toMatchObject({ retries: 1 });
  });

  it("takes first attempts of tasks that nothing tells the entries of for no retries", () => {
    const at = new Date("2026-11-28T03:00:00Z");
    const events = [
      { at, kind: "entered" as const, state: "Copy Segments Directly" },
      { at, kind: "scheduled" as const },
      { at, kind: "scheduled" as const },
      { at, kind: "exited" as const, state: "Copy Segments Directly" },
    ];

    expect(reportExecution({ ...executionFacts(2), events, batches: [] })).toMatchObject({ retries: 0 });
  });

  it("knows every state within a map of an execution", () => {
    const inner = ["backup", "restore", "transfer", "verify", "export", "drill"].flatMap((machine) => {
      const file = new URL(`../../../../state-machines/${machine}.asl.json`, import.meta.url);
      const { States } = JSON.parse(readFileSync(file, "utf8")) as Machine;
      return Object.values(States).flatMap(({ ItemProcessor: map }) =>
        map?.ProcessorConfig.Mode === "INLINE"
          ? Object.entries(map.States).flatMap(([name, { Type }]) => (Type === "Task" ? [name] : []))
          : [],
      );
    });

    expect(new Set(inner)).toEqual(statesOfMaps);
  });

  it("of a verification copied nothing", () => {
    expect(reportExecution(executionFacts(1, { machine: "verify" }))).not.toHaveProperty("copies");
  });

  it("counts the attempts of a batch after the first", () => {
    const at = new Date();
    expect(retriesIn([])).toBe(0);
    expect(
      retriesIn([
        { at, kind: "scheduled" },
        { at, kind: "failed" },
        { at, kind: "scheduled" },
      ]),
    ).toBe(1);
  });
});
