import { type Argument, type Command, Option } from "commander";

/** What can stand where the cursor is. */
export interface Suggestions {
  readonly candidates: readonly Candidate[];
  /** Names that are asked for, from outside of the command line. */
  readonly source?: Source;
  /** What is typed of it. */
  readonly current: string;
  /** What is typed in front of a value in the same word, which the shell wants back: `--config=`. */
  readonly prefix: string;
  /** The value of each option that is typed before, by its name without dashes. */
  readonly given: ReadonlyMap<string, readonly string[]>;
}

interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** `files` are the shell's own business. */
export type Source = "files" | "environments" | "backups" | "schedules" | "schedules-of-file";

/**
 * What a shell can complete a command line with, by the command's own tree: verbs, options, choices, and where a name comes from.
 * @param words behind the command's name, up to the cursor; the last one is the one that is typed, "" for a new one
 */
export function suggest(program: Command, words: readonly string[]): Suggestions {
  const line = read(program, withoutSplitValues(words.slice(0, -1)));
  const { current, option, prefix } = currentWord(line, words);
  const here = { current, prefix, given: line.given };
  if (option !== undefined) return { ...here, ...valuesOf(option, line.command) };
  if (current.startsWith("-") && !line.onlyArguments) {
    const candidates = optionsOf(line).map(({ long, short, description }) => ({
      value: long ?? short ?? "",
      description,
    }));
    return { ...here, candidates };
  }
  if (line.arguments === 0 && line.command.commands.length > 0) {
    const verbs = line.command.createHelp().visibleCommands(line.command);
    return {
      ...here,
      candidates: verbs.map((verb) => ({ value: verb.name(), description: verb.summary() || verb.description() })),
    };
  }
  const argument = line.command.registeredArguments[line.arguments];
  return { ...here, ...(argument ? valuesOf(argument, line.command) : { candidates: [] }) };
}

interface Line {
  /** The verb as far as it is typed. */
  command: Command;
  /** How many arguments it has. */
  arguments: number;
  onlyArguments: boolean;
  /** The option whose value comes next. */
  awaiting: Option | undefined;
  readonly given: Map<string, string[]>;
}

function read(program: Command, words: readonly string[]): Line {
  const line: Line = { command: program, arguments: 0, onlyArguments: false, awaiting: undefined, given: new Map() };
  const give = (option: Option, value: string) => {
    const name = nameOf(option);
    line.given.set(name, [...(line.given.get(name) ?? []), value]);
  };
  for (const word of words) {
    if (line.awaiting) {
      give(line.awaiting, word);
      line.awaiting = undefined;
    } else if (word === "--") {
      line.onlyArguments = true;
    } else if (word.startsWith("-") && !line.onlyArguments) {
      const [name = "", value] = splitOnce(word);
      const option = findOption(line.command, name);
      if (option === undefined) continue;
      if (value === undefined && !option.isBoolean()) line.awaiting = option;
      else give(option, value ?? "");
    } else {
      const verb = line.arguments === 0 ? subcommand(line.command, word) : undefined;
      if (verb) line.command = verb;
      else line.arguments += 1;
    }
  }
  return line;
}

function currentWord(
  line: Line,
  words: readonly string[],
): { current: string; option: Option | undefined; prefix: string } {
  const typed = words.at(-1) ?? "";
  if (line.awaiting) {
    // bash takes = for a word of its own
    return { current: typed === "=" ? "" : typed, option: line.awaiting, prefix: "" };
  }
  const [name = "", value] = splitOnce(typed);
  const option = typed.startsWith("--") && value !== undefined ? findOption(line.command, name) : undefined;
  return option === undefined || option.isBoolean()
    ? { current: typed, option: undefined, prefix: "" }
    : { current: value ?? "", option, prefix: `${name}=` };
}

/** bash hands `--config=a.yaml` on as three words. */
function withoutSplitValues(words: readonly string[]): string[] {
  return words.filter((word) => word !== "=");
}

function splitOnce(word: string): [string, string?] {
  const at = word.indexOf("=");
  return at < 0 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}

function chainOf(command: Command): Command[] {
  return command.parent ? [command, ...chainOf(command.parent)] : [command];
}

function findOption(command: Command, name: string): Option | undefined {
  const dashed = name.startsWith("--") ? name.replaceAll("_", "-") : name;
  return chainOf(command)
    .flatMap(({ options }) => options)
    .find(({ long, short }) => long === dashed || short === dashed);
}

function subcommand(command: Command, name: string): Command | undefined {
  return command.commands.find((verb) => verb.name() === name || verb.aliases().includes(name));
}

/** Those of the verb and those of all verbs; what is typed once already only where it may be repeated. */
function optionsOf({ command, given }: Line): Option[] {
  const help = command.createHelp();
  const all = chainOf(command).flatMap((each) => help.visibleOptions(each));
  const seen = new Set<string>();
  return all.filter((option) => {
    const name = nameOf(option);
    if (seen.has(name) || (given.has(name) && !Array.isArray(option.defaultValue))) return false;
    seen.add(name);
    return true;
  });
}

function nameOf({ long, short }: Option): string {
  return (long ?? short ?? "").replace(/^-+/, "");
}

function valuesOf(of: Option | Argument, command: Command): Pick<Suggestions, "candidates" | "source"> {
  if (of.argChoices) return { candidates: of.argChoices.map((value) => ({ value, description: "" })) };
  const source = of instanceof Option ? sourceOfOption(of, command) : sourceOfArgument(of, command);
  return { candidates: [], ...(source && { source }) };
}

/** By what stands in its place in the help: `--config <file>`, `-n, --name <backup>`. */
function sourceOfOption(option: Option, command: Command): Source | undefined {
  if (/<file>/.test(option.flags)) return "files";
  // create makes a new one
  if (/<backup>/.test(option.flags)) return command.name() === "create" ? undefined : "backups";
  const name = nameOf(option);
  if (/(?:^|-)environment$/.test(name)) return "environments";
  return name === "schedule" ? "schedules" : undefined;
}

function sourceOfArgument(argument: Argument, command: Command): Source | undefined {
  // what is to be brought back is in no list
  if (command.parent?.name() === "env") return command.name() === "restore" ? undefined : "environments";
  return argument.name() === "schedule" ? "schedules-of-file" : undefined;
}
