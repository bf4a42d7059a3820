import { describe, expect, it } from "vitest";
import { problemOfScheduleExpression, problemOfTimeZone } from "../../../../src/core/deployment/schedule-expression.ts";

describe("problemOfScheduleExpression", () => {
  it.each([
    "rate(1 minute)",
    "rate(1 minutes)",
    "rate(12 hours)",
    "rate(7 days)",
    "cron(0 3 * * ? *)",
    "cron(0/15 8-18 ? * MON-FRI *)",
    "cron(30 2 1,15 * ? 2026-2030)",
    "cron(0 0 L * ? *)",
    "cron(0 0 15W * ? *)",
    "cron(0 0 ? JAN,jul 2#1 *)",
    "cron(0 0 ? * 6L *)",
    "cron(*/5 * * * ? *)",
  ])("takes %s", (expression) => {
    expect(problemOfScheduleExpression(expression)).toBeUndefined();
  });

  it.each([
    ["0 3 * * *", "is no schedule expression"],
    ["at(2026-11-21T11:03:07)", "is no schedule expression"],
    ["rate(0 hours)", "whole number from 1"],
    ["rate(1.5 hours)", "whole number from 1"],
    ["rate(1 week)", "minutes, hours or days"],
    ["cron(0 3 * * ?)", "has 5 fields"],
    ["cron(60 3 * * ? *)", '"60" is no value for minutes (0 to 59)'],
    ["cron(0 24 * * ? *)", '"24" is no value for hours'],
    ["cron(0 3 0 * ? *)", '"0" is no value for day-of-month'],
    ["cron(0 3 ? * FUNDAY *)", '"FUNDAY" is no value for day-of-week'],
    ["cron(0 3 ? 13 MON *)", '"13" is no value for month'],
    ["cron(0 18-8 * * ? *)", '"18-8" is no value for hours'],
    ["cron(0/0 3 * * ? *)", '"0/0" is no value for minutes'],
    ["cron(0 3 * * * *)", "exactly one of day-of-month and day-of-week must be ?"],
    ["cron(0 3 ? * ? *)", "exactly one of day-of-month and day-of-week must be ?"],
  ])("refuses %s", (expression, problem) => {
    expect(problemOfScheduleExpression(expression)).toContain(problem);
  });
});

describe("problemOfTimeZone", () => {
  it.each(["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])("takes %s", (zone) => {
    expect(problemOfTimeZone(zone)).toBeUndefined();
  });

  it.each(["Berlin", "", "+02:00"])("refuses %j", (zone) => {
    expect(problemOfTimeZone(zone)).toContain("Europe/Berlin");
  });
});
