import * as z from "zod";
import { PipelineError } from "./errors.ts";

/**
 * Reads what a function, or the REST API, was asked for. Values are not repeated: they may be anything.
 * @throws InvalidInput, naming every key of the input that is unknown, missing or of another type, with what is accepted
 *   instead
 */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, event: unknown): z.output<Schema> {
  const parsed = schema.safeParse(event);
  if (parsed.success) return parsed.data;
  const problems = describeIssues(schema, parsed.error);
  const keys = parsed.error.issues.flatMap(keysOf);
  throw new PipelineError("InvalidInput", problems.join("; "), keys.length > 0 ? { details: { keys } } : {});
}

/** What is wrong with what a schema refused, in words: each key, and what is accepted in its place. */
export function describeIssues(schema: z.ZodType, error: z.ZodError): string[] {
  return error.issues.map((issue) => describeIssue(schema, issue));
}

function describeIssue(schema: z.ZodType, issue: z.core.$ZodIssue): string {
  const at = keyPath(issue.path);
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys.map((key) => JSON.stringify(key)).join(", ");
    const accepted = acceptedKeys(schema, issue.path).join(", ");
    return `unknown key ${unknown}${at && ` in ${at}`}; accepted: ${accepted}`;
  }
  return `${at || "input"}: ${issue.message.replace(/^Invalid input: /, "")}`;
}

function keysOf(issue: z.core.$ZodIssue): string[] {
  const at = keyPath(issue.path);
  if (issue.code !== "unrecognized_keys") return at ? [at] : [];
  return issue.keys.map((key) => (at ? `${at}.${key}` : key));
}

/** The keys as the person who started the execution wrote them: `input` is ours. */
function keyPath(path: readonly PropertyKey[]): string {
  const parts = path[0] === "input" ? path.slice(1) : path;
  return parts
    .map((part, at) => (typeof part === "number" ? `[${part}]` : `${at > 0 ? "." : ""}${String(part)}`))
    .join("");
}

/** The keys that the object at `path` of a schema may have. */
function acceptedKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: z.core.$ZodType | undefined = schema;
  for (const key of path) at = childOf(at, key);
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** What a schema says of one of its keys, without the mark that it may be absent. */
function childOf(schema: z.core.$ZodType | undefined, key: PropertyKey): z.core.$ZodType | undefined {
  const child =
    schema instanceof z.ZodObject
      ? schema.shape[String(key)]
      : schema instanceof z.ZodArray
        ? schema.element
        : schema instanceof z.ZodRecord
          ? schema.valueType
          : undefined;
  return child instanceof z.ZodOptional ? child.unwrap() : child;
}
