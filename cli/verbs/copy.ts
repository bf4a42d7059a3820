import { type Command, Option } from "commander";
import type { TransferInput } from "../../src/core/execution/messages.ts";
import {
  checkDistinctNames,
  chosenEnvironment,
  type EnvironmentFile,
  readEnvironmentFile,
  registerEnvironments,
} from "../environments.ts";
import { CliError } from "../errors.ts";
import { detachOption, nameOption, replaceOption } from "../options.ts";
import { examples, type VerbHost, type VerbRun } from "./verb.ts";

interface CopyOptions {
  readonly name: string;
  readonly to?: string;
  readonly toEnvironment?: string;
  readonly replace?: true;
  readonly detach?: true;
}

/** Adds `copy`: copies a whole backup to where another environment keeps its backups. */
export function addCopy(program: Command, host: VerbHost): void {
  program
    .command("copy")
    .description(
      "copy a whole backup to where another environment keeps its backups; started again, it goes on from what is there",
    )
    .addOption(nameOption("name of the backup").makeOptionMandatory())
    .addOption(new Option("--to <file>", "the backup.yaml of the environment that gets the backup"))
    .addOption(new Option("--to-environment <name>", "the same, with a registered environment").conflicts("to"))
    .addOption(replaceOption())
    .addOption(detachOption())
    .addHelpText(
      "after",
      examples(
        ["from one object store to another", "--config minio-a.yaml copy -n my_backup --to minio-b.yaml"],
        ["between registered environments", "--environment prod copy -n my_backup --to-environment dr"],
      ),
    )
    .action(host.action(copy));
}

async function copy({ options, shared, output, context }: VerbRun<CopyOptions>): Promise<void> {
  const [{ checkBackupName }, { transferInput }, run, summary] = await Promise.all([
    import("../../src/core/milvus/names.ts"),
    import("../../src/core/execution/messages.ts"),
    import("../pipeline/run.ts"),
    import("../output/transfer-summary.ts"),
  ]);
  // Everything that can be wrong here is found before anything is started.
  const backupName = checkBackupName(options.name);
  if (options.to === undefined && options.toEnvironment === undefined) {
    throw new CliError("Usage", "copy needs to know where to: --to FILE or --to-environment NAME");
  }
  const from = await chosenEnvironment(context, shared);
  const file = options.to === undefined ? undefined : await readEnvironmentFile(options.to);
  if (file) checkDistinctNames(from, file, "--to");

  const pipeline = await context.connections.pipeline(shared.stack);
  const registry = await context.connections.environments(pipeline);
  const to = file ?? (await registry.get(options.toEnvironment ?? ""));
  const files: EnvironmentFile[] = [];
  if (shared.environment === undefined) {
    files.push({ environment: from, file: shared.config, option: "--environment" });
  }
  if (file) files.push({ environment: file, file: options.to ?? "", option: "--to-environment" });
  await registerEnvironments(registry, files, output, { replace: options.replace === true });
  const input: TransferInput = transferInput.parse({ backupName, from: from.name, to: to.name });
  const executionArn = await run.startExecution(context, pipeline, {
    machine: "transfer",
    verb: "copy",
    backupName,
    input,
  });
  if (options.detach) {
    output.result({ backupName, from: from.name, to: to.name, executionArn }, executionArn);
    return;
  }
  const finished = await run.watchExecution(context, output, pipeline, "transfer", executionArn);
  summary.showTransfer(output, { from, to }, finished);
}
