import { promiseState, type SchedulePromise } from "../deployment/schedule-promise.ts";
import type { MadeBySchedule } from "../format/manifest.ts";
import type { DrillProof, VerificationProof } from "../format/proof.ts";

/** A backup as the report of its root shows it. */
export interface ReportedBackup {
  readonly name: string;
  readonly state: "complete" | "incomplete" | "corrupt";
  /** ISO 8601: its earliest T, or without T when it was made; absent where neither is known. */
  readonly at?: string;
  /** true: `at` is an instant that its collections were cut at. */
  readonly isInstant: boolean;
  /** Of all logs. */
  readonly bytes: number;
  /** What deleting it would free; absent where nobody counted. */
  readonly ownBytes?: number;
  readonly incremental: boolean;
  /** `db.coll` */
  readonly collections: readonly string[];
  readonly milvusVersion: string;
  readonly schedule?: MadeBySchedule;
  readonly verification?: VerificationProof;
  readonly drill?: DrillProof;
  /** For people, where it is corrupt. */
  readonly problem?: string;
}

/** How a schedule stands to what it promises. */
export interface ReportedSchedule extends SchedulePromise {
  /** Backups of this root that it made and that are complete. */
  readonly backups: number;
  readonly newest?: { readonly name: string; readonly at: string };
  /** Of the newest, at the time of the report. */
  readonly ageSeconds?: number;
  /** ISO 8601: the newest must not be older than that; absent where nothing is promised. */
  readonly expectedSince?: string;
  readonly late: boolean;
}

/** A bar of the time line: one backup, or all of a day, week or month where there are too many. */
export interface TimelineBar {
  /** The backup, or the span: `2026-11`. */
  readonly label: string;
  /** ISO 8601. */
  readonly at: string;
  readonly backups: number;
  /** Of the largest. */
  readonly bytes: number;
  readonly ownBytes?: number;
  readonly proof: Proof;
}

/** What is known of backups by trying: the best for a whole span, but a failure is never hidden. */
export type Proof = "failed" | "drilled" | "verified" | "none";

/** A month of backups that are too old to be listed one by one. */
export interface ReportedMonth extends Omit<BackupTotals, "corrupt" | "incomplete"> {
  /** `2026-11`; absent for those of which nobody knows when they were made. */
  readonly month?: string;
}

interface BackupTotals {
  readonly backups: number;
  readonly incomplete: number;
  readonly corrupt: number;
  /** What all of them hold, each whole. */
  readonly bytes: number;
  /** The last verification passed. */
  readonly verified: number;
  readonly drilled: number;
  /** The last verification or drill failed. */
  readonly failed: number;
}

export interface RootReport {
  readonly kind: "root";
  /** ISO 8601. */
  readonly generatedAt: string;
  readonly environment: string;
  /** Bucket and root path. */
  readonly location: string;
  readonly totals: BackupTotals;
  readonly schedules: readonly ReportedSchedule[];
  readonly timeline: { readonly per: Span; readonly bars: readonly TimelineBar[] };
  /** Newest first, at most `mostBackups`. */
  readonly backups: readonly ReportedBackup[];
  /** Those that are not among them, newest first. */
  readonly older: readonly ReportedMonth[];
}

const spans = ["backup", "day", "week", "month"] as const;
type Span = (typeof spans)[number];

export const mostBackups = 200;
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
  const newestFirst = backups.toSorted((a, b) => timeOf(b) - timeOf(a) || (a.name < b.name ? -1 : 1));
  const promises = (deployment?.promises ?? []).filter((promise) => promise.environment === environment);
  return {
    kind: "root",
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
  const { expectedSince, late } = promiseState(promise, good?.at === undefined ? undefined : new Date(good.at), now);
  return {
    ...promise,
    backups: made.length,
    ...(good?.at !== undefined && {
      newest: { name: good.name, at: good.at },
      ageSeconds: Math.round((now.getTime() - Date.parse(good.at)) / 1000),
    }),
    ...(expectedSince && { expectedSince: expectedSince.toISOString() }),
    late,
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
    backups: members.length,
    bytes: largest.bytes,
    ...(largest.ownBytes !== undefined && { ownBytes: largest.ownBytes }),
    proof: order.find((proof) => proofs.has(proof)) ?? "none",
  };
}

/** Days, weeks (by their Monday) and months of UTC. */
function spanOf({ name, at = "" }: ReportedBackup, per: Span): string {
  if (per === "backup") return name;
  if (per === "month") return at.slice(0, 7);
  const day = new Date(`${at.slice(0, 10)}T00:00:00Z`);
  if (per === "week") day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
  return day.toISOString().slice(0, 10);
}

function monthsOf(newestFirst: readonly ReportedBackup[]): ReportedMonth[] {
  return [...Map.groupBy(newestFirst, ({ at }) => at?.slice(0, 7))].map(([month, members]) => {
    const { corrupt: _, incomplete: __, ...totals } = totalsOf(members);
    return { ...(month !== undefined && { month }), ...totals };
  });
}

function totalsOf(backups: readonly ReportedBackup[]): BackupTotals {
  const count = (is: (backup: ReportedBackup) => boolean) => backups.filter(is).length;
  return {
    backups: backups.length,
    incomplete: count(({ state }) => state === "incomplete"),
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
