import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import type { ScheduleConfig } from "../../src/core/deployment/config.ts";
import type { KeepRules } from "../../src/core/deployment/retention.ts";
import { CliError } from "../errors.ts";
import { examples, type VerbHost, type VerbRun } from "./verb.ts";

interface RetentionOptions {
  readonly pipeline: string;
  readonly dryRun?: true;
  readonly yes?: true;
}

/** Adds `retention`: what the rules of a schedule keep and delete; the pipeline itself does it after each of its backups. */
export function addRetention(program: Command, host: VerbHost): void {
  program
    .command("retention")
    .description("what the rules of a schedule (keep, in pipeline.yaml) keep and what they delete")
    .argument("<schedule>", "a schedule of pipeline.yaml")
    .addOption(new Option("--pipeline <file>", "the deploy-time file").default("pipeline.yaml"))
    .addOption(new Option("--dry-run", "show what would go, delete nothing"))
    .addOption(new Option("-y, --yes", "do not ask").conflicts("dryRun"))
    .addHelpText(
      "after",
      examples(
        ["what would go by the rules as they stand in pipeline.yaml", "retention nightly --dry-run"],
        ["delete it now, instead of after the next backup", "retention nightly --yes"],
      ),
    )
    .action(host.action(retention));
}

async function retention({ options, arguments: [name = ""], shared, output, context }: VerbRun<RetentionOptions>) {
  const schedule = await readSchedule(options.pipeline, name);
  if (schedule.keep === undefined) {
    throw new CliError(
      "Usage",
      `schedule ${name} has no rules (keep) in ${options.pipeline}: all of its backups are kept`,
    );
  }
  const [{ planPruning, applyPruning }, deletions, { formatTable }, { countOf }] = await Promise.all([
    import("../../src/steps/events/prune-backups.ts"),
    import("../pipeline/deletions.ts"),
    import("../output/table.ts"),
    import("../output/format.ts"),
  ]);
  const pipeline = await context.connections.pipeline(shared.stack);
  const environment = await (await context.connections.environments(pipeline)).get(schedule.environment);
  const store = await context.connections.openStore(environment, "backup");
  const place = environment.backupStorage;
  const madeBy = { name, environment: schedule.environment, stateMachine: pipeline.backupStateMachineArn };
  const input = { keep: schedule.keep, timeZone: schedule.timeZone };
  const plan = await planPruning({ madeBy, input }, store, place.rootPath, context.clock.now());
  for (const warning of plan.warnings) output.warn(warning);

  const going = [...plan.leftovers, ...plan.remove.map((backup) => backup.name)];
  const table = formatTable(
    [{ title: "BACKUP" }, { title: "CREATED" }, { title: "KEPT BY" }],
    [
      ...plan.keep.map((kept) => [kept.name, kept.created.toISOString(), kept.reasons.join(", ")]),
      ...plan.remove.toReversed().map((backup) => [backup.name, backup.created.toISOString(), "- goes"]),
      ...plan.leftovers.map((leftover) => [leftover, "", "- goes (what is left of it)"]),
    ],
  );
  const document = { schedule: name, rules: schedule.keep, keep: plan.keep, remove: going };
  const nothing = plan.keep.length === 0 ? `Schedule ${name} has made no backup yet.` : table;
  if (options.dryRun || going.length === 0) {
    const summary = `${countOf(going.length, "backup")} would go by ${rulesOf(schedule.keep)}; nothing was deleted.`;
    output.result({ ...document, deleted: false }, `${nothing}\n${summary}`);
    return;
  }
  output.note(table);
  if (!options.yes) {
    const answer = await context.terminal.ask(`Delete ${countOf(going.length, "backup")} for good? [y/N] `);
    if (answer === undefined) {
      throw new CliError("Usage", "retention asks first, and nobody can answer here: add --yes, or --dry-run");
    }
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError("Interrupted", "nothing was deleted");
  }
  const holder = deletions.deletionHolder("retention", context.clock.now());
  const where = { store, place, madeBy, holder };
  const deletion = await deletions.deletionContext(context, pipeline);
  const { removed, objects, warnings } = await applyPruning({ ...plan, warnings: [] }, where, deletion);
  for (const warning of warnings) output.warn(warning);
  output.result(
    { ...document, deleted: true, objects },
    `Deleted ${countOf(removed, "backup")} of schedule ${name}: ${countOf(objects, "object")}`,
  );
}

/** `last 3, daily 7` */
function rulesOf(keep: KeepRules): string {
  return Object.entries(keep)
    .map(([rule, count]) => `${rule} ${count}`)
    .join(", ");
}

async function readSchedule(file: string, name: string): Promise<ScheduleConfig> {
  const { parsePipelineYaml } = await import("../../src/core/deployment/yaml.ts");
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
