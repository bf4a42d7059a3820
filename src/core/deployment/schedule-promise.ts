import { Cron } from "croner";
import * as z from "zod";
import { jsonOrUndefined } from "../execution/work-json.ts";
import type { ScheduleConfig } from "./config.ts";

/**
 * What a schedule of pipeline.yaml promises: how new its newest good backup is at any time. A deployment publishes one as an output of its
 * stack for each schedule, since pipeline.yaml is not there where backups are looked at. Names and times only, no secrets.
 */
export const schedulePromise = z.object({
  /** As pipeline.yaml names it. */
  name: z.string(),
  environment: z.string(),
  /** `cron(...)` or `rate(...)` */
  expression: z.string(),
  timeZone: z.string(),
  /** false: it starts nothing, and promises nothing. */
  enabled: z.boolean(),
  /** `alarmAfter` of the schedule, in seconds; where it is there, it is what is promised. */
  alarmAfterSeconds: z.number().optional(),
});
export type SchedulePromise = Readonly<z.infer<typeof schedulePromise>>;

/** What a schedule promises. */
export function promiseOf(schedule: ScheduleConfig): SchedulePromise {
  const { name, environment, expression, timeZone, enabled, alarmAfter } = schedule;
  return {
    ...{ name, environment, expression, timeZone, enabled },
    ...(alarmAfter !== undefined && { alarmAfterSeconds: alarmAfter }),
  };
}

/** One output a schedule: an output is short, and a stack may have 200 of them. */
export function promiseOutputs(schedules: readonly ScheduleConfig[]): { id: string; value: string }[] {
  return schedules.map((schedule, index) => ({
    id: `Schedule${index + 1}`,
    value: JSON.stringify(promiseOf(schedule)),
  }));
}

/** The promises among the outputs of a stack, in the order of pipeline.yaml; those of another version of the pipeline are left out. */
export function promisesIn(outputs: Readonly<Record<string, string>>): SchedulePromise[] {
  const numbered = Object.entries(outputs).flatMap(([id, value]) => {
    const [, number] = /^Schedule(\d+)$/.exec(id) ?? [];
    return number === undefined ? [] : [{ number: Number(number), value }];
  });
  return numbered
    .toSorted((a, b) => a.number - b.number)
    .flatMap(({ value }) => schedulePromise.safeParse(jsonOrUndefined(value)).data ?? []);
}

const minute = 60_000;
/** A schedule that could not start within the hour lets that run go (infra/schedules.ts); a backup takes its time as well. */
const longestGrace = 60 * minute;
const shortestGrace = 5 * minute;
/** T is Milvus's time, a run's is AWS's: their clocks may differ. */
const clockSlack = 5 * minute;

const rateUnits: Readonly<Record<string, number>> = { minute, hour: 60 * minute, day: 24 * 60 * minute };

/**
 * The time that the newest good backup of a schedule must not be older than (its earliest T, or without T when it was made): with
 * `alarmAfter` that long before now, otherwise the last run that had its time to end, a period but at most an hour. By the calendar, so
 * that a schedule of working days is not late on a Sunday.
 * @returns undefined where it promises nothing: it is disabled, or has never been due
 */
export function newestExpected(promise: SchedulePromise, now: Date): Date | undefined {
  if (!promise.enabled) return undefined;
  if (promise.alarmAfterSeconds !== undefined) return new Date(now.getTime() - promise.alarmAfterSeconds * 1000);
  const rate = rateOf(promise);
  if (rate !== undefined) return new Date(now.getTime() - rate - graceOf(rate) - clockSlack);
  const cron = cronOf(promise);
  const [newest, before] = cron?.previousRuns(2, now) ?? [];
  if (cron === undefined || newest === undefined) return undefined;
  const grace = graceOf(before === undefined ? longestGrace : newest.getTime() - before.getTime());
  const [due] = cron.previousRuns(1, new Date(now.getTime() - grace));
  return due && new Date(due.getTime() - clockSlack);
}

/**
 * From when on a backup is too old to be the newest good one of its schedule.
 * @param at its earliest T, or when it was made
 * @returns undefined where the schedule promises nothing, or is never due again
 */
export function lateFrom(promise: SchedulePromise, at: Date): Date | undefined {
  if (!promise.enabled) return undefined;
  const time = at.getTime();
  if (promise.alarmAfterSeconds !== undefined) return new Date(time + promise.alarmAfterSeconds * 1000);
  const rate = rateOf(promise);
  if (rate !== undefined) return new Date(time + rate + graceOf(rate) + clockSlack);
  const [due, after] = cronOf(promise)?.nextRuns(2, new Date(time + clockSlack)) ?? [];
  return due && new Date(due.getTime() + graceOf(after === undefined ? longestGrace : after.getTime() - due.getTime()));
}

/** A backup may take that much longer than the one before, where nobody says what a schedule promises. */
const longestDelay = 6 * 60 * minute;
const longestLookBack = 7 * 24 * 60 * minute;
/** More runs than a year of nights, and than the exceptions of any calendar. */
const runsLookedAt = 400;

/**
 * How long a schedule may bring no backup, in seconds, where nobody said so: the longest time between two of its runs and as much again, at
 * most six hours. Whole hours where it is more than a day, as CloudWatch counts.
 * @returns undefined where it is longer than the seven days that an alarm can look back
 */
export function longestSilence(promise: SchedulePromise): number | undefined {
  const rate = rateOf(promise);
  // any time does, and a fixed one makes the same template tomorrow
  const runs = cronOf(promise)?.nextRuns(runsLookedAt, new Date("2026-01-01T00:00:00Z")) ?? [];
  const gaps = runs.slice(1).map((run, index) => run.getTime() - (runs[index] ?? run).getTime());
  const gap = rate ?? (gaps.length > 0 ? Math.max(...gaps) : Number.POSITIVE_INFINITY);
  const silence = gap + Math.min(gap, longestDelay) + clockSlack;
  if (silence > longestLookBack) return undefined;
  const step = silence > 24 * 60 * minute ? 60 * minute : minute;
  return (Math.ceil(silence / step) * step) / 1000;
}

/** Whether a schedule keeps its promise. */
export interface PromiseState {
  /** What the newest good backup must not be older than; absent where nothing is promised. */
  readonly expectedSince?: Date;
  /** true: there is none so new. */
  readonly late: boolean;
}

/** @param newestGood the earliest T of the newest good backup of the schedule, or when it was made; undefined where there is none */
export function promiseState(promise: SchedulePromise, newestGood: Date | undefined, now: Date): PromiseState {
  const expectedSince = newestExpected(promise, now);
  if (expectedSince === undefined) return { late: false };
  return { expectedSince, late: newestGood === undefined || newestGood.getTime() < expectedSince.getTime() };
}

/** Milliseconds; undefined for what is no rate. */
function rateOf({ expression }: SchedulePromise): number | undefined {
  const [, value = "", unit = ""] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  const rate = Number(value) * (rateUnits[unit] ?? Number.NaN);
  return rate > 0 ? rate : undefined;
}

function graceOf(period: number): number {
  return Math.min(longestGrace, Math.max(shortestGrace, period));
}

/** undefined for what is no cron expression of EventBridge Scheduler. */
function cronOf({ expression, timeZone }: SchedulePromise): Cron | undefined {
  const [, body] = /^cron\((.*)\)$/.exec(expression) ?? [];
  if (body === undefined) return undefined;
  // Its weekdays are 1 to 7 from Sunday, and a lone L there is Saturday.
  const fields = body.split(/\s+/).map((field, index) => (index === 4 && field === "L" ? "7" : field));
  const options = { mode: "7-part", alternativeWeekdays: true, sloppyRanges: true, timezone: timeZone } as const;
  try {
    return new Cron(`0 ${fields.join(" ")}`, options);
  } catch {
    return undefined;
  }
}
