import * as z from "zod";

/**
 * Locks on stored objects (S3 Object Lock). `governance` can be taken off by who has `s3:BypassGovernanceRetention`, which this pipeline never
 * asks for; `compliance` by nobody, the account's root included.
 */
export const lockModes = ["governance", "compliance"] as const;
const lockMode = z.enum(lockModes);
export type LockMode = z.infer<typeof lockMode>;

/** What S3 takes at the most: a hundred years. */
const longestDays = 36_500;
const unitHours: Readonly<Record<string, number>> = { h: 1, d: 24 };

const durationError = "use a number and h or d, up to 36500d: 30d, 12h";

/** `30d`, `12h`. */
export const lockDuration = z
  .string()
  .regex(/^[1-9]\d{0,5}[hd]$/, durationError)
  .refine((text) => hoursOf(text) <= longestDays * 24, durationError);

/** How long what is written stays locked, as people say it: `30d`, or with a mode. */
export const lockSettings = z.union(
  [
    lockDuration.transform((time) => ({ for: time, mode: "governance" as LockMode })),
    z.strictObject({ for: lockDuration, mode: lockMode.default("governance") }),
  ],
  { error: "use a time of hours or days, up to 36500d, such as 30d, or {for: 30d, mode: governance or compliance}" },
);
export type LockSettings = Readonly<z.infer<typeof lockSettings>>;

/** A lock on an object: one date for everything that a backup has. */
export const objectLock = z.object({
  mode: lockMode,
  /** ISO 8601, whole seconds. */
  until: z.iso.datetime(),
});
export type ObjectLock = Readonly<z.infer<typeof objectLock>>;

/** What a bucket can do about locks. `unsupported`: this kind of store has none that this pipeline knows. */
export interface BucketLock {
  readonly state: "on" | "off" | "unsupported";
  /** What every new object gets by itself, for people: `governance 30 days`. */
  readonly byDefault?: string;
}

/** The lock of what an execution writes: it counts from the start of that, so that a step which runs again comes to the same date. */
export function lockFrom({ for: time, mode }: LockSettings, startTime: string): ObjectLock {
  const seconds = Math.ceil(Date.parse(startTime) / 1000) + hoursOf(time) * 3600;
  return { mode, until: new Date(seconds * 1000).toISOString() };
}

/** Whether what is locked already is locked as long and as strongly as is wanted. */
export function covers(held: ObjectLock | undefined, wanted: ObjectLock): boolean {
  return held !== undefined && isAsLong(held, wanted) && (held.mode === wanted.mode || held.mode === "compliance");
}

/** What covers both: nothing is ever locked for less than it was. */
export function strongerOf(held: ObjectLock | undefined, wanted: ObjectLock): ObjectLock {
  if (held === undefined) return wanted;
  const { until } = isAsLong(held, wanted) ? held : wanted;
  return { mode: held.mode === "compliance" ? held.mode : wanted.mode, until };
}

/** Whether a lock is not over yet. */
export function isLockedAt(lock: ObjectLock | undefined, now: Date): lock is ObjectLock {
  return lock !== undefined && Date.parse(lock.until) > now.getTime();
}

/** `locked until 2026-12-28 11:03 UTC (governance)` */
export function describeLock({ mode, until }: ObjectLock): string {
  return `locked until ${lockEnd(until)} (${mode})`;
}

/** `2026-12-28 11:03 UTC`: rounded up, so that what is over by then is over. */
export function lockEnd(until: string): string {
  const minutes = new Date(Math.ceil(Date.parse(until) / 60_000) * 60_000);
  return `${minutes.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function isAsLong(held: ObjectLock, wanted: ObjectLock): boolean {
  return Date.parse(held.until) >= Date.parse(wanted.until);
}

/** NaN for what is no time. */
function hoursOf(text: string): number {
  const [, value, unit = ""] = /^([1-9]\d{0,5})([hd])$/.exec(text) ?? [];
  return Number(value) * (unitHours[unit] ?? Number.NaN);
}
