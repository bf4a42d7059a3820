import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { normalizeArguments } from "../../../cli/arguments.ts";
import type { Terminal } from "../../../cli/output/terminal.ts";
import { buildProgram } from "../../../cli/program.ts";

const stream = { columns: 100, write: () => {} };
const terminal: Terminal = {
  stdout: stream,
  stderr: stream,
  env: {},
  ask: async () => undefined,
  onInterrupt: () => () => {},
};

/** The command line with verbs that do nothing. */
const program = (shownOn = terminal) => buildProgram(shownOn, { action: () => async () => {} });

interface Verb {
  readonly verb: string;
  readonly command: Command;
}

/** Those that do something and are in the help, with the ones below others. */
function verbsOf(parent: Command, path = ""): Verb[] {
  return parent
    .createHelp()
    .visibleCommands(parent)
    .filter((command) => command.name() !== "help")
    .flatMap((command) => {
      const verb = `${path}${command.name()}`;
      return [{ verb, command }, ...verbsOf(command, `${verb} `)];
    });
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

const verbs = verbsOf(program());

describe.each(verbs)("milvus-backup $verb --help", ({ verb, command }) => {
  const help = helpOf(command);
  const examples = [...help.matchAll(/^ {2}(?!#)(\S.*)$/gm)]
    .map(([, line = ""]) => line)
    .slice(-[...help.matchAll(/^ {2}# /gm)].length);

  test("has examples of this very verb", () => {
    expect(help).toContain("\nExamples:\n");
    expect(examples.join("\n")).toMatch(new RegExp(`milvus-backup (.* )?${verb}\\b`));
  });

  test("and the command takes each of them as it stands", async () => {
    const lines = examples.filter((line) => line.startsWith("milvus-backup "));
    for (const line of lines) {
      const words = [...line.replace(/ \| .*/, "").matchAll(/'([^']*)'|(\S+)/g)]
        .map(([, quoted, bare]) => quoted ?? bare ?? "")
        .slice(1);
      const fresh = program();
      await expect(fresh.parseAsync(normalizeArguments(words, fresh), { from: "user" }), line).resolves.toBeDefined();
    }
  });

  test("names nothing global that this verb does not take", () => {
    expect(help.includes("--deployed")).toBe(verb === "check");
  });
});

test("help fits a narrow terminal", () => {
  const narrow = program({ ...terminal, stdout: { ...stream, columns: 48 } });
  const stop = narrow.commands.find((command) => command.name() === "stop");

  const [options = ""] = helpOf(stop ?? narrow).split("\nExamples:");
  expect(
    Math.max(
      ...options
        .split("\n")
        .slice(1)
        .map(({ length }) => length),
    ),
  ).toBeLessThanOrEqual(48);
});

test.each(verbs)("help of $verb puts what an option does below it, where there is no room beside it", ({ verb }) => {
  const narrow = verbsOf(program({ ...terminal, stdout: { ...stream, columns: 40 } })).find((one) => one.verb === verb);

  const [options = ""] = helpOf(narrow?.command ?? program()).split("\nExamples:");
  // the first line is the usage; one word is never cut
  const long = options.split("\n").filter((line, index) => index > 0 && line.length > 40);
  expect(long.filter((line) => line.trim().includes(" ") || line.trim().length < 34)).toEqual([]);
});

test("options of check behind check config are refused", async () => {
  const run = program().parseAsync(["check", "config", "--deployed"], { from: "user" });

  await expect(run).rejects.toThrow("check config shows the values of a file and tries nothing");
});
