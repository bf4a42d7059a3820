import type { Command } from "commander";

/** milvus-backup's spellings of what has another name here. */
const aliases: Readonly<Record<string, string>> = {
  "--colls": "--collections",
  "--collection": "--collections",
  "--meta-only": "--metadata-only",
  "--drop-exist-collection": "--drop-existing",
  "--skip-create-collection": "--skip-create",
  "--restore-index": "--rebuild-index",
};

/**
 * Makes command lines written for milvus-backup (cobra) readable for commander: underscores in option names, its names of
 * options, `--force=true`, `-n=name`. Everything after `--` stays as it is.
 */
export function normalizeArguments(argv: readonly string[], program: Command): string[] {
  const flags = booleanFlags(program);
  const end = argv.indexOf("--");
  const options = end < 0 ? argv : argv.slice(0, end);
  return [...options.flatMap((argument) => normalize(argument, flags)), ...argv.slice(options.length)];
}

function normalize(argument: string, flags: ReadonlySet<string>): string[] {
  const short = /^(-[A-Za-z])=(.*)$/s.exec(argument);
  if (short) return [short[1] ?? "", short[2] ?? ""];
  if (!argument.startsWith("--")) return [argument];
  const equals = argument.indexOf("=");
  const dashed = (equals < 0 ? argument : argument.slice(0, equals)).replaceAll("_", "-");
  const name = aliases[dashed] ?? dashed;
  if (equals < 0) return [name];
  const value = argument.slice(equals + 1);
  if (flags.has(name) && value === "true") return [name];
  if (flags.has(name) && value === "false") return [];
  return [`${name}=${value}`];
}

function booleanFlags(program: Command): Set<string> {
  const commands = [program, ...program.commands.flatMap((command) => [command, ...command.commands])];
  return new Set(
    commands
      .flatMap((command) => command.options)
      .filter((option) => option.isBoolean())
      .flatMap((option) => option.long ?? []),
  );
}
