import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { normalizeArguments } from "../../../cli/arguments.ts";
import { createConnections } from "../../../cli/connections.ts";
import { main } from "../../../cli/main.ts";
import { processTerminal } from "../../../cli/output/terminal.ts";
import { buildProgram } from "../../../cli/program.ts";
import { createVerbHost } from "../../../cli/verbs/verb.ts";

/** The rows of docs/compatibility.md. */
const document = readFileSync(new URL("../../../docs/compatibility.md", import.meta.url), "utf8");
const rows = [...document.matchAll(/^\| (?:`([a-z ]+)`|all verbs) +\| (?:`(--[a-z0-9_]+)`)? *\| (\w+) +\|/gm)].map(
  ([, verb = "", option = "", here = ""]) => ({ verb, option, here }),
);

const context = {
  terminal: processTerminal(),
  connections: createConnections({}),
  clock: { now: () => new Date(0), sleep: async () => {} },
};
const program = buildProgram(
  context.terminal,
  createVerbHost(context, () => {}),
);
const known = rows.filter(({ here }) => here !== "refused");
const refused = rows.filter(({ here }) => here === "refused");

test("the document has every verb and option of milvus-backup 0.5.16", () => {
  // its help: 2 of all verbs, 10 of create, 16 of restore and its secondary, 1 of list, 2 of get, 1 of delete, check and config, server, migrate
  expect(rows).toHaveLength(37);
  expect(new Set(rows.map(({ here }) => here))).toEqual(new Set(["same", "differs", "accepted", "refused"]));
});

test("the document has the verbs of the command that milvus-backup has not", () => {
  const [, told = ""] = /^Verbs of this command that milvus-backup has not: (.*)\.$/m.exec(document) ?? [];
  const theirs = new Set(rows.map(({ verb }) => verb));
  const visible = program.createHelp().visibleCommands(program);
  const ours = visible.map((verb) => verb.name()).filter((name) => name !== "help" && !theirs.has(name));

  expect([...told.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort()).toEqual(ours.sort());
});

describe("what it says is taken", () => {
  test.each(known)("$verb $option", ({ verb, option }) => {
    const command = program.commands.find((one) => one.name() === verb);
    const options = verb === "" ? program.options : (command?.options ?? []);
    if (verb !== "") expect(command).toBeDefined();
    const [name = ""] = option === "" ? [] : normalizeArguments([option], program);
    if (option !== "") expect(options.map(({ long }) => long)).toContain(name);
  });
});

describe("what it says is refused", () => {
  test.each(refused)("$verb $option says what to use instead", async ({ verb, option }) => {
    const written: string[] = [];
    const stderr = { ...context.terminal.stderr, write: (text: string) => written.push(text) > 0 };
    const terminal = { ...context.terminal, stderr } as typeof context.terminal;
    const words = [...verb.split(" "), "-n", "x", ...(option === "" ? [] : [option])];

    const code = await main(words, { ...context, terminal });

    expect(code).toBe(1);
    expect(written.join("")).toMatch(new RegExp(`^Error \\(Usage\\): ${`${verb} ${option}`.trim()}: .{40}`));
  });
});

test("they are in no help", () => {
  const helps = [program, ...program.createHelp().visibleCommands(program)]
    .map((command) => command.helpInformation())
    .join("");
  expect(helps).not.toMatch(/secondary|migrate/);
});
