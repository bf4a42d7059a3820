import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { normalizeArguments } from "../../../cli/arguments.ts";
import { program } from "../../support/command.ts";

const projectDir = fileURLToPath(new URL("../../../", import.meta.url));
const pages = globSync(["*.md", "bench/*.md", "docs/**/*.md", "state-machines/*.md"], { cwd: projectDir }).sort();
const read = (page: string) => readFileSync(join(projectDir, page), "utf8");

const fences = /^```(\w*)\n(.*?)^```$/gms;

/** The relative links of a page: where they lead, from the project's root, and to which heading. */
function linksOf(page: string): { readonly to: string; readonly heading: string }[] {
  const prose = read(page).replaceAll(fences, "");
  return [...prose.matchAll(/\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(([, path = "", heading = ""]) => ({
    to: path === "" ? page : normalize(join(dirname(page), path)),
    heading,
  }));
}

/** What a heading is named in links. */
function anchorsOf(page: string): string[] {
  const headings = [
    ...read(page)
      .replaceAll(fences, "")
      .matchAll(/^#+ (.*)$/gm),
  ].map(([, text = ""]) => text);
  return headings.map((text) =>
    text
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** The command lines of a page, in its text and in its fences for shells: the words of each, up to whatever is no part of it. */
function commandsOf(page: string): string[][] {
  const text = read(page);
  const shells = [...text.matchAll(fences)].flatMap(([, language = "", code = ""]) =>
    ["sh", "bash", "console"].includes(language) ? code.replaceAll(/\\\n/g, " ").split("\n") : [],
  );
  const spans = [...text.replaceAll(fences, "").matchAll(/`([^`]*)`/g)].map(([, code = ""]) => code);
  // `restore --discard` too
  const inline = spans.map((code) => (/^[a-z]+ --/.test(code) ? `milvus-backup ${code}` : code));
  return [...shells, ...inline].flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const at = words.indexOf("milvus-backup");
    const end = words.findIndex((word, index) => index > at && /^(?:#|\||\|\||&&|;|>|\)|2>.*)$/.test(word));
    return at < 0 ? [] : [words.slice(at + 1, end < 0 ? undefined : end)];
  });
}

/** The command that a line is about, behind options of all commands, and what can stand in the line. */
function commandOf(words: readonly string[]): { readonly verb: Command | undefined; readonly options: Set<string> } {
  const named = (of: Command, word: string | undefined) => of.commands.find((one) => one.name() === word);
  const at = words.findIndex((word) => named(program, word));
  const verb = named(program, words[at]);
  const chain = [program, verb, verb && named(verb, words[at + 1])].filter((one) => one !== undefined);
  const options = chain.flatMap((command) => command.options.flatMap(({ long, short }) => [long ?? "", short ?? ""]));
  return { verb, options: new Set([...options, "--help", "-h"]) };
}

describe.each(pages)("%s", (page) => {
  test("links to what is there", () => {
    const dead = linksOf(page).filter(
      ({ to, heading }) =>
        !existsSync(join(projectDir, to)) || (heading !== "" && to.endsWith(".md") && !anchorsOf(to).includes(heading)),
    );

    expect(dead).toEqual([]);
  });

  test("types commands that there are", () => {
    const unknown = commandsOf(page).flatMap((line) => {
      const words = normalizeArguments(line, program);
      const { verb, options } = commandOf(words);
      const isKnown = (word: string) => !/^--?[a-zA-Z]/.test(word) || options.has(word.replace(/=.*/s, ""));
      // `--help`, and of any VERB
      const isHelp = words.every((word) => /^(?:-|[A-Z]+$)/.test(word));
      return (verb !== undefined || isHelp) && words.every(isKnown) ? [] : [line.join(" ")];
    });

    expect(unknown).toEqual([]);
  });

  test("runs scripts that there are", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = [...read(page).matchAll(/\bnpm run ([a-z][a-z:-]*)/g)].map(([, name = ""]) => name);

    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

test("every page is linked from another", () => {
  const linked = new Set(pages.flatMap((page) => linksOf(page).flatMap(({ to }) => (to === page ? [] : [to]))));

  expect(pages.filter((page) => page !== "README.md" && !linked.has(page))).toEqual([]);
});
