import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { WritableEnvironmentRegistry } from "../src/adapters/environment-registry.ts";
import type { Environment } from "../src/core/environment/environment.ts";
import { toEnvironmentName } from "../src/core/environment/name.ts";
import { parseEnvironment } from "../src/core/environment/yaml.ts";
import type { CliContext } from "./context.ts";
import { CliError } from "./errors.ts";
import type { SharedOptions } from "./options.ts";
import type { Output } from "./output/output.ts";

/** `.local/milvus-a.yaml` gives `milvus-a`: the name under which a file is registered. */
export function environmentNameOf(file: string): string {
  const name = toEnvironmentName(basename(file).replace(/\.ya?ml$/i, ""));
  return /^\.*$/.test(name) ? "backup" : name;
}

/**
 * Reads an environment from a backup.yaml. Throws ConfigNotFound and, for its content, InvalidEnvironment with file, line and
 * key.
 * @param name what it is called; by default after the file
 */
export function readEnvironmentFile(
  file: string,
  options: { set?: readonly string[]; name?: string } = {},
): Environment {
  return parseEnvironment(readConfig(file), {
    name: options.name ?? environmentNameOf(file),
    fileName: file,
    readFile: (path) => readFileSync(path, "utf8"),
    overrides: parseOverrides(options.set ?? []),
  });
}

/** The environment a verb works on: the registered one that was named, or the one in the file. */
export async function chosenEnvironment(context: CliContext, options: SharedOptions): Promise<Environment> {
  if (options.environment === undefined) return readEnvironmentFile(options.config, { set: options.set });
  if (options.set.length > 0) {
    throw new CliError(
      "Usage",
      "--set changes a file's values: use it with --config, or register the changed file with env set",
    );
  }
  const pipeline = await context.connections.pipeline(options.stack);
  return (await context.connections.environments(pipeline)).get(options.environment);
}

/** Registers what a file says, so that the pipeline can be told its name; says so where that changes something. */
export async function registerEnvironment(
  registry: WritableEnvironmentRegistry,
  environment: Environment,
  output: Output,
): Promise<void> {
  const outcome = await registry.put(environment);
  if (outcome === "created") output.note(`Registered environment ${environment.name}.`);
  if (outcome === "updated") {
    output.warn(
      `environment ${environment.name} was registered with other content, which the file has replaced: executions and schedules that name it use the new content from now on`,
    );
  }
}

/** Two files of one name would be one registration, and the second would replace the first. Throws Usage. */
export function checkDistinctNames(config: Environment, other: Environment, option: "--from" | "--to"): void {
  if (config.name !== other.name) return;
  throw new CliError(
    "Usage",
    `--config and ${option} would both be registered as ${other.name}, after their file names: rename one, or register it with env set NAME and use ${option}-environment NAME`,
  );
}

/** `KEY=VALUE` texts as a record; the last of a key wins. Throws Usage. */
function parseOverrides(set: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    set.map((entry) => {
      const equals = entry.indexOf("=");
      // The value may be a secret, so only what stands before a `=` is ever shown.
      if (equals <= 0) throw new CliError("Usage", "--set: expected KEY=VALUE, such as --set MILVUS_USER=root");
      return [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

function readConfig(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const problem =
      code === "ENOENT"
        ? `there is no file ${file}`
        : code === "EISDIR"
          ? `${file} is a directory`
          : `${file} cannot be read (${code ?? "unknown error"})`;
    throw new CliError("ConfigNotFound", `${problem}: name your backup.yaml with --config FILE`, { cause });
  }
}
