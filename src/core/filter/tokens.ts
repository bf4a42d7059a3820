import { PipelineError } from "../execution/errors.ts";

/** A piece of a filter. */
export interface Token {
  readonly kind: "name" | "keyword" | "symbol" | "literal" | "end";
  /** As it is matched: keywords in lower case. */
  readonly text: string;
  /** Of a literal: an integer is a bigint. */
  readonly value?: bigint | number | string | boolean;
  /** Where it begins, from 0. */
  readonly at: number;
}

const keywords = new Set(["and", "or", "not", "in", "like", "is", "null"]);
const symbols = ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "(", ")", "[", "]", ",", "!", "-", "+"];

const space = /\s+/y;
const word = /[A-Za-z_$][A-Za-z0-9_$]*/y;
const number = /(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/y;
const quoted = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy;

/**
 * Cuts a filter into its pieces; the last one is of kind `end`.
 * @throws InvalidInput with the position of what is no part of a filter
 */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const blank = matchAt(space, text, at);
    if (blank !== undefined) {
      at += blank.length;
      continue;
    }
    const token = tokenAt(text, at);
    tokens.push(token);
    at += token.text.length;
  }
  return [...tokens, { kind: "end", text: "", at: text.length }];
}

function tokenAt(text: string, at: number): Token {
  const name = matchAt(word, text, at);
  if (name !== undefined) return wordToken(name, at);
  const digits = matchAt(number, text, at);
  if (digits !== undefined) {
    if (matchAt(word, text, at + digits.length) !== undefined) throw filterProblem(at, `${digits} runs into a name`);
    const value = /^(?:\d+|0[xX][0-9a-fA-F]+)$/.test(digits) ? BigInt(digits) : Number(digits);
    return { kind: "literal", text: digits, value, at };
  }
  const string = matchAt(quoted, text, at);
  if (string !== undefined) return { kind: "literal", text: string, value: unquoted(string), at };
  const symbol = symbols.find((candidate) => text.startsWith(candidate, at));
  if (symbol !== undefined) return { kind: "symbol", text: symbol, at };
  const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (character === "'" || character === '"') throw filterProblem(at, "a text that does not end");
  if (character === "=") throw filterProblem(at, "= is no operator: use == to compare");
  throw filterProblem(at, `${character} is no part of a filter`);
}

function wordToken(text: string, at: number): Token {
  const lower = text.toLowerCase();
  if (lower === "true" || lower === "false") return { kind: "literal", text, value: lower === "true", at };
  return keywords.has(lower) ? { kind: "keyword", text: lower, at } : { kind: "name", text, at };
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/gs, (_, character: string) => {
    // Of a pattern's escaped wildcards the backslash is like's own affair.
    if (character === "%" || character === "_") return `\\${character}`;
    return escapes[character] ?? character;
  });
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** What is thrown where a filter cannot be understood: says where, counted from 1. */
export function filterProblem(at: number, reason: string): PipelineError {
  return new PipelineError(
    "InvalidInput",
    `the filter, character ${at + 1}: ${reason}. A filter compares scalar fields with ==, !=, <, <=, >, >=, in [..], ` +
      "not in [..], like 'prefix%', is null, is not null, and joins that with and, or, not and parentheses",
    { details: { key: "filter", position: at + 1 } },
  );
}
