import * as z from "zod";

const count = z.number().int().min(1);

const unitHours: Readonly<Record<string, number>> = { h: 1, d: 24 };
const defaultFailedHours = 24;

/** Hours, or `36h`, `2d`; at least one hour, so that nothing goes that has just failed and may go on. */
const age = z.union([z.number().int().min(1), z.string().regex(/^[1-9]\d{0,3}[hd]$/)], {
  error: "use hours, or a number and h or d: 24, 36h, 2d",
});

/** How many backups of a schedule are kept; what any of the rules keeps is kept. At least one rule. */
export const keepRules = z
  .strictObject({
    /** The newest so many. */
    last: count.optional(),
    /** The newest of each of the newest so many days that have one. */
    daily: count.optional(),
    /** The same for weeks (ISO 8601: they begin on Monday). */
    weekly: count.optional(),
    /** The same for months. */
    monthly: count.optional(),
    /** How long what a failed backup left stays; a day where absent. No rule by itself. */
    failed: age.optional(),
  })
  .refine(({ failed: _, ...rules }) => Object.values(rules).some((value) => value !== undefined), {
    message: "must name at least one of last, daily, weekly, monthly; leave keep out to keep everything",
  });
export type KeepRules = z.infer<typeof keepRules>;

/** How long what a failed backup left stays. */
export function failedMilliseconds({ failed = defaultFailedHours }: Pick<KeepRules, "failed">): number {
  const hours = typeof failed === "number" ? failed : Number.parseInt(failed, 10) * (unitHours[failed.slice(-1)] ?? 1);
  return hours * 3_600_000;
}

/** A backup that a schedule made, as retention sees it. */
export interface ScheduledBackup {
  readonly name: string;
  readonly created: Date;
  /** It is complete, its commit record is what its manifest says, and no verification has found it damaged since. */
  readonly good: boolean;
  /** It would be good, but for what the last verification of it found. */
  readonly damaged?: boolean;
  /** The last verification of it found it good; absent where there was none. */
  readonly verified?: boolean;
}

export interface RetentionPlan {
  /** Newest first, with the rules that keep it: `last`, `daily` ..., `last good`, `last verified` or `damaged`. */
  readonly keep: readonly { readonly name: string; readonly created: Date; readonly reasons: readonly string[] }[];
  /** Oldest first. */
  readonly remove: readonly ScheduledBackup[];
}

/**
 * Which of a schedule's backups go. Only good ones count for a rule, so that a damaged one never stands for its day; one that is not whole
 * goes once a good one that is kept is newer, one that a verification found damaged when a rule would let it go if it were good. Whatever the rules say, the newest good one stays, and the newest
 * one that was verified.
 * @param timeZone where days, weeks and months begin
 */
export function planRetention(
  backups: readonly ScheduledBackup[],
  rules: KeepRules,
  timeZone: string = "UTC",
): RetentionPlan {
  const plan = planByRules(backups, rules, timeZone);
  // what is left in a damaged one may be all there is of its day: it stays as long as if nobody had looked
  const unlooked = backups.map((backup) => ({ ...backup, good: backup.good || backup.damaged === true }));
  const known = new Set(planByRules(unlooked, rules, timeZone).keep.map(({ name }) => name));
  const stays = plan.remove.filter(({ name, damaged }) => damaged && known.has(name));
  if (stays.length === 0) return plan;
  const kept = [...plan.keep, ...stays.map(({ name, created }) => ({ name, created, reasons: ["damaged"] }))];
  return { keep: kept.sort(newestFirst), remove: plan.remove.filter((backup) => !stays.includes(backup)) };
}

function newestFirst(
  a: Pick<ScheduledBackup, "name" | "created">,
  b: Pick<ScheduledBackup, "name" | "created">,
): number {
  return b.created.getTime() - a.created.getTime() || (a.name < b.name ? 1 : -1);
}

function planByRules(backups: readonly ScheduledBackup[], rules: KeepRules, timeZone: string): RetentionPlan {
  const sorted = backups.toSorted(newestFirst);
  const good = sorted.filter((backup) => backup.good);
  const [lastGood] = good;
  // Nothing that is good: nothing that could take the place of what would go.
  if (lastGood === undefined) {
    return { keep: sorted.map(({ name, created }) => ({ name, created, reasons: ["nothing good"] })), remove: [] };
  }
  const reasons = new Map<string, string[]>([[lastGood.name, ["last good"]]]);
  const keep = (name: string, reason: string) => reasons.set(name, [...(reasons.get(name) ?? []), reason]);
  const lastVerified = good.find(({ verified }) => verified);
  if (lastVerified) keep(lastVerified.name, "last verified");
  for (const { name } of good.slice(0, rules.last ?? 0)) keep(name, "last");
  const calendar = calendarOf(timeZone);
  for (const period of ["daily", "weekly", "monthly"] as const) {
    const seen = new Set<string>();
    for (const { name, created } of good) {
      const bucket = calendar[period](created);
      if (seen.has(bucket)) continue;
      if (seen.size >= (rules[period] ?? 0)) break;
      seen.add(bucket);
      keep(name, period);
    }
  }
  for (const { name, created } of sorted.filter((backup) => !backup.good)) {
    if (created.getTime() > lastGood.created.getTime()) keep(name, "newer than the last good");
  }
  return {
    keep: sorted.flatMap(({ name, created }) => {
      const why = reasons.get(name);
      return why === undefined ? [] : [{ name, created, reasons: why }];
    }),
    remove: sorted.filter(({ name }) => !reasons.has(name)).reverse(),
  };
}

function calendarOf(timeZone: string) {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  const daily = (time: Date) => format.format(time);
  return {
    daily,
    weekly: (time: Date) => {
      const day = new Date(`${daily(time)}T00:00:00Z`);
      // The Monday of its week names the week.
      day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
      return day.toISOString().slice(0, 10);
    },
    monthly: (time: Date) => daily(time).slice(0, 7),
  };
}
