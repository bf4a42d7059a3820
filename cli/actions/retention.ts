import { readFileSync } from "node:fs";
import type { ScheduleConfig } from "../../src/core/deployment/config.ts";
import type { KeepRules } from "../../src/core/deployment/retention.ts";
import { parsePipelineYaml } from "../../src/core/deployment/yaml.ts";
import { applyPruning, planPruning } from "../../src/steps/events/prune-backups.ts";
import { CliError } from "../errors.ts";
import { countOf } from "../output/format.ts";
import { formatTable } from "../output/table.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { confirm } from "./confirm.ts";
import { checkDeletionMeant, deletionContext, deletionHolder } from "./deletions.ts";

interface RetentionOptions {
  readonly pipeline: string;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly confirm?: string;
}

/** Shows what the rules of a schedule keep, and deletes what they do not. */
export async function retention({
  options,
  arguments: [name = ""],
  shared,
  output,
  context,
}: VerbRun<RetentionOptions>) {
  const schedule = readSchedule(options.pipeline, name);
  if (schedule.keep === undefined) {
    throw new CliError(
      "Usage",
      `schedule ${name} has no rules (keep) in ${options.pipeline}: all of its backups are kept`,
    );
  }
  const pipeline = await context.connections.pipeline(shared.stack);
  const environment = await (await context.connections.environments(pipeline)).get(schedule.environment);
  if (!options.dryRun) await checkDeletionMeant(environment, options.confirm, { context, pipeline, output });
  const store = await context.connections.openStore(environment, "backup");
  const place = environment.backupStorage;
  const madeBy = { name, environment: schedule.environment, stateMachine: pipeline.backupStateMachineArn };
  const input = { keep: schedule.keep, timeZone: schedule.timeZone };
  const plan = await planPruning({ madeBy, input }, store, place.rootPath, context.clock.now());
  for (const warning of plan.warnings) output.warn(warning);

  const going = [
    ...plan.leftovers.map((backupName) => ({ backupName })),
    ...plan.remove.map(({ name: backupName, created }) => ({ backupName, createdAt: created.toISOString() })),
  ];
  const table = formatTable(
    [{ title: "BACKUP" }, { title: "CREATED" }, { title: "KEPT BY" }],
    [
      ...plan.keep.map((kept) => [kept.name, kept.created.toISOString(), kept.reasons.join(", ")]),
      ...plan.remove.toReversed().map((backup) => [backup.name, backup.created.toISOString(), "- goes"]),
      ...plan.leftovers.map((leftover) => [leftover, "", "- goes (what is left of it)"]),
    ],
  );
  const document = {
    kind: "retention",
    version: 1,
    schedule: name,
    rules: { ...schedule.keep },
    kept: plan.keep.map(({ name: backupName, created, reasons }) => ({
      backupName,
      createdAt: created.toISOString(),
      reasons,
    })),
    expired: going,
  } as const;
  const nothing = plan.keep.length === 0 ? `Schedule ${name} has made no backup yet.` : table;
  if (options.dryRun || going.length === 0) {
    const summary = `${countOf(going.length, "backup")} would go by ${rulesOf(schedule.keep)}; nothing was deleted.`;
    output.result({ ...document, deleted: false }, `${nothing}\n${summary}`);
    return;
  }
  output.note(table);
  if (!options.yes) {
    await confirm(context.terminal, `Delete ${countOf(going.length, "backup")} for good?`, {
      verb: "retention",
      instead: "--dry-run",
    });
  }
  const holder = deletionHolder("retention", context.clock.now());
  const where = { store, place, madeBy, holder };
  const deletion = await deletionContext(context, pipeline);
  const { removed, objects, warnings, lockedNames } = await applyPruning({ ...plan, warnings: [] }, where, deletion);
  for (const warning of warnings) output.warn(warning);
  for (const stays of lockedNames ?? []) output.note(`${stays}: it stays until then`);
  output.result(
    { ...document, deleted: true, objects, ...(lockedNames && { lockedBackups: lockedNames }) },
    `Deleted ${countOf(removed, "backup")} of schedule ${name}: ${countOf(objects, "object")}`,
  );
}

/** `last 3, daily 7` */
function rulesOf(keep: KeepRules): string {
  return Object.entries(keep)
    .map(([rule, count]) => `${rule} ${count}`)
    .join(", ");
}

function readSchedule(file: string, name: string): ScheduleConfig {
  const { schedules } = parsePipelineYaml(readFile(file), file);
  const found = schedules.find((schedule) => schedule.name === name);
  if (found !== undefined) return found;
  const names = schedules.map((schedule) => schedule.name).join(", ") || "none";
  throw new CliError("Usage", `${file} has no schedule ${JSON.stringify(name)}; it has: ${names}`);
}

function readFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new CliError("ConfigNotFound", `${file} cannot be read: name the deploy-time file with --pipeline FILE`, {
      cause,
    });
  }
}
