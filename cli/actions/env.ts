import type { WritableEnvironmentRegistry } from "../../src/adapters/environment-registry.ts";
import type { StorageSettings } from "../../src/core/environment/environment.ts";
import { environmentRecord, redact } from "../../src/core/environment/json.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import type { CliContext } from "../context.ts";
import type { DocumentOf } from "../documents/index.ts";
import { environmentDiffers, readConfigFile } from "../environments.ts";
import { formatTime } from "../output/format.ts";
import { toJson } from "../output/output.ts";
import { formatTable } from "../output/table.ts";
import type { VerbRun } from "../verbs/verb.ts";
import { confirm } from "./confirm.ts";

/** Lists the registered environments. */
export async function list({ shared, output, context }: VerbRun<unknown>): Promise<void> {
  const registry = await openRegistry(context, shared.stack);
  const rows = await Promise.all((await registry.list()).map((name) => summarize(registry, name)));
  const table = formatTable(
    [{ title: "NAME" }, { title: "MILVUS" }, { title: "MILVUS'S DATA" }, { title: "BACKUPS" }],
    rows.map(({ environment, milvus = "(not valid: set it again)", storage = "", backupStorage = "" }) => [
      environment,
      milvus,
      storage,
      backupStorage,
    ]),
  );
  const none =
    "No environment is registered: create and restore register the file they are given, env set registers one by hand.";
  output.result({ kind: "environments", version: 1, environments: rows }, rows.length === 0 ? none : table);
}

type EnvironmentRow = DocumentOf<"environments">["environments"][number];

async function summarize(registry: WritableEnvironmentRegistry, name: string): Promise<EnvironmentRow> {
  try {
    const environment = await registry.get(name);
    return {
      environment: name,
      milvus: `${environment.milvus.address}:${environment.milvus.port}`,
      storage: placeOf(environment.storage),
      backupStorage: placeOf(environment.backupStorage),
    };
  } catch (error) {
    if (error instanceof PipelineError && error.name === "InvalidEnvironment") return { environment: name };
    throw error;
  }
}

/** Shows a registered environment, without its secrets. */
export async function show({ arguments: [name = ""], shared, output, context }: VerbRun<unknown>): Promise<void> {
  const environment = await (await openRegistry(context, shared.stack)).get(name);
  const { name: _, ...settings } = environmentRecord.parse(redact(environment));
  output.result({ kind: "environment", version: 1, environment: name, settings }, toJson(settings));
}

/** Registers the file of --config under a name. */
export async function set(run: VerbRun<{ readonly replace?: true; readonly confirm?: string }>): Promise<void> {
  const {
    arguments: [name = ""],
    options,
    shared,
    output,
    context,
  } = run;
  const environment = readConfigFile(context, shared, name).environment;
  const registry = await openRegistry(context, shared.stack);
  const outcome = await registry.put(environment, { replace: options.replace === true, confirm: options.confirm });
  if (outcome === "refused") {
    throw await environmentDiffers(registry, { environment, file: shared.config, option: "--environment" });
  }
  const said = {
    created: "is registered",
    updated: "is replaced",
    unchanged: "was registered with this content already",
  };
  output.result(
    { kind: "registration", version: 1, environment: name, outcome },
    `Environment ${name} ${said[outcome]}.`,
  );
}

interface RemoveOptions {
  readonly yes?: true;
  readonly confirm?: string;
  readonly force?: true;
}

/** Forgets a registered environment, after asking: schedules that name it fail from then on. */
export async function remove(run: VerbRun<RemoveOptions>): Promise<void> {
  const {
    arguments: [name = ""],
    options,
    shared,
    output,
    context,
  } = run;
  const registry = await openRegistry(context, shared.stack);
  if (!options.yes) {
    const forGood = options.force ? " for good" : "";
    const question = `Forget environment ${name}${forGood}, which schedules and executions may name?`;
    await confirm(context.terminal, question, { verb: "env rm" });
  }
  const until = await registry.delete(name, { confirm: options.confirm, force: options.force === true });
  const back = until
    ? ` Until ${formatTime(until)} it can be brought back: milvus-backup env restore ${name}`
    : " Nothing brings it back.";
  output.result(
    {
      kind: "registration",
      version: 1,
      environment: name,
      outcome: "removed",
      ...(until && { restorableUntil: until.toISOString() }),
    },
    `Environment ${name} is not registered any more.${back}`,
  );
}

/** Brings back an environment that was forgotten, as long as Secrets Manager has it. */
export async function restore({ arguments: [name = ""], shared, output, context }: VerbRun<unknown>): Promise<void> {
  const outcome = await (await openRegistry(context, shared.stack)).restore(name);
  const said =
    outcome === "restored" ? "is registered again, with what it had" : "is registered: nothing was forgotten";
  output.result({ kind: "registration", version: 1, environment: name, outcome }, `Environment ${name} ${said}.`);
}

async function openRegistry(context: CliContext, stack: string) {
  return context.connections.environments(await context.connections.pipeline(stack));
}

function placeOf({ address, port, bucket, rootPath }: StorageSettings): string {
  return `${[bucket, rootPath].filter(Boolean).join("/")} at ${address}:${port}`;
}
