import { styleText } from "node:util";
import { stringify } from "lossless-json";
import type { Document } from "../documents/index.ts";
import { isCi, type Terminal } from "./terminal.ts";

/** Of `red`, `green`, `bold` ...: what node:util knows. */
type Style = Parameters<typeof styleText>[0];

interface OutputOptions {
  /** One JSON document on stdout instead of text. */
  readonly json: boolean;
  /** Nothing on stderr but warnings and errors. */
  readonly quiet: boolean;
  /** false: no colours even on a terminal. */
  readonly color: boolean;
}

/** Everything a verb says. Results go to stdout; all else goes to stderr, so that stdout can be piped. */
export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Whether progress can be drawn in place. */
  readonly interactive: boolean;
  /** A verb's result: `text` for people, or with `--json` the document. */
  result(document: Document, text: string): void;
  /** A record of the backup format, which is JSON for people too. */
  record(record: unknown): void;
  /** What happens meanwhile. */
  note(text: string): void;
  /** What should be looked at; shown with `--quiet` too. */
  warn(text: string): void;
  /** Styled for stderr, where colours are wanted. */
  style(format: Style, text: string): string;
}

/** The output of one run of the command. */
export function createOutput(terminal: Terminal, options: OutputOptions): Output {
  const { stdout, stderr, env } = terminal;
  const colors = options.color && (env.NO_COLOR ?? "") === "" && (forced(env) ?? drawsOn(terminal));
  const style = (format: Style, text: string) => (colors ? styleText(format, text, { validateStream: false }) : text);
  return {
    json: options.json,
    quiet: options.quiet,
    // A log of CI keeps every redrawn line.
    interactive: drawsOn(terminal) && !isCi(env),
    result(document, text) {
      stdout.write(options.json ? `${toJson(document)}\n` : ensureNewline(text));
    },
    record(record) {
      stdout.write(`${toJson(record)}\n`);
    },
    note(text) {
      if (!options.quiet) stderr.write(ensureNewline(text));
    },
    warn(text) {
      stderr.write(ensureNewline(`${style("yellow", "warning:")} ${text}`));
    },
    style,
  };
}

/** JSON for people and programs: two spaces, bigint as bare numbers. */
export function toJson(document: unknown): string {
  return stringify(document, undefined, 2) ?? "null";
}

function drawsOn({ stderr, env }: Terminal): boolean {
  return stderr.isTTY === true && env.TERM !== "dumb";
}

/** FORCE_COLOR: colours also in a pipe, or with 0 none at all; undefined where it says nothing. */
function forced({ FORCE_COLOR }: Terminal["env"]): boolean | undefined {
  return FORCE_COLOR === undefined || FORCE_COLOR === ""
    ? undefined
    : !["0", "false"].includes(FORCE_COLOR.toLowerCase());
}

function ensureNewline(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
