import { isAlias, isCollection, isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import { PipelineError } from "../execution/errors.ts";
import type { Environment } from "./environment.ts";
import { findKey, isSection, type KnownKey, type KnownValues, knownKeys, nearestKey } from "./keys.ts";
import { resolveEnvironment } from "./resolve.ts";

export interface ParseEnvironmentOptions {
  /** The name it is (to be) registered under. */
  readonly name: string;
  /** For messages: `backup.yaml`. */
  readonly fileName: string;
  /** Reads a certificate that the file names by path; a path is an error where this is absent. */
  readonly readFile?: (path: string) => string;
  /** Environment variables that stand for keys (`environmentVariables`); they win over the file. */
  readonly variables?: Readonly<Record<string, string>>;
  /** `--set KEY=VALUE`: dotted keys of the file, or milvus-backup's names of environment variables; they win over both. */
  readonly overrides?: Readonly<Record<string, string>>;
}

/** Where a value comes from, for messages: a line of the file, an environment variable, or `--set`. */
export type Origin = { readonly line: number } | { readonly variable: string } | "--set";

/**
 * Reads a backup.yaml of milvus-backup into a resolved environment: every default filled in, the backup keys inherited from the primary
 * ones, certificates read. Values never appear in messages where they may be secrets.
 * @throws InvalidEnvironment with file, line and key for a syntax error, an unknown key, a wrong type or a value that is not supported
 */
export function parseEnvironment(yamlText: string, options: ParseEnvironmentOptions): Environment {
  return readEnvironment(yamlText, options).environment;
}

/**
 * The same, and where each value that is given comes from.
 * @throws as `parseEnvironment`
 */
export function readEnvironment(
  yamlText: string,
  options: ParseEnvironmentOptions,
): { environment: Environment; origins: ReadonlyMap<KnownKey, Origin> } {
  const file = options.fileName;
  const values = new Map<KnownKey, { value: unknown; origin: Origin }>();
  for (const entry of readEntries(yamlText, file)) {
    const key = findKey(entry.path, { variables: false });
    const origin = { line: entry.line };
    if (key === "ignored") continue;
    if (key === undefined) throw unknownKey(file, origin, entry.path);
    if (values.has(key)) throw invalid(file, origin, key, "is given twice");
    if (entry.text === undefined) throw invalid(file, origin, key, "must be a single value, not a list or a section");
    values.set(key, { value: readValue(file, origin, key, entry.text), origin });
  }
  const replace = (given: Readonly<Record<string, string>>, originOf: (name: string) => Origin) => {
    for (const [name, text] of Object.entries(given)) {
      const origin = originOf(name);
      const key = findKey(name, { variables: true });
      if (key === "ignored") continue;
      if (key === undefined) throw unknownKey(file, origin, name);
      values.set(key, { value: readValue(file, origin, key, text), origin });
    }
  };
  replace(options.variables ?? {}, (variable) => ({ variable }));
  replace(options.overrides ?? {}, () => "--set");
  const environment = resolveEnvironment(options.name, {
    values: {
      get: <K extends KnownKey>(key: K) => values.get(key)?.value as KnownValues[K] | undefined,
      error: (key, message) => invalid(file, values.get(key)?.origin, key, message),
    },
    readFile: options.readFile,
  });
  return { environment, origins: new Map([...values].map(([key, { origin }]) => [key, origin])) };
}

interface Entry {
  /** Dotted, as written. */
  readonly path: string;
  /** undefined for a list, or a section where a value belongs. */
  readonly text: string | undefined;
  readonly line: number;
}

/** All leaves of the file with their lines; keys without a value are left out, as milvus-backup does. */
function readEntries(yamlText: string, file: string): Entry[] {
  const lines = new LineCounter();
  // pretty errors quote the source, which may hold a secret
  const document = parseDocument(yamlText, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const lineOf = (offset: number) => Math.max(1, lines.linePos(offset).line);
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) {
    const { key, line } = lastKeyUntil(yamlText, lineOf(syntaxError.pos[0]));
    const reason = syntaxError.message.replace(/: ".*$/s, "");
    throw invalid(file, { line }, key, `is not valid YAML: ${reason}`);
  }
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return [];
  if (!isMap(root)) throw invalid(file, { line: 1 }, undefined, "must hold sections like milvus: and minio:");

  const entries: Entry[] = [];
  const walk = (map: YAMLMap, prefix: string): void => {
    for (const { key, value } of map.items) {
      const keyNode = key as Node;
      const line = lineOf(keyNode.range?.[0] ?? 0);
      const path = `${prefix}${isScalar(keyNode) ? String(keyNode.value) : "?"}`;
      if (isAlias(value) && value.resolve(document) === undefined) {
        throw invalid(
          file,
          { line },
          path,
          "begins with *, which refers to an anchor that is not there: put it in quotes",
        );
      }
      const node = isAlias(value) ? value.resolve(document) : (value as Node | null);
      if (node === undefined || node === null || (isScalar(node) && node.value === null)) continue;
      const isKnown = findKey(path, { variables: false }) !== undefined;
      if (isMap(node) && !isKnown) {
        if (!isSection(path)) throw unknownKey(file, { line }, path);
        walk(node, `${path}.`);
      } else if (isScalar(node) && isSection(path) && !isKnown) {
        throw invalid(file, { line }, path, "must be a section of keys, not a single value");
      } else {
        entries.push({ path, line, text: isCollection(node) ? undefined : scalarText(node) });
      }
    }
  };
  walk(root, "");
  return entries;
}

/** The key that a syntax error is at: an open quote is only noticed lines below the key it belongs to. */
function lastKeyUntil(yamlText: string, line: number): { key?: string; line: number } {
  const lines = yamlText.split("\n");
  for (let number = Math.min(line, lines.length); number > 0; number -= 1) {
    const key = /^\s*([\w.-]+)\s*:/.exec(lines[number - 1] ?? "")?.[1];
    if (key !== undefined) return { key, line: number };
  }
  return { line };
}

/** A number as it is written (`007` stays `007`), a string without its quotes. */
function scalarText(node: Node): string | undefined {
  if (!isScalar(node)) return undefined;
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}

function readValue(file: string, origin: Origin, key: KnownKey, text: string): unknown {
  const parsed = knownKeys[key].schema.safeParse(text);
  if (parsed.success) return parsed.data;
  // only numbers, switches and modes can be wrong here: none of them is a secret
  throw invalid(
    file,
    origin,
    key,
    `${parsed.error.issues[0]?.message ?? "is not valid"}, but is ${JSON.stringify(text)}`,
  );
}

function unknownKey(file: string, origin: Origin, path: string): PipelineError {
  const nearest = nearestKey(path);
  return invalid(file, origin, path, `is not a known key${nearest === undefined ? "" : `; did you mean ${nearest}?`}`);
}

/** `backup.yaml:12: minio.port must be ...` */
function invalid(file: string, origin: Origin | undefined, key: string | undefined, problem: string): PipelineError {
  const line = typeof origin === "object" && "line" in origin ? origin.line : undefined;
  const where = whereOf(file, origin);
  const message = key === undefined ? `${where}: ${problem}` : `${where}: ${key} ${problem}`;
  return new PipelineError("InvalidEnvironment", message, {
    details: { file, ...(line === undefined ? {} : { line }), ...(key === undefined ? {} : { key }) },
  });
}

function whereOf(file: string, origin: Origin | undefined): string {
  if (origin === undefined) return file;
  if (origin === "--set") return origin;
  return "line" in origin ? `${file}:${origin.line}` : `environment variable ${origin.variable}`;
}
