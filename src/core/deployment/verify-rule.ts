import * as z from "zod";
import { problemOfScheduleExpression } from "./schedule-expression.ts";

/** At noon, in the time zone of the schedule: what is made at night is there by then. */
const periods: Readonly<Record<string, string>> = {
  daily: "cron(0 12 * * ? *)",
  weekly: "cron(0 12 ? * SUN *)",
  monthly: "cron(0 12 1 * ? *)",
};

/** `daily`, or an expression of EventBridge Scheduler, as the expression. */
const when = z.string().transform((text, context) => {
  const expression = periods[text] ?? text;
  if (problemOfScheduleExpression(expression) === undefined) return expression;
  context.addIssue(
    `${JSON.stringify(text)} is neither daily, weekly or monthly nor a schedule expression: use weekly or cron(0 12 ? * SUN *)`,
  );
  return z.NEVER;
});

/** `10%` or `true` as percent of something. */
const share = (what: string) =>
  z.union([z.literal(true), z.string()]).transform((given, context) => {
    if (given === true) return 100;
    const percent = Number(/^(\d+(?:\.\d+)?)%$/.exec(given)?.[1]);
    if (percent > 0 && percent <= 100) return percent;
    context.addIssue(
      `${JSON.stringify(given)} is no share of the ${what}: use true for all of them, or 10% for a sample`,
    );
    return z.NEVER;
  });

/** What a schedule verifies, and when. */
export interface VerifyRule {
  readonly expression: string;
  readonly readData?: number | undefined;
  readonly rows?: number | undefined;
}

/** When the newest complete backup of a schedule is verified: `weekly`, or with how much of it is read. */
export const verifyRule = z.union(
  [
    when.transform((expression): VerifyRule => ({ expression })),
    z
      .strictObject({ schedule: when, readData: share("bytes").optional(), rows: share("rows").optional() })
      .transform(({ schedule, readData, rows }) => ({ expression: schedule, readData, rows })),
  ],
  { error: "use daily, weekly, monthly, an expression, or { schedule: weekly, readData: 10%, rows: true }" },
);

/** What the schedule is called that verifies the backups of another one. */
export function verifyScheduleName(schedule: string): string {
  return `${schedule}-verify`;
}
