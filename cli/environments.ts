import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { WritableEnvironmentRegistry } from "../src/adapters/environment-registry.ts";
import { describeChanges } from "../src/core/environment/changes.ts";
import type { Environment } from "../src/core/environment/environment.ts";
import { environmentVariables, findKey } from "../src/core/environment/keys.ts";
import { toEnvironmentName } from "../src/core/environment/name.ts";
import { type ParseEnvironmentOptions, parseEnvironment, readEnvironment } from "../src/core/environment/yaml.ts";
import type { CliContext } from "./context.ts";
import { CliError } from "./errors.ts";
import type { SharedOptions } from "./options.ts";
import type { Output } from "./output/output.ts";

/** Options that name a second backup.yaml. */
export type OtherFile = "--from" | "--into" | "--to";

/** `.local/milvus-a.yaml` gives `milvus-a`: the name under which a file is registered. */
export function environmentNameOf(file: string): string {
  const name = toEnvironmentName(basename(file).replace(/\.ya?ml$/i, ""));
  return /^\.*$/.test(name) ? "backup" : name;
}

/**
 * Reads an environment from a backup.yaml.
 * @param option names the file
 * @throws ConfigNotFound and, for its content, InvalidEnvironment with file, line and key
 */
export function readEnvironmentFile(file: string, option: "--config" | OtherFile): Environment {
  return parseEnvironment(readConfig(file, option), parseOptions(file));
}

function parseOptions(file: string): ParseEnvironmentOptions {
  return { name: environmentNameOf(file), fileName: file, readFile: (path) => readFileSync(path, "utf8") };
}

/** The environment a verb works on: the registered one that was named, or the one in the file. */
export async function chosenEnvironment(context: CliContext, options: SharedOptions): Promise<Environment> {
  if (options.environment === undefined) return readConfigFile(context, options).environment;
  if (options.set.length > 0) {
    throw new CliError(
      "Usage",
      "--set changes a file's values: use it with --config, or register the changed file with env set",
    );
  }
  const pipeline = await context.connections.pipeline(options.stack);
  return (await context.connections.environments(pipeline)).get(options.environment);
}

/**
 * The environment of the file of --config, and where its values come from. Environment variables that stand for its keys win over it, as in
 * milvus-backup; they are about this file and no other. Says which do, since nobody sees them in the file.
 * @param name what it is called; by default after the file
 * @throws as `readEnvironmentFile`
 */
export function readConfigFile(
  { terminal }: Pick<CliContext, "terminal">,
  { config, set, quiet }: Pick<SharedOptions, "config" | "set" | "quiet">,
  name = environmentNameOf(config),
): ReturnType<typeof readEnvironment> {
  const variables = environmentVariables(terminal.env);
  const file = locateConfig(config, terminal.env.MILVUSCONF);
  const options = { ...parseOptions(file), name, variables, overrides: parseOverrides(set) };
  const read = readEnvironment(readConfig(file, "--config"), options);
  const names = Object.keys(variables);
  if (names.length > 0 && !quiet) {
    terminal.stderr.write(`In place of values of ${file}: ${names.join(", ")}, as the environment has it.\n`);
  }
  return read;
}

/** Where milvus-backup looks too: in the folder that MILVUSCONF names, and in `configs`; the file itself where it is in neither. */
function locateConfig(file: string, folder: string | undefined): string {
  const others = [...(folder ? [folder] : []), "configs"].map((directory) => join(directory, basename(file)));
  return [file, ...others].find((candidate) => existsSync(candidate)) ?? file;
}

/** The environment that is registered under a name; undefined where none is named. */
export async function registeredIn(
  { connections }: Pick<CliContext, "connections">,
  stack: string,
  name: string | undefined,
): Promise<Environment | undefined> {
  if (name === undefined) return undefined;
  return (await connections.environments(await connections.pipeline(stack))).get(name);
}

/** A file that is about to be registered, and how its registration is named instead of it. */
export interface EnvironmentFile {
  readonly environment: Environment;
  readonly file: string;
  readonly option: "--environment" | "--from-environment" | "--into-environment" | "--to-environment";
}

/**
 * Registers what files say, so that the pipeline can be told their names; says so where that changes something. Where other content
 * is registered under one of the names, none is registered: two people's backup.yaml are not one environment.
 * @param options.replace true: what is registered is replaced
 * @throws EnvironmentDiffers, naming what differs
 */
export async function registerEnvironments(
  registry: WritableEnvironmentRegistry,
  files: readonly EnvironmentFile[],
  output: Output,
  options: { readonly replace: boolean },
): Promise<void> {
  const unknown: EnvironmentFile[] = [];
  for (const file of files) {
    const { registered } = await registry.compare(file.environment);
    if (registered === "other" && !options.replace) throw await environmentDiffers(registry, file);
    if (registered !== "same") unknown.push(file);
  }
  for (const file of unknown) {
    const { name } = file.environment;
    const outcome = await registry.put(file.environment, options);
    if (outcome === "refused") throw await environmentDiffers(registry, file);
    if (outcome === "created") output.note(`Registered environment ${name}.`);
    if (outcome === "updated") {
      output.warn(
        `environment ${name} was registered with other content, which the file has replaced: schedules that name it use the new content from now on, and executions that run with the earlier one stop`,
      );
    }
  }
}

/** What differs between a file and what is registered under its name, and what to do about it. */
export async function environmentDiffers(
  registry: WritableEnvironmentRegistry,
  { environment, file, option }: EnvironmentFile,
): Promise<CliError> {
  const { name } = environment;
  const compared = await registry.compare(environment);
  const changes = compared.registered === "other" ? compared.changes : [];
  const what =
    changes.length === 0
      ? "what is registered cannot be read"
      : describeChanges(changes, (registered, given) => `registered ${registered}, in the file ${given}`);
  return new CliError(
    "EnvironmentDiffers",
    `environment ${name} is registered with other content than ${file} has: ${what}. Nothing was changed. ` +
      `Where the file is another environment, register it under a name of its own (milvus-backup --config ${file} env set NAME) and use ${option} NAME; ` +
      `where it is the same one with new values, add --replace; ${option} ${name} uses what is registered`,
  );
}

/**
 * Two files of one name would be one registration, and the second would replace the first.
 * @throws Usage
 */
export function checkDistinctNames(config: Environment, other: Environment, option: OtherFile): void {
  if (config.name !== other.name) return;
  throw new CliError(
    "Usage",
    `--config and ${option} would both be registered as ${other.name}, after their file names: rename one, or register it with env set NAME and use ${option}-environment NAME`,
  );
}

/**
 * `KEY=VALUE` texts as a record; the last of a key wins.
 * @throws Usage
 */
function parseOverrides(set: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    set.flatMap(splitEntries).map((entry) => {
      const equals = entry.indexOf("=");
      // The value may be a secret, so only what stands before a `=` is ever shown.
      if (equals <= 0) throw new CliError("Usage", "--set: expected KEY=VALUE, such as --set MILVUS_USER=root");
      return [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

/** milvus-backup takes several of them with commas between; a comma that no key follows is one of a value. */
function splitEntries(text: string): string[] {
  const entries: string[] = [];
  for (const part of text.split(",")) {
    const isEntry = findKey(part.slice(0, Math.max(0, part.indexOf("="))), { variables: true }) !== undefined;
    if (isEntry || entries.length === 0) entries.push(part);
    else entries.push(`${entries.pop()},${part}`);
  }
  return entries;
}

function readConfig(file: string, option: "--config" | OtherFile): string {
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
    throw new CliError(
      "ConfigNotFound",
      `${problem}: name ${option === "--config" ? "your" : "its"} backup.yaml with ${option} FILE`,
      { cause },
    );
  }
}
