import { readFileSync } from "node:fs";
import { parsePipelineYaml } from "../../src/core/deployment/yaml.ts";
import { storedBackups } from "../../src/steps/shared/find-backup.ts";
import { completionScript } from "../completion/scripts.ts";
import { type Source, type Suggestions, suggest } from "../completion/suggest.ts";
import type { CliContext } from "../context.ts";
import { chosenEnvironment, readEnvironmentFile } from "../environments.ts";
import type { SharedOptions, shells } from "../options.ts";
import type { CommandRun, VerbRun } from "../verbs/verb.ts";

/** Who presses Tab waits no longer than this for names from outside. */
const patienceMilliseconds = 2_000;
/** The process ends with this code whatever it still waits for (cli/bin.js): no Tab waits for a connection or a clock. */
const leave = 130;
/** What no shell takes for anything but a word, whoever named a directory in a bucket. */
const plainWord = /^[\w.-]+$/;

/** Prints the script of a shell. */
export async function script({ arguments: [shell], context }: VerbRun<unknown>): Promise<void> {
  context.terminal.stdout.write(completionScript(shell as (typeof shells)[number]));
}

/** Answers a shell at a Tab, a line a candidate; whatever goes wrong, it answers less and says nothing. */
export async function complete({ arguments: words, program, shared, context }: CommandRun<unknown>): Promise<number> {
  const { stdout } = context.terminal;
  const suggestions = suggest(program, words);
  if (suggestions.source === "files") {
    stdout.write(":files\n");
    return 0;
  }
  const { source, candidates, current, prefix } = suggestions;
  const names = source === undefined ? [] : await inTime(namesOf(source, suggestions, shared, context), context);
  const named = names.filter((name) => plainWord.test(name)).map((value) => ({ value, description: "" }));
  for (const { value, description } of [...candidates, ...named]) {
    if (value.startsWith(current)) stdout.write(`${prefix}${value}\t${description}\n`);
  }
  return source === undefined ? 0 : leave;
}

async function inTime(names: Promise<readonly string[]>, { clock }: CliContext): Promise<readonly string[]> {
  return Promise.race([names.catch(() => []), clock.sleep(patienceMilliseconds).then(() => [])]);
}

async function namesOf(
  source: Exclude<Source, "files">,
  { given }: Suggestions,
  defaults: SharedOptions,
  context: CliContext,
): Promise<readonly string[]> {
  const last = (name: string) => given.get(name)?.at(-1);
  const stack = last("stack") ?? defaults.stack;
  const { connections } = context;
  switch (source) {
    case "environments":
      return (await connections.environments(await connections.pipeline(stack))).list();
    case "schedules":
      return (await connections.pipeline(stack)).schedules.map(({ name }) => name);
    case "schedules-of-file": {
      const file = last("pipeline") ?? "pipeline.yaml";
      return parsePipelineYaml(readFileSync(file, "utf8"), file).schedules.map(({ name }) => name);
    }
    case "backups": {
      // What is restored from elsewhere lies there.
      const file = last("from");
      const chosen = {
        ...defaults,
        quiet: true,
        stack,
        set: given.get("set") ?? [],
        config: last("config") ?? defaults.config,
      };
      const named = last("from-environment") ?? last("environment");
      const environment =
        file === undefined
          ? await chosenEnvironment(context, { ...chosen, environment: named })
          : readEnvironmentFile(file, "--from");
      const store = await connections.openStore(environment, "backup");
      return (await storedBackups(store, environment.backupStorage)).map(({ name }) => name);
    }
  }
}
