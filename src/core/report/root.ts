import * as z from "zod";
import { lateFrom, promiseState, type SchedulePromise } from "../deployment/schedule-promise.ts";
import { madeBySchedule } from "../format/manifest.ts";
import { drillProof, reportedVerification } from "../format/proof.ts";

const time = z.iso.datetime({ offset: true });
const count = z.number().int().nonnegative();

/** A backup as the report of its root shows it. */
const reportedBackup = z.strictObject({
  backupName: z.string(),
  /** Those without a commit record are `writing`, `deleting`, `failed` or `incomplete`. */
  state: z.enum(["complete", "corrupt", "writing", "deleting", "failed", "incomplete"]),
  /** Its earliest T, or without T when it was made; absent where neither is known. */
  at: time.optional(),
  /** true: `at` is an instant that its collections were cut at. */
  isInstant: z.boolean(),
  /** Of all logs. */
  bytes: count,
  /** What deleting it would free; absent where nobody counted. */
  ownBytes: count.optional(),
  incremental: z.boolean(),
  /** `db.coll` */
  collections: z.array(z.string()).readonly(),
  milvusVersion: z.string(),
  schedule: madeBySchedule.optional(),
  verification: reportedVerification.optional(),
  drill: drillProof.optional(),
  /** For people, where it is corrupt. */
  problem: z.string().optional(),
});
export type ReportedBackup = Readonly<z.infer<typeof reportedBackup>>;

/** How a schedule stands to what it promises. */
const reportedSchedule = z.strictObject({
  schedule: z.string(),
  environment: z.string(),
  expression: z.string(),
  timeZone: z.string(),
  enabled: z.boolean(),
  /** Backups of this root that it made and that are complete. */
  backupCount: count,
  /** Good ones only: not one that a verification or a drill found broken. */
  newest: z.strictObject({ backupName: z.string(), at: time }).optional(),
  /** Of the newest, at the time of the report. */
  ageSeconds: z.number().optional(),
  /** The newest must not be older than that; absent where nothing is promised. */
  expectedSince: time.optional(),
  late: z.boolean(),
  /** From when on the newest is too old, where no newer one comes. */
  lateFrom: time.optional(),
});
export type ReportedSchedule = Readonly<z.infer<typeof reportedSchedule>>;

/** What is known of backups by trying: the best for a whole span, but a failure is never hidden. */
const proof = z.enum(["failed", "drilled", "verified", "none"]);
export type Proof = z.infer<typeof proof>;

const spans = ["backup", "day", "week", "month"] as const;
type Span = (typeof spans)[number];

/** A bar of the time line: one backup, or all of a day, week or month where there are too many. */
const timelineBar = z.strictObject({
  /** The backup, or the span: `2026-11`. */
  label: z.string(),
  at: time,
  backupCount: count,
  /** Of the largest. */
  bytes: count,
  ownBytes: count.optional(),
  proof,
});
export type TimelineBar = Readonly<z.infer<typeof timelineBar>>;

const totals = z.strictObject({
  backupCount: count,
  /** Being written or deleted, or what a failure left. */
  incomplete: count,
  corrupt: count,
  /** What all of them hold, each whole. */
  bytes: count,
  /** The last verification passed. */
  verified: count,
  drilled: count,
  /** The last verification or drill failed. */
  failed: count,
});

/** A month of backups that are too old to be listed one by one. */
const reportedMonth = totals.omit({ corrupt: true, incomplete: true }).extend({
  /** `2026-11`; absent for those of which nobody knows when they were made. */
  month: z.string().optional(),
});

export const rootReport = z.strictObject({
  kind: z.literal("root-report"),
  version: z.literal(1),
  generatedAt: time,
  environment: z.string(),
  /** Bucket and root path. */
  location: z.string(),
  totals,
  schedules: z.array(reportedSchedule).readonly(),
  timeline: z.strictObject({ per: z.enum(spans), bars: z.array(timelineBar).readonly() }),
  /** Newest first, at most `mostBackups`. */
  backups: z.array(reportedBackup).readonly(),
  /** Those that are not among them, newest first. */
  older: z.array(reportedMonth).readonly(),
});
export type RootReport = Readonly<z.infer<typeof rootReport>>;

export const mostBackups = 100;
const mostBars = 120;

/** What the report of a root is made of. */
export interface RootFacts {
  readonly environment: string;
  readonly location: string;
  readonly backups: readonly ReportedBackup[];
  /** Those of the deployment that asks; absent where there is none. */
  readonly deployment?: { readonly stateMachine: string; readonly promises: readonly SchedulePromise[] };
  readonly now: Date;
}

/** All backups of a root: on a time line, against their schedules' promises, and one by one. However many there are, it stays a page. */
export function reportRoot({ environment, location, backups, deployment, now }: RootFacts): RootReport {
  const newestFirst = backups.toSorted((a, b) => timeOf(b) - timeOf(a) || (a.backupName < b.backupName ? -1 : 1));
  const promises = (deployment?.promises ?? []).filter((promise) => promise.environment === environment);
  return {
    kind: "root-report",
    version: 1,
    generatedAt: now.toISOString(),
    environment,
    location,
    totals: totalsOf(backups),
    schedules: promises.map((promise) => reportSchedule(promise, deployment?.stateMachine, newestFirst, now)),
    timeline: timelineOf(newestFirst.toReversed()),
    backups: newestFirst.slice(0, mostBackups),
    older: monthsOf(newestFirst.slice(mostBackups)),
  };
}

/** What the last verification and the last drill say of a backup. */
export function proofOf({ verification, drill }: Pick<ReportedBackup, "verification" | "drill">): Proof {
  const last = [verification?.last.outcome, drill?.last.outcome];
  if (last.includes("failed")) return "failed";
  if (drill !== undefined) return "drilled";
  return verification === undefined ? "none" : "verified";
}

function reportSchedule(
  promise: SchedulePromise,
  stateMachine: string | undefined,
  newestFirst: readonly ReportedBackup[],
  now: Date,
): ReportedSchedule {
  const made = newestFirst.filter(
    ({ state, schedule }) =>
      state === "complete" &&
      schedule?.name === promise.name &&
      schedule.environment === promise.environment &&
      schedule.stateMachine === stateMachine,
  );
  // What a verification or a drill found broken is no good backup, however new it is.
  const good = made.find((backup) => backup.at !== undefined && proofOf(backup) !== "failed");
  const { name, environment, expression, timeZone, enabled } = promise;
  const { expectedSince, late } = promiseState(promise, good?.at === undefined ? undefined : new Date(good.at), now);
  const from = good?.at === undefined ? undefined : lateFrom(promise, new Date(good.at));
  return {
    schedule: name,
    ...{ environment, expression, timeZone, enabled },
    backupCount: made.length,
    ...(good?.at !== undefined && {
      newest: { backupName: good.backupName, at: good.at },
      ageSeconds: Math.round((now.getTime() - Date.parse(good.at)) / 1000),
    }),
    ...(expectedSince && { expectedSince: expectedSince.toISOString() }),
    late,
    ...(from && { lateFrom: from.toISOString() }),
  };
}

function timelineOf(oldestFirst: readonly ReportedBackup[]): RootReport["timeline"] {
  const placed = oldestFirst.filter(({ state, at }) => state === "complete" && at !== undefined);
  for (const per of spans) {
    const groups = [...Map.groupBy(placed, (backup) => spanOf(backup, per)).entries()];
    if (groups.length > mostBars && per !== "month") continue;
    return { per, bars: groups.slice(-mostBars).map(([label, members]) => barOf(label, members)) };
  }
  throw new RangeError("months are the longest spans");
}

function barOf(label: string, members: readonly ReportedBackup[]): TimelineBar {
  const largest = members.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const proofs = new Set(members.map(proofOf));
  const order = ["failed", "drilled", "verified"] as const;
  return {
    label,
    at: members.at(-1)?.at ?? "",
    backupCount: members.length,
    bytes: largest.bytes,
    ...(largest.ownBytes !== undefined && { ownBytes: largest.ownBytes }),
    proof: order.find((proof) => proofs.has(proof)) ?? "none",
  };
}

/** Days, weeks (by their Monday) and months of UTC. */
function spanOf({ backupName, at = "" }: ReportedBackup, per: Span): string {
  if (per === "backup") return backupName;
  if (per === "month") return at.slice(0, 7);
  const day = new Date(`${at.slice(0, 10)}T00:00:00Z`);
  if (per === "week") day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
  return day.toISOString().slice(0, 10);
}

function monthsOf(newestFirst: readonly ReportedBackup[]): RootReport["older"] {
  return [...Map.groupBy(newestFirst, ({ at }) => at?.slice(0, 7))].map(([month, members]) => {
    const { corrupt: _, incomplete: __, ...totals } = totalsOf(members);
    return { ...(month !== undefined && { month }), ...totals };
  });
}

function totalsOf(backups: readonly ReportedBackup[]): RootReport["totals"] {
  const count = (is: (backup: ReportedBackup) => boolean) => backups.filter(is).length;
  return {
    backupCount: backups.length,
    incomplete: count(({ state }) => state !== "complete" && state !== "corrupt"),
    corrupt: count(({ state }) => state === "corrupt"),
    bytes: backups.reduce((sum, { bytes }) => sum + bytes, 0),
    verified: count(({ verification }) => verification?.last.outcome === "passed"),
    drilled: count(({ drill }) => drill?.last.outcome === "passed"),
    failed: count((backup) => proofOf(backup) === "failed"),
  };
}

/** What has no time is older than everything. */
function timeOf({ at }: ReportedBackup): number {
  return at === undefined ? Number.NEGATIVE_INFINITY : Date.parse(at);
}
