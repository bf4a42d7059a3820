import { type BackupInput, backupInput } from "../../src/core/execution/messages.ts";
import { checkBackupName, parseCollectionSelector } from "../../src/core/milvus/names.ts";
import { defaultBackupName } from "../../src/core/plan/backup-name.ts";
import { chosenEnvironment, registerEnvironments } from "../environments.ts";
import { givenLock, type LockOptions, type SelectionOptions, selectedCollections, strategies } from "../options.ts";
import { backupSummary } from "../output/backup-summary.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { checkBeforeBackup } from "./detach-checks.ts";
import { runExecution } from "./run-execution.ts";

interface CreateOptions extends SelectionOptions, LockOptions {
  readonly name?: string;
  readonly strategy?: string;
  readonly force?: true;
  readonly metadataOnly?: true;
  readonly incremental?: true;
  readonly rbac?: true;
  readonly estimate?: true;
  readonly replace?: true;
  readonly detach?: true;
}

/** Backs up collections through the pipeline. */
export async function create(run: VerbRun<CreateOptions>): Promise<void> {
  const { options, shared, output, context } = run;
  // Everything that can be wrong here is found before anything is started.
  const backupName = checkBackupName(options.name ?? defaultBackupName(context.clock.now().toISOString()));
  const collections = selectedCollections(options);
  collections?.forEach(parseCollectionSelector);
  const lock = givenLock(options);
  const environment = await chosenEnvironment(context, shared);
  if (options.estimate) {
    const { estimateCreate } = await import("./estimate.ts");
    return estimateCreate({ environment, collections, incremental: options.incremental === true }, { context, output });
  }
  const input: BackupInput = backupInput.parse({
    environment: environment.name,
    backupName,
    ...(collections && { collections }),
    ...(strategyOf(options) && { strategy: strategyOf(options) }),
    ...(options.incremental && { incremental: true }),
    ...(options.rbac && { rbac: true }),
    ...(lock && { lock }),
  });

  const pipeline = await context.connections.pipeline(shared.stack);
  if (shared.environment === undefined) {
    const registry = await context.connections.environments(pipeline);
    const given = { environment, file: shared.config, option: "--environment" } as const;
    await registerEnvironments(registry, [given], output, { replace: options.replace === true });
  }
  if (options.detach) await checkBeforeBackup(run, environment, input);
  await runExecution(run, pipeline, {
    machine: "backup",
    verb: "create",
    backupName,
    input,
    summarize: (finished) => backupSummary(finished, environment),
  });
}

function strategyOf({ strategy, force, metadataOnly }: CreateOptions): BackupInput["strategy"] {
  if (force) return "skip_flush";
  if (metadataOnly) return "meta_only";
  return strategy === undefined ? undefined : strategies[strategy];
}
