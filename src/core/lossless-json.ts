import { parse, stringify } from "lossless-json";
import { PipelineError } from "./errors.ts";

/**
 * Parses JSON so that no number loses a digit: numbers come as `LosslessNumber` (read them with `isLosslessNumber`).
 * @param file name of the file for the error message: `full_meta.json`
 * @throws CorruptBackup with file, line and column where the text is no JSON
 */
export function parseJson(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    // a RangeError is a stack overflow: nesting that no meta file has
    if (!(cause instanceof SyntaxError || cause instanceof RangeError)) throw cause;
    throw syntaxProblem(text, file, cause);
  }
}

/** Prints a value as compact JSON, bigints and LosslessNumbers as bare numbers; `undefined` properties are left out. */
export function printJson(value: unknown): string {
  const text = stringify(value);
  if (text === undefined) throw new TypeError(`${typeof value} has no JSON form`);
  return text;
}

function syntaxProblem(text: string, file: string, cause: Error): PipelineError {
  const known = / at position (\d+)$/.exec(cause.message);
  const reason = cause instanceof RangeError ? "it is nested too deeply" : cause.message.replace(known?.[0] ?? "", "");
  if (!known) {
    return new PipelineError("CorruptBackup", `${file} is no valid JSON: ${reason}`, { details: { file }, cause });
  }
  const before = text.slice(0, Number(known[1]));
  const line = before.split("\n").length;
  const column = before.length - before.lastIndexOf("\n");
  return new PipelineError("CorruptBackup", `${file} is no valid JSON: line ${line}, column ${column}: ${reason}`, {
    details: { file, line, column },
    cause,
  });
}
