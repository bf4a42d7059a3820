import { describe, expect, it } from "vitest";
import { pipelineConfig } from "../../../../src/core/deployment/config.ts";
import {
  lateFrom,
  longestSilence,
  newestExpected,
  promiseOf,
  promiseOutputs,
  promiseState,
  promisesIn,
  type SchedulePromise,
} from "../../../../src/core/deployment/schedule-promise.ts";

const promise = (expression: string, more: Partial<SchedulePromise> = {}): SchedulePromise => ({
  ...{ name: "nightly", environment: "prod", expression, timeZone: "UTC", enabled: true },
  ...more,
});
const expected = (of: SchedulePromise, now: string) => newestExpected(of, new Date(now))?.toISOString();

describe("how long a schedule may bring nothing, where nobody said so", () => {
  const hour = 3_600;

  it.each([
    // the longest time between two runs, as much again up to six hours, five minutes for clocks
    ["rate(30 minutes)", hour + 300],
    ["rate(1 hour)", 2 * hour + 300],
    ["cron(0 3 * * ? *)", 31 * hour],
    ["cron(0 3,15 * * ? *)", 18 * hour + 300],
    ["cron(0 3 ? * MON-FRI *)", (3 * 24 + 7) * hour],
    ["rate(7 days)", undefined],
    ["cron(0 3 ? * SUN *)", undefined],
    ["cron(0 3 L * ? *)", undefined],
  ])("is by %s %s seconds", (expression, seconds) => {
    expect(longestSilence(promise(expression))).toBe(seconds);
  });

  it("knows the night that is an hour longer", () => {
    expect(longestSilence(promise("cron(0 3 * * ? *)", { timeZone: "Europe/Berlin" }))).toBe(32 * hour);
  });
});

describe("the newest backup that a schedule promises", () => {
  // Saturday. Five minutes before the run, for clocks that differ.
  const now = "2026-11-28T12:00:00Z";

  it.each([
    ["cron(0 3 * * ? *)", "2026-11-28T02:55:00.000Z"],
    ["cron(0 3 ? * MON-FRI *)", "2026-11-27T02:55:00.000Z"],
    ["cron(0 3 ? * 2-6 *)", "2026-11-27T02:55:00.000Z"],
    ["cron(0 3 ? * L *)", "2026-11-28T02:55:00.000Z"],
    ["cron(0 3 ? * 6L *)", "2026-11-27T02:55:00.000Z"],
    ["cron(0 3 L * ? *)", "2026-10-31T02:55:00.000Z"],
    ["cron(0 3 15W * ? *)", "2026-11-16T02:55:00.000Z"],
    ["cron(0/15 8-18 * * ? *)", "2026-11-28T11:25:00.000Z"],
    ["rate(1 day)", "2026-11-27T10:55:00.000Z"],
    ["rate(5 minutes)", "2026-11-28T11:45:00.000Z"],
  ])("is by %s that of %s", (expression, since) => {
    expect(expected(promise(expression), now)).toBe(since);
  });

  it("is the run before the last one while the last one still has its hour", () => {
    const nightly = promise("cron(0 3 * * ? *)");

    expect(expected(nightly, "2026-11-28T03:59:00Z")).toBe("2026-11-27T02:55:00.000Z");
    expect(expected(nightly, "2026-11-28T04:00:01Z")).toBe("2026-11-28T02:55:00.000Z");
  });

  it("counts the hours of a time zone, also when the clock changes", () => {
    const berlin = promise("cron(0 3 * * ? *)", { timeZone: "Europe/Berlin" });

    expect(expected(berlin, "2026-07-02T12:00:00Z")).toBe("2026-07-02T00:55:00.000Z");
    expect(expected(berlin, "2026-11-28T12:00:00Z")).toBe("2026-11-28T01:55:00.000Z");
  });

  it("is what alarmAfter says, where the schedule has it", () => {
    expect(expected(promise("cron(0 3 * * ? *)", { alarmAfterSeconds: 26 * 3600 }), now)).toBe(
      "2026-11-27T10:00:00.000Z",
    );
  });

  it("is none where nothing runs: disabled, never due, or an expression of a later version", () => {
    expect(expected(promise("cron(0 3 * * ? *)", { enabled: false }), now)).toBeUndefined();
    expect(expected(promise("cron(0 3 1 1 ? 2030)"), now)).toBeUndefined();
    expect(expected(promise("at(2026-11-28T03:00:00)"), now)).toBeUndefined();
  });

  it.each([
    ["cron(0 3 * * ? *)", "2026-11-27T03:00:04Z"],
    ["cron(0 3 ? * MON-FRI *)", "2026-11-27T03:00:04Z"],
    ["cron(0/15 8-18 * * ? *)", "2026-11-28T08:00:02Z"],
    ["cron(0 3 L * ? *)", "2026-10-31T03:00:04Z"],
    ["rate(5 minutes)", "2026-11-28T08:00:02Z"],
  ])("by %s is too old from the moment that it is told to be, and not before", (expression, at) => {
    const of = promise(expression);
    const from = lateFrom(of, new Date(at));
    const late = (milliseconds: number) =>
      promiseState(of, new Date(at), new Date((from?.getTime() ?? 0) + milliseconds)).late;

    expect([late(-1_000), late(1_000)]).toEqual([false, true]);
  });

  it("is broken by no backup and by an older one", () => {
    const nightly = promise("cron(0 3 * * ? *)");
    const late = (newest: string | undefined) =>
      promiseState(nightly, newest === undefined ? undefined : new Date(newest), new Date(now)).late;

    expect(late(undefined)).toBe(true);
    expect(late("2026-11-27T03:01:00Z")).toBe(true);
    expect(late("2026-11-28T03:01:00Z")).toBe(false);
    expect(promiseState({ ...nightly, enabled: false }, undefined, new Date(now))).toEqual({ late: false });
  });
});

describe("outputs of a stack", () => {
  const config = pipelineConfig.parse({
    environments: { prod: null },
    alarms: {},
    schedules: [
      { name: "nightly", environment: "prod", expression: "cron(0 3 * * ? *)", alarmAfter: "26h" },
      { name: "hourly", environment: "prod", expression: "rate(1 hour)", enabled: false },
    ],
  });

  it("carry the promises in the order of pipeline.yaml", () => {
    const outputs = Object.fromEntries(promiseOutputs(config.schedules).map(({ id, value }) => [id, value]));

    expect(promisesIn({ WorkBucketName: "work", ...outputs })).toEqual(config.schedules.map(promiseOf));
    expect(promisesIn(outputs)[0]).toMatchObject({ alarmAfterSeconds: 93_600, timeZone: "UTC" });
  });

  it("that are no promise, or one of another version, are left out", () => {
    expect(promisesIn({ Schedule1: "no JSON", Schedule2: '{"name":"x"}', ScheduleX: "{}" })).toEqual([]);
  });
});
