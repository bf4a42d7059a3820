import { type TransferInput, transferInput } from "../../src/core/execution/messages.ts";
import { checkBackupName } from "../../src/core/milvus/names.ts";
import {
  checkDistinctNames,
  chosenEnvironment,
  type EnvironmentFile,
  readEnvironmentFile,
  registerEnvironments,
  registeredIn,
} from "../environments.ts";
import { CliError } from "../errors.ts";
import { givenLock, type LockOptions } from "../options.ts";
import { transferSummary } from "../output/transfer-summary.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { checkBeforeCopy } from "./detach-checks.ts";
import { runExecution } from "./run-execution.ts";

interface CopyOptions extends LockOptions {
  readonly name: string;
  readonly to?: string;
  readonly toEnvironment?: string;
  readonly plain?: true;
  readonly estimate?: true;
  readonly replace?: true;
  readonly detach?: true;
}

/** Copies a whole backup to another environment's backup bucket. */
export async function copy(run: VerbRun<CopyOptions>): Promise<void> {
  const { options, shared, output, context } = run;
  // Everything that can be wrong here is found before anything is started.
  const backupName = checkBackupName(options.name);
  if (options.to === undefined && options.toEnvironment === undefined) {
    throw new CliError("Usage", "copy needs to know where to: --to FILE or --to-environment NAME");
  }
  const lock = givenLock(options);
  const from = await chosenEnvironment(context, shared);
  const file = options.to === undefined ? undefined : readEnvironmentFile(options.to, "--to");
  if (file) checkDistinctNames(from, file, "--to");
  if (options.estimate) {
    const other = file ?? (await registeredIn(context, shared.stack, options.toEnvironment));
    const { estimateOfCopy } = await import("./estimate.ts");
    return estimateOfCopy({ from, to: other ?? from, backupName, plain: options.plain === true }, run);
  }

  const pipeline = await context.connections.pipeline(shared.stack);
  const registry = await context.connections.environments(pipeline);
  const to = file ?? (await registry.get(options.toEnvironment ?? ""));
  const files: EnvironmentFile[] = [];
  if (shared.environment === undefined) {
    files.push({ environment: from, file: shared.config, option: "--environment" });
  }
  if (file) files.push({ environment: file, file: options.to ?? "", option: "--to-environment" });
  await registerEnvironments(registry, files, output, { replace: options.replace === true });
  const input: TransferInput = transferInput.parse({
    backupName,
    from: from.name,
    to: to.name,
    ...(options.plain && { plain: true }),
    ...(lock && { lock }),
  });
  if (options.detach) await checkBeforeCopy(run, { from, to }, backupName);
  await runExecution(run, pipeline, {
    machine: "transfer",
    verb: "copy",
    backupName,
    input,
    summarize: (finished) => transferSummary(finished, { from, to }),
  });
}
