import { newestExpected, type SchedulePromise } from "../../src/core/deployment/schedule-promise.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import { type NewestOfSchedule, newestOfSchedule } from "../../src/steps/catalog/newest-of-schedule.ts";
import { storedBackups } from "../../src/steps/shared/find-backup.ts";
import type { CliContext } from "../context.ts";
import type { DocumentOf } from "../documents/index.ts";
import { CliError } from "../errors.ts";
import { formatDuration, formatTime } from "../output/format.ts";
import type { Pipeline } from "../pipeline/stack.ts";
import type { VerbRun } from "../verbs/verb.ts";

export interface LastOptions {
  readonly schedule?: string;
  /** Milliseconds. */
  readonly maxAge?: number;
}

/** How it stands with one schedule. */
type ScheduleHealth = DocumentOf<"schedules">["schedules"][number];

interface Failure {
  readonly error: NonNullable<ScheduleHealth["error"]>;
}

const words = { late: "CRITICAL", unknown: "UNKNOWN", ok: "OK", off: "OK" } as const;
const worstFirst = Object.keys(words);

/**
 * Whether the newest good backup of each schedule is new enough: a line each for a monitor, the worst first. Exit code 1 where one is not, or
 * where nobody could look.
 */
export async function lastBackups({ options, shared, output, context }: VerbRun<LastOptions>): Promise<number> {
  const pipeline = await context.connections.pipeline(shared.stack);
  const now = context.clock.now();
  const schedules: ScheduleHealth[] = [];
  for (const promise of chosenSchedules(pipeline, options)) {
    const since =
      options.maxAge === undefined ? newestExpected(promise, now) : new Date(now.getTime() - options.maxAge);
    schedules.push(healthOf(promise, since, await look(context, pipeline, promise, since), now));
  }
  schedules.sort((a, b) => worstFirst.indexOf(a.state) - worstFirst.indexOf(b.state));
  const ok = schedules.every(({ state }) => state === "ok" || state === "off");
  output.result(
    { kind: "schedules", version: 1, stack: pipeline.stack, ok, schedules },
    schedules.map(toLine).join("\n"),
  );
  return ok ? 0 : 1;
}

/** @throws Usage where there is no such schedule, or none at all: a monitor that looks at nothing would always be content */
function chosenSchedules({ schedules, stack }: Pipeline, { schedule }: LastOptions): readonly SchedulePromise[] {
  if (schedules.length === 0) {
    throw new CliError(
      "Usage",
      `the stack ${stack} has no schedules to look after: deploy a pipeline.yaml with some, or name another one with --stack`,
    );
  }
  const found = schedules.filter(({ name }) => schedule === undefined || name === schedule);
  if (found.length > 0) return found;
  const names = schedules.map(({ name }) => name).join(", ");
  throw new CliError(
    "Usage",
    `--schedule: the stack ${stack} has no schedule ${JSON.stringify(schedule)}; it has: ${names}`,
  );
}

/** The newest good backup of a schedule, or why nobody could look: one that cannot be looked at says nothing about the others. */
async function look(
  { connections }: CliContext,
  pipeline: Pipeline,
  { name, environment: environmentName }: SchedulePromise,
  since: Date | undefined,
): Promise<NewestOfSchedule | Failure> {
  try {
    const environment = await (await connections.environments(pipeline)).get(environmentName);
    const store = await connections.openStore(environment, "backup");
    const madeBy = { name, environment: environmentName, stateMachine: pipeline.backupStateMachineArn };
    return await newestOfSchedule(await storedBackups(store, environment.backupStorage), madeBy, since);
  } catch (error) {
    if (error instanceof CliError || error instanceof PipelineError)
      return { error: { name: error.name, message: error.message } };
    throw error;
  }
}

function healthOf(
  { name, environment }: SchedulePromise,
  since: Date | undefined,
  found: NewestOfSchedule | Failure,
  now: Date,
): ScheduleHealth {
  const common = { schedule: name, environment, ...(since && { expectedSince: since.toISOString() }) };
  if ("error" in found) return { ...common, ...found, state: "unknown", warnings: [] };
  const { newest, problems } = found;
  const isNew = since !== undefined && newest !== undefined && newest.time.getTime() >= since.getTime();
  return {
    ...common,
    state: since === undefined ? "off" : isNew ? "ok" : "late",
    ...(newest && {
      backupName: newest.name,
      asOf: newest.time.toISOString(),
      ageSeconds: Math.round((now.getTime() - newest.time.getTime()) / 1000),
    }),
    warnings: [...problems],
  };
}

/** `CRITICAL - nightly (prod): nightly_2026_11_20_03_00_00 is 32 h 10 min old, expected is one since 2026-11-21 02:55:00 UTC` */
function toLine({
  schedule,
  environment,
  state,
  backupName,
  ageSeconds = 0,
  expectedSince,
  error,
  warnings,
}: ScheduleHealth): string {
  const newest =
    backupName === undefined ? "no good backup" : `${backupName} is ${formatDuration(ageSeconds * 1000)} old`;
  const told = {
    late: [newest, `expected is one since ${expectedSince && formatTime(new Date(expectedSince))}`],
    unknown: [`${error?.name}: ${error?.message}`],
    ok: [newest],
    off: [newest, "nothing is promised: it is disabled, or has not been due yet"],
  }[state];
  return `${words[state]} - ${schedule} (${environment}): ${[...told, ...warnings].join(", ")}`;
}
