import { LosslessNumber, parse } from "lossless-json";
import { PipelineError } from "../execution/errors.ts";

/** A place in a text file; both count from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

export const textStart: TextPosition = { line: 1, column: 1 };

/** Where one stands who was at `start` and has read what lies between two indices of `text`. */
export function positionAfter(start: TextPosition, text: string, from = 0, to = text.length): TextPosition {
  let { line } = start;
  let lineStart = -1;
  for (let at = text.indexOf("\n", from); at >= 0 && at < to; at = text.indexOf("\n", at + 1)) {
    line += 1;
    lineStart = at;
  }
  return { line, column: lineStart < 0 ? start.column + to - from : to - lineStart };
}

/**
 * Parses JSON so that no number loses a digit: integers come as bigint, other numbers as LosslessNumber.
 * @param file name of the file for the error message: `full_meta.json`
 * @param positionOf where in the file an index of the text lies, for a text that is only a part of it
 * @throws CorruptBackup with file, line and column where the text is no JSON
 */
export function parseJson(
  text: string,
  file: string,
  positionOf: (index: number) => TextPosition = (index) => positionAfter(textStart, text, 0, index),
): unknown {
  try {
    return givesSource
      ? JSON.parse(text, exactNumber)
      : parse(text, undefined, { parseNumber: numberFrom, onDuplicateKey: lastWins });
  } catch (cause) {
    const { reason, index } = explain(text, cause);
    throw syntaxProblem(file, reason, index === undefined ? undefined : positionOf(index), cause);
  }
}

/** What is thrown where a file is no JSON. */
export function syntaxProblem(file: string, reason: string, at?: TextPosition, cause?: unknown): PipelineError {
  const where = at === undefined ? "" : `line ${at.line}, column ${at.column}: `;
  return new PipelineError("CorruptBackup", `${file} is no valid JSON: ${where}${reason}`, {
    details: { file, ...at },
    cause,
  });
}

/** What JSON.parse tells a reviver about a primitive since Node 21. */
interface ReviverContext {
  readonly source?: string;
}

/** JSON.parse needs a third of the memory that the library needs for a large meta; before Node 21 it could not keep the digits. */
const givesSource: boolean = JSON.parse("1", (_key, _value, context?: ReviverContext) => context?.source === "1");

function exactNumber(_key: string, value: unknown, context?: ReviverContext): unknown {
  return typeof value === "number" ? numberFrom(context?.source ?? String(value)) : value;
}

function numberFrom(source: string): bigint | LosslessNumber {
  return /^-?\d+$/.test(source) ? BigInt(source) : new LosslessNumber(source);
}

/** As Go and JSON.parse do it. */
function lastWins({ newValue }: { newValue: unknown }): unknown {
  return newValue;
}

/** The library says where a text stops being JSON; JSON.parse does not always. */
function explain(text: string, cause: unknown): { reason: string; index?: number } {
  try {
    parse(text, undefined, { onDuplicateKey: lastWins });
  } catch (error) {
    // a RangeError is a stack overflow: no meta file is nested like that
    if (!(error instanceof SyntaxError)) return { reason: "it is nested too deeply" };
    const at = / at position (\d+)$/.exec(error.message);
    return at ? { reason: error.message.slice(0, at.index), index: Number(at[1]) } : { reason: error.message };
  }
  return { reason: cause instanceof Error ? cause.message : String(cause) };
}
