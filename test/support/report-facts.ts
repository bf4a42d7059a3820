import type { SchedulePromise } from "../../src/core/deployment/schedule-promise.ts";
import { type DrillProof, type ReportedVerification, reportedVerificationOf } from "../../src/core/format/proof.ts";
import type { ExecutionFacts } from "../../src/core/report/execution.ts";
import type { ReportedBackup, RootFacts } from "../../src/core/report/root.ts";

export const now = new Date("2026-11-28T12:00:00Z");
export const stateMachine = "arn:aws:states:us-east-1:000000000000:stateMachine:backup";
const day = 86_400_000;

export const nightly: SchedulePromise = {
  ...{ name: "nightly", environment: "prod", expression: "cron(0 3 * * ? *)", timeZone: "UTC", enabled: true },
};
const hourly: SchedulePromise = { ...nightly, name: "hourly", expression: "rate(1 hour)" };

const madeByNightly = { name: "nightly", environment: "prod", stateMachine };

export function verification(at: string, outcome: "passed" | "failed" = "passed"): ReportedVerification {
  const last = {
    ...{ at, outcome, depth: "content" as const, percent: 100, objects: 1_204, bytes: 41e9 },
    ...{ problems: outcome === "passed" ? 0 : 3, executionArn: `${stateMachine}:verify` },
  };
  return reportedVerificationOf({ version: 1, last, ...(outcome === "passed" && { lastPassed: last }) });
}

export function drill(at: string, outcome: "passed" | "failed" = "passed"): DrillProof {
  const last = {
    ...{ at, outcome, environment: "drills", executionArn: `${stateMachine}:drill` },
    ...(outcome === "passed" ? { rtoSeconds: 412, rpoSeconds: 32_400 } : { reason: "9,998 of 10,000 rows came back" }),
  };
  return { version: 1, last, ...(outcome === "passed" && { lastPassed: last }) };
}

/** A complete backup of a night, made by the schedule `nightly`. */
export function night(daysAgo: number, more: Partial<ReportedBackup> = {}): ReportedBackup {
  const at = new Date(Date.UTC(2026, 10, 28, 3, 0, 4) - daysAgo * day).toISOString();
  const bytes = Math.round(41e9 - daysAgo * 0.35e9);
  return {
    backupName: `nightly_${at.slice(0, 19).replace(/[-T:]/g, "_")}`,
    ...{ state: "complete", at, isInstant: true, bytes, incremental: true },
    ownBytes: daysAgo % 7 === 5 ? Math.round(bytes * 0.8) : Math.round(0.4e9 + (daysAgo % 5) * 0.3e9),
    collections: ["shop.orders", "shop.products", "articles"],
    milvusVersion: "v2.3.5",
    schedule: madeByNightly,
    ...more,
  };
}

/** A month of nights, some of them tried, with one that an editor broke and one that is being made. */
export function rootFacts(more: Partial<RootFacts> = {}): RootFacts {
  const tried: Record<number, Partial<ReportedBackup>> = {
    0: {},
    1: { verification: verification("2026-11-27T09:00:00Z") },
    3: { drill: drill("2026-11-25T09:00:00Z"), verification: verification("2026-11-25T08:00:00Z") },
    9: { verification: verification("2026-11-19T08:00:00Z", "failed") },
    15: { drill: drill("2026-11-14T09:00:00Z", "failed") },
    17: { verification: verification("2026-11-12T08:00:00Z") },
  };
  const nights = Array.from({ length: 30 }, (_, index) => night(index, tried[index]));
  const nothing = { bytes: 0, incremental: false, collections: [], milvusVersion: "", isInstant: false };
  return {
    environment: "prod",
    location: "bucket-b/backup",
    backups: [
      ...nights,
      night(4.4, { backupName: "before_migration", incremental: false, bytes: 38.6e9, ownBytes: 38.6e9 }),
      { backupName: "half", state: "incomplete", ...nothing },
      { backupName: "edited", state: "corrupt", ...nothing, problem: "meta/backup_meta.json: is no JSON" },
    ],
    deployment: { stateMachine, promises: [nightly, hourly, { ...nightly, name: "paused", enabled: false }] },
    now,
    ...more,
  };
}

/** A backup's execution: prepared, copied in batches of which one was tried again and one failed at first, finalized. */
export function executionFacts(batches: number, more: Partial<ExecutionFacts> = {}): ExecutionFacts {
  const startedAt = new Date("2026-11-28T03:00:00Z");
  const at = (seconds: number) => new Date(startedAt.getTime() + seconds * 1000);
  const batchName = (index: number) => `0-${String(index).padStart(6, "0")}`;
  const seconds = (index: number) => 20 + ((index * 37) % 23);
  const begin = (index: number) => 14 + Math.floor(index / 16) * 34 + (index % 4);
  const copied = Math.max(14, ...Array.from({ length: batches }, (_, index) => begin(index) + seconds(index)));
  return {
    executionName: "nightly-20261128T030000",
    executionArn: `${stateMachine.replace("stateMachine", "execution")}:nightly-20261128T030000`,
    machine: "backup",
    state: "succeeded",
    input: { environment: "prod", schedule: "nightly", incremental: true },
    warnings: ["collection articles: 3 segments are larger than 5 GiB"],
    startedAt,
    stoppedAt: at(copied + 9),
    events: [
      { at: at(0), kind: "entered", state: "Prepare Backup" },
      { at: at(0), kind: "scheduled" },
      { at: at(4), kind: "failed", error: "MilvusBusy" },
      { at: at(6), kind: "scheduled" },
      { at: at(13), kind: "exited", state: "Prepare Backup" },
      { at: at(13), kind: "entered", state: "Copy Segments" },
      { at: at(copied + 1), kind: "exited", state: "Copy Segments" },
      { at: at(copied + 1), kind: "entered", state: "Finalize Backup" },
      { at: at(copied + 1), kind: "scheduled" },
      { at: at(copied + 8), kind: "exited", state: "Finalize Backup" },
      { at: at(copied + 8), kind: "entered", state: "Announce Backup Completed" },
      { at: at(copied + 8), kind: "scheduled" },
      { at: at(copied + 9), kind: "exited", state: "Announce Backup Completed" },
    ],
    batches: Array.from({ length: batches }, (_, index) => ({
      batch: batchName(index),
      state: "succeeded",
      startedAt: at(begin(index)),
      stoppedAt: at(begin(index) + seconds(index)),
      retries: index === 2 ? 1 : 0,
    })),
    receipts: Array.from({ length: batches }, (_, index) => ({
      ...{ batch: batchName(index), segments: 64, objects: 1_500, skippedObjects: index % 3 === 0 ? 40 : 0 },
      bytes: 1.2e9 + index * 3e7,
    })),
    now,
    ...more,
  };
}
