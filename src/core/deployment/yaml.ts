import { isNode, LineCounter, parseDocument } from "yaml";
import * as z from "zod";
import { PipelineError } from "../execution/errors.ts";
import { insteadOfDataBuckets } from "./bucket-root.ts";
import { type PipelineConfig, pipelineConfig } from "./config.ts";

/**
 * Reads `pipeline.yaml`. It holds no secret, so values may be shown.
 * @param file how messages call the file
 * @throws InvalidInput with one line for each problem: file, line, key, what is wrong, and for an unknown key the accepted ones
 */
export function parsePipelineYaml(text: string, file: string): PipelineConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const lineOf = (offset: number) => Math.max(1, lines.linePos(offset).line);
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) {
    throw invalid([`${file}:${lineOf(syntaxError.pos[0])}: is not valid YAML: ${syntaxError.message}`], file);
  }
  const parsed = pipelineConfig.safeParse(document.toJS() ?? {});
  if (parsed.success) return parsed.data;

  /** The line of the innermost part of a path that is written in the file. */
  const lineAt = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const keys = path.slice(0, length).map((key) => (typeof key === "symbol" ? key.toString() : key));
      const key = keys.at(-1);
      const parent = keys.length === 1 ? document.contents : document.getIn(keys.slice(0, -1), true);
      const pair =
        z
          .object({ items: z.array(z.unknown()) })
          .safeParse(parent)
          .data?.items.find((item) => keyOf(item) === key) ?? document.getIn(keys, true);
      const start = startOf(pair);
      if (start !== undefined) return lineOf(start);
    }
    return 1;
  };
  const problems = parsed.error.issues.flatMap((issue) => describe(issue, lineAt)).sort((a, b) => a.line - b.line);
  throw invalid(
    problems.map(({ line, text: problem }) => `${file}:${line}: ${problem}`),
    file,
  );
}

/**
 * Checks what a program says in place of a `pipeline.yaml`.
 * @param called how messages call it
 * @throws InvalidInput with one line for each problem: key, what is wrong, and for an unknown key the accepted ones
 */
export function checkPipeline(value: unknown, called: string): PipelineConfig {
  const parsed = pipelineConfig.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => describe(issue, () => 0));
  throw invalid(
    problems.map(({ text }) => `${called}: ${text}`),
    called,
  );
}

function describe(
  issue: z.core.$ZodIssue,
  lineAt: (path: readonly PropertyKey[]) => number,
): { line: number; text: string }[] {
  if (issue.code === "unrecognized_keys") {
    const accepted = acceptedKeys(pipelineConfig, issue.path).join(", ");
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      const problem = key === "dataBuckets" ? insteadOfDataBuckets : `is not a known key; accepted: ${accepted}`;
      return { line: lineAt(path), text: `${written(path)} ${problem}` };
    });
  }
  const message = issue.message.replace(/^Invalid input: /, "");
  const what = issue.path.length === 0 ? "" : `${written(issue.path)}: `;
  return [{ line: lineAt(issue.path), text: what + message }];
}

/** `schedules[0].keep.daily` */
function written(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : `${text}${text === "" ? "" : "."}${String(key)}`),
    "",
  );
}

/** The keys that the object at `path` of a schema may have. */
function acceptedKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: z.core.$ZodType | undefined = inner(schema);
  for (const key of path) {
    if (at instanceof z.ZodObject) at = at.shape[String(key)];
    else if (at instanceof z.ZodArray) at = at.element;
    else if (at instanceof z.ZodRecord) at = at.valueType;
    else return [];
    at = inner(at);
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** What is optional, has a default or is preprocessed, without that. */
function inner(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return inner(schema._zod.def.innerType);
  if (schema instanceof z.ZodPipe) return inner(schema._zod.def.out);
  return schema;
}

/** The key of a pair of a map; undefined for anything else. */
function keyOf(item: unknown): unknown {
  if (typeof item !== "object" || item === null || !("key" in item)) return undefined;
  return isNode(item.key) && "value" in item.key ? item.key.value : item.key;
}

function startOf(item: unknown): number | undefined {
  const node = typeof item === "object" && item !== null && "key" in item ? item.key : item;
  return isNode(node) ? node.range?.[0] : undefined;
}

function invalid(problems: readonly string[], file: string): PipelineError {
  return new PipelineError("InvalidInput", problems.join("\n"), { details: { file } });
}
