import * as z from "zod";

/** What of an execution's history tells where it was and what went wrong. */
export interface ExecutionEvent {
  readonly at: Date;
  /**
   * - `entered`, `exited`: a state that works or waits (no choices, no passes)
   * - `scheduled`: its task was started; once more for each retry
   * - `failed`: an attempt of it failed or ran out of time
   */
  readonly kind: "entered" | "exited" | "scheduled" | "failed";
  /** Of `entered` and `exited`. */
  readonly state?: string;
  /** Of `failed`: `StoreBusy`, `States.Timeout` ... */
  readonly error?: string;
}

/** One batch of a distributed map, as its own execution tells. */
export interface BatchRun {
  /** `0-000003`; absent where nobody asked. */
  readonly batch?: string;
  readonly state: "running" | "succeeded" | "failed" | "timed-out" | "aborted";
  readonly startedAt: Date;
  readonly stoppedAt?: Date;
  /** Attempts after the first; absent where nobody asked. */
  readonly retries?: number;
}

/** What a batch left: its receipt, without the logs. */
export interface BatchReceipt {
  readonly batch: string;
  readonly segments: number;
  readonly objects: number;
  readonly bytes: number;
  readonly skippedObjects: number;
}

const time = z.iso.datetime({ offset: true });
const count = z.number().int().nonnegative();
const state = z.enum(["running", "succeeded", "failed", "timed-out", "aborted"]);

const span = z.strictObject({ from: time, to: time });
export type Span = Readonly<z.infer<typeof span>>;

/** A state of the machine with all visits to it. */
const reportedStep = z.strictObject({
  step: z.string(),
  visits: count,
  milliseconds: z.number(),
  retries: count,
  /** Attempts that failed, by the error's name. */
  errors: z.record(z.string(), count),
  /** When it was there; visits that lie close together are one. */
  spans: z.array(span).readonly(),
});
export type ReportedStep = Readonly<z.infer<typeof reportedStep>>;

const reportedBatch = span.extend({
  batch: z.string().optional(),
  state,
  milliseconds: z.number(),
  retries: count.optional(),
  segments: count.optional(),
  objects: count.optional(),
  bytes: count.optional(),
});

const reportedBatches = z.strictObject({
  total: count,
  running: count,
  succeeded: count,
  failed: count,
  /** Of those that are over. */
  medianMilliseconds: z.number(),
  longestMilliseconds: z.number(),
  /** Of the batches that were asked. */
  retries: count,
  /** Those that failed and the longest, in the order of their start, at most `mostBatches`. */
  shown: z.array(reportedBatch).readonly(),
  /** How many ran at once: from each time on so many, at most some two hundred points. */
  concurrency: z.array(z.strictObject({ at: time, running: count })).readonly(),
});
export type ReportedBatches = Readonly<z.infer<typeof reportedBatches>>;

/** What the receipts of an execution's copies come to. */
const reportedCopies = z.strictObject({
  segments: count,
  objects: count,
  /** Of them the ones that lay there before. */
  skippedObjects: count,
  bytes: count,
  /** Of the state that copied. */
  seconds: z.number(),
  bytesPerSecond: z.number(),
  objectsPerSecond: z.number(),
});

export const executionReport = z.strictObject({
  kind: z.literal("execution-report"),
  version: z.literal(1),
  generatedAt: time,
  executionName: z.string(),
  executionArn: z.string(),
  machine: z.string(),
  state,
  startedAt: time,
  stoppedAt: time.optional(),
  /** So far, where it is running. */
  milliseconds: z.number(),
  input: z.unknown(),
  error: z.strictObject({ name: z.string(), message: z.string() }).optional(),
  warnings: z.array(z.string()).readonly(),
  steps: z.array(reportedStep).readonly(),
  batches: reportedBatches.optional(),
  copies: reportedCopies.optional(),
  /** Of its steps, and of the batches that are shown. */
  retries: count,
});
export type ExecutionReport = Readonly<z.infer<typeof executionReport>>;

export const mostBatches = 40;
const mostPoints = 200;
/** Visits closer than that part of the whole are one on the page. */
const smallestGap = 1 / 300;

/** What the report of an execution is made of. */
export interface ExecutionFacts
  extends Pick<
    ExecutionReport,
    "executionName" | "executionArn" | "machine" | "state" | "input" | "error" | "warnings"
  > {
  readonly startedAt: Date;
  readonly stoppedAt?: Date | undefined;
  readonly events: readonly ExecutionEvent[];
  readonly batches: readonly BatchRun[];
  readonly receipts: readonly BatchReceipt[];
  readonly now: Date;
}

/** One execution: where it was when, its batches, what they brought, what was tried again. */
export function reportExecution(facts: ExecutionFacts): ExecutionReport {
  const { executionName, executionArn, machine, state, input, error, warnings, startedAt, stoppedAt, now } = facts;
  const end = stoppedAt ?? now;
  const steps = stepsOf(facts.events, startedAt, end);
  const batches = facts.batches.length > 0 ? reportBatches(facts.batches, facts.receipts, end) : undefined;
  // the receipts of a verification and of an export tell what was looked at
  const hasCopies = facts.receipts.length > 0 && machine !== "verify" && machine !== "export";
  const copies = hasCopies ? copiesOf(facts.receipts, steps) : undefined;
  return {
    kind: "execution-report",
    version: 1,
    generatedAt: now.toISOString(),
    ...{ executionName, executionArn, machine, state },
    startedAt: startedAt.toISOString(),
    ...(stoppedAt && { stoppedAt: stoppedAt.toISOString() }),
    milliseconds: end.getTime() - startedAt.getTime(),
    input,
    ...(error && { error }),
    warnings,
    steps,
    ...(batches && { batches }),
    ...(copies && { copies }),
    retries: steps.reduce((sum, { retries }) => sum + retries, 0) + (batches?.retries ?? 0),
  };
}

/** The batches worth asking more of: what failed, then the longest. */
export function batchesToAsk<T extends BatchRun>(batches: readonly T[]): T[] {
  const length = ({ startedAt, stoppedAt }: BatchRun) =>
    stoppedAt === undefined ? Number.POSITIVE_INFINITY : stoppedAt.getTime() - startedAt.getTime();
  const isBad = ({ state }: BatchRun) => (state === "succeeded" || state === "running" ? 0 : 1);
  return batches.toSorted((a, b) => isBad(b) - isBad(a) || order(length(b), length(a))).slice(0, mostBatches);
}

/** How often each attempt but the first was made in a history: of a batch, whose machine is one task. */
export function retriesIn(events: readonly ExecutionEvent[]): number {
  return Math.max(0, events.filter(({ kind }) => kind === "scheduled").length - 1);
}

/** States within a map of the execution itself: several are under way at once, and what they do is their map's. */
export const statesOfMaps: ReadonlySet<string> = new Set([
  "Copy Batch Directly",
  "Stage Batch Directly",
  "Verify Batch Directly",
  "Export Batch Directly",
  "Read Row Batch Directly",
  "Copy Gently Directly",
  "Stage Gently Directly",
  "Verify Gently Directly",
  "Export Gently Directly",
  "Read Rows Gently Directly",
]);

interface Visit {
  readonly state: string;
  readonly from: Date;
  to: Date;
  /** Of those within a map. */
  tasks: number;
  scheduled: number;
  readonly errors: string[];
}

function stepsOf(events: readonly ExecutionEvent[], startedAt: Date, end: Date): ReportedStep[] {
  const visits: Visit[] = [];
  let open: Visit | undefined;
  for (const { at, kind, state, error } of events) {
    if (state !== undefined && statesOfMaps.has(state)) {
      if (kind === "entered" && open !== undefined) open.tasks += 1;
    } else if (kind === "entered" && state !== undefined) {
      open = { state, from: at, to: end, tasks: 0, scheduled: 0, errors: [] };
      visits.push(open);
    } else if (kind === "exited" && open !== undefined) {
      open.to = at;
      open = undefined;
    } else if (kind === "scheduled" && open !== undefined) open.scheduled += 1;
    else if (kind === "failed") visits.at(-1)?.errors.push(error ?? "Unknown");
  }
  // A state that fails into another one is left without a word.
  for (const [index, visit] of visits.entries()) {
    const next = visits[index + 1];
    if (next !== undefined && visit.to.getTime() > next.from.getTime()) visit.to = next.from;
  }
  const gap = (end.getTime() - startedAt.getTime()) * smallestGap;
  return [...Map.groupBy(visits, ({ state }) => state)].map(([step, all]) => ({
    step,
    visits: all.length,
    milliseconds: all.reduce((sum, { from, to }) => sum + to.getTime() - from.getTime(), 0),
    retries: all.reduce((sum, visit) => sum + retriesOf(visit), 0),
    errors: countsOf(all.flatMap(({ errors }) => errors)),
    spans: mergeSpans(all, gap),
  }));
}

/** Each task within a map has a first attempt (the local emulator does not tell of their entries), and whatever is tried again failed before. */
function retriesOf({ tasks, scheduled, errors }: Pick<Visit, "tasks" | "scheduled" | "errors">): number {
  return Math.max(0, Math.min(errors.length, scheduled - Math.max(1, tasks)));
}

function mergeSpans(visits: readonly { from: Date; to: Date }[], gap: number): Span[] {
  const merged: { from: Date; to: Date }[] = [];
  for (const { from, to } of visits) {
    const last = merged.at(-1);
    if (last !== undefined && from.getTime() - last.to.getTime() <= gap) last.to = to;
    else merged.push({ from, to });
  }
  return merged.map(({ from, to }) => ({ from: from.toISOString(), to: to.toISOString() }));
}

function reportBatches(batches: readonly BatchRun[], receipts: readonly BatchReceipt[], end: Date): ReportedBatches {
  const byName = new Map(receipts.map((receipt) => [receipt.batch, receipt]));
  const lengths = batches
    .flatMap(({ startedAt, stoppedAt }) => (stoppedAt ? [stoppedAt.getTime() - startedAt.getTime()] : []))
    .sort((a, b) => a - b);
  const shown = batchesToAsk(batches).toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  const count = (...states: BatchRun["state"][]) => batches.filter(({ state }) => states.includes(state)).length;
  return {
    total: batches.length,
    running: count("running"),
    succeeded: count("succeeded"),
    failed: count("failed", "timed-out", "aborted"),
    medianMilliseconds: lengths[Math.floor(lengths.length / 2)] ?? 0,
    longestMilliseconds: lengths.at(-1) ?? 0,
    retries: batches.reduce((sum, { retries = 0 }) => sum + retries, 0),
    shown: shown.map(({ batch, state, startedAt, stoppedAt = end, retries }) => {
      const receipt = batch === undefined ? undefined : byName.get(batch);
      return {
        ...(batch !== undefined && { batch }),
        state,
        from: startedAt.toISOString(),
        to: stoppedAt.toISOString(),
        milliseconds: stoppedAt.getTime() - startedAt.getTime(),
        ...(retries !== undefined && { retries }),
        ...(receipt && { segments: receipt.segments, objects: receipt.objects, bytes: receipt.bytes }),
      };
    }),
    concurrency: concurrencyOf(batches, end),
  };
}

function concurrencyOf(batches: readonly BatchRun[], end: Date): ReportedBatches["concurrency"] {
  const changes = batches
    .flatMap(({ startedAt, stoppedAt = end }) => [
      { at: startedAt.getTime(), by: 1 },
      { at: stoppedAt.getTime(), by: -1 },
    ])
    .sort((a, b) => a.at - b.at);
  let running = 0;
  const points: { at: number; running: number }[] = [];
  for (const { at, by } of changes) {
    running += by;
    const last = points.at(-1);
    if (last?.at === at) last.running = running;
    else points.push({ at, running });
  }
  const every = Math.ceil(points.length / mostPoints);
  return points
    .filter((_, index) => index % every === 0 || index === points.length - 1)
    .map((point) => ({ at: new Date(point.at).toISOString(), running: point.running }));
}

/** Copies between stores and within one are made by the maps of a machine: a small plan's by the one within the execution. */
const copyingSteps: ReadonlySet<string> = new Set([
  "Copy Segments",
  "Copy Segments Directly",
  "Stage Segments",
  "Stage Segments Directly",
]);

function copiesOf(receipts: readonly BatchReceipt[], steps: readonly ReportedStep[]): ExecutionReport["copies"] {
  const sum = (of: (receipt: BatchReceipt) => number) => receipts.reduce((total, receipt) => total + of(receipt), 0);
  const milliseconds = steps
    .filter(({ step }) => copyingSteps.has(step))
    .reduce((total, step) => total + step.milliseconds, 0);
  const seconds = milliseconds / 1000;
  const [objects, bytes] = [sum((receipt) => receipt.objects), sum((receipt) => receipt.bytes)];
  return {
    segments: sum((receipt) => receipt.segments),
    objects,
    bytes,
    skippedObjects: sum((receipt) => receipt.skippedObjects),
    seconds,
    bytesPerSecond: seconds > 0 ? bytes / seconds : 0,
    objectsPerSecond: seconds > 0 ? objects / seconds : 0,
  };
}

function countsOf(names: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));
}

function order(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
