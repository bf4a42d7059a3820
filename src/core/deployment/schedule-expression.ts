/**
 * Schedule expressions as EventBridge Scheduler takes them, checked before a deployment fails on them halfway:
 * `rate(value unit)` and `cron(minutes hours day-of-month month day-of-week year)`. `at(...)` runs once and is no schedule here.
 */

const units: Readonly<Record<string, number>> = { minute: 60, hour: 3600, day: 86_400 };

interface CronField {
  readonly name: string;
  readonly lowest: number;
  readonly highest: number;
  readonly names?: readonly string[];
  /** What the field may hold besides numbers, names, `*`, `,`, `-` and `/`. */
  readonly special?: RegExp;
}

const months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const weekdays = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const cronFields: readonly CronField[] = [
  { name: "minutes", lowest: 0, highest: 59 },
  { name: "hours", lowest: 0, highest: 23 },
  { name: "day-of-month", lowest: 1, highest: 31, special: /^(\?|L|LW|([1-9]|[12]\d|3[01])W)$/ },
  { name: "month", lowest: 1, highest: 12, names: months },
  { name: "day-of-week", lowest: 1, highest: 7, names: weekdays, special: /^(\?|L|[1-7]L|([1-7]|[A-Z]{3})#[1-5])$/ },
  { name: "year", lowest: 1970, highest: 2199 },
];

/** What is wrong with a schedule expression, for a person; undefined where EventBridge Scheduler takes it. */
export function problemOfScheduleExpression(expression: string): string | undefined {
  const [, kind, body] = /^(rate|cron)\((.*)\)$/.exec(expression) ?? [];
  if (kind === "rate") return problemOfRate(body ?? "");
  if (kind === "cron") return problemOfCron(body ?? "");
  return `${JSON.stringify(expression)} is no schedule expression: use rate(12 hours) or cron(0 3 * * ? *)`;
}

/** What is wrong with a time zone; undefined for a name of the IANA database. */
export function problemOfTimeZone(timeZone: string): string | undefined {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return /^[+-]/.test(timeZone) ? `${timeZone} is an offset: use a name such as Europe/Berlin or UTC` : undefined;
  } catch {
    return `${JSON.stringify(timeZone)} is no time zone: use a name such as Europe/Berlin or UTC`;
  }
}

function problemOfRate(body: string): string | undefined {
  const [, value = "", unit = ""] = /^(\d+) (minute|hour|day)s?$/.exec(body) ?? [];
  if (units[unit] === undefined || Number(value) < 1) {
    return `rate(${body}): use a whole number from 1 and minutes, hours or days, such as rate(12 hours)`;
  }
  return undefined;
}

function problemOfCron(body: string): string | undefined {
  const parts = body.split(/\s+/).filter((part) => part !== "");
  if (parts.length !== cronFields.length) {
    const fields = cronFields.map(({ name }) => name).join(" ");
    return `cron(${body}) has ${parts.length} fields; it takes six: ${fields}, such as cron(0 3 * * ? *)`;
  }
  for (const [index, field] of cronFields.entries()) {
    const part = parts[index] ?? "";
    if (!isCronField(part, field)) {
      return `cron(${body}): ${JSON.stringify(part)} is no value for ${field.name} (${field.lowest} to ${field.highest})`;
    }
  }
  if ((parts[2] === "?") === (parts[4] === "?")) {
    return `cron(${body}): exactly one of day-of-month and day-of-week must be ?`;
  }
  return undefined;
}

function isCronField(text: string, field: CronField): boolean {
  if (text === "*" || field.special?.test(text)) return true;
  return text.split(",").every((item) => {
    const [range = "", step, ...rest] = item.split("/");
    if (rest.length > 0 || (step !== undefined && !/^[1-9]\d*$/.test(step))) return false;
    if (range === "*") return step !== undefined;
    const ends = range.split("-").map((end) => cronValue(end, field));
    return ends.length <= 2 && ends.every((end) => end !== undefined) && (ends[0] ?? 0) <= (ends[1] ?? field.highest);
  });
}

function cronValue(text: string, field: CronField): number | undefined {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  const value = named >= 0 ? named + field.lowest : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.lowest && value <= field.highest ? value : undefined;
}
