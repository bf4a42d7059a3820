import { LosslessNumber, parse } from "lossless-json";
import { PipelineError } from "../execution/errors.ts";

/**
 * Parses JSON so that no number loses a digit: integers come as bigint, other numbers as LosslessNumber.
 * @param file name of the file for the error message: `full_meta.json`
 * @throws CorruptBackup with file, line and column where the text is no JSON
 */
export function parseJson(text: string, file: string): unknown {
  try {
    return givesSource
      ? JSON.parse(text, exactNumber)
      : parse(text, undefined, { parseNumber: numberFrom, onDuplicateKey: lastWins });
  } catch (cause) {
    throw syntaxProblem(text, file, cause);
  }
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

function syntaxProblem(text: string, file: string, cause: unknown): PipelineError {
  const { reason, position } = explain(text, cause);
  if (position === undefined) {
    return new PipelineError("CorruptBackup", `${file} is no valid JSON: ${reason}`, { details: { file }, cause });
  }
  const before = text.slice(0, position);
  const line = before.split("\n").length;
  const column = before.length - before.lastIndexOf("\n");
  return new PipelineError("CorruptBackup", `${file} is no valid JSON: line ${line}, column ${column}: ${reason}`, {
    details: { file, line, column },
    cause,
  });
}

/** The library says where a text stops being JSON; JSON.parse does not always. */
function explain(text: string, cause: unknown): { reason: string; position?: number } {
  try {
    parse(text, undefined, { onDuplicateKey: lastWins });
  } catch (error) {
    // a RangeError is a stack overflow: no meta file is nested like that
    if (!(error instanceof SyntaxError)) return { reason: "it is nested too deeply" };
    const at = / at position (\d+)$/.exec(error.message);
    return at ? { reason: error.message.slice(0, at.index), position: Number(at[1]) } : { reason: error.message };
  }
  return { reason: cause instanceof Error ? cause.message : String(cause) };
}
