import { isLosslessNumber } from "lossless-json";
import { PipelineError } from "../execution/errors.ts";
import { parseJson } from "./lossless-json.ts";

/**
 * How one kind of value of the backup format is read and printed: as Go's encoding/json does it with the structs of
 * milvus-backup. A parsed value never has holes: what is absent (or null) becomes the zero value.
 */
export interface Codec<T> {
  /** The table behind it, for whoever needs to walk it. */
  readonly shape: Shape;
  zero(): T;
  /** Whether a record leaves the value out when it is printed (Go's `omitempty`). */
  isOmitted(value: T): boolean;
  /** @throws CorruptBackup with file and path */
  parse(json: unknown, reader: Reader): T;
  print(value: T): string;
}

/** What a codec reads and prints, as data. */
export type Shape =
  | { readonly kind: "text" | "bool" | "int32" | "int64" | "uint64" | "textMap" }
  | { readonly kind: "list" | "optional"; readonly of: Shape }
  | { readonly kind: "record"; readonly fields: Readonly<Record<string, Shape>> };

export type Infer<C> = C extends Codec<infer T> ? T : never;

/** Where a parse stands, and what it met that this version does not know. */
export class Reader {
  readonly file: string;
  /** From the root to the value that is being read. */
  path: (string | number)[] = [];
  readonly #unknownKeys = new Map<string, number>();

  constructor(file: string) {
    this.file = file;
  }

  fail(expected: string, found: unknown): never {
    const at = this.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("");
    const where = at.replace(/^\./, "") || "the whole file";
    // What stands among users may be a password, and there a key.
    const isSecret = this.path.includes("rbac_meta") || this.path.includes("ezk");
    const shown = isSecret ? typeof found : excerpt(found);
    throw new PipelineError("CorruptBackup", `${this.file}: ${where}: expected ${expected}, found ${shown}`, {
      details: { file: this.file, path: where },
    });
  }

  /** Notes an unknown key once for all items of a list. */
  unknownKey(key: string): void {
    const at = [...this.path.map((part) => (typeof part === "number" ? "[]" : `.${part}`)), `.${key}`].join("");
    this.#unknownKeys.set(at.slice(1), (this.#unknownKeys.get(at.slice(1)) ?? 0) + 1);
  }

  get warnings(): string[] {
    return [...this.#unknownKeys].map(
      ([path, times]) =>
        `${this.file}: ${path} is not known to this version and is ignored${times > 1 ? ` (${times} times)` : ""}`,
    );
  }
}

export interface Parsed<T> {
  readonly value: T;
  readonly warnings: readonly string[];
}

/** Reads a whole file; throws CorruptBackup with file and line, or file and path. */
export function parseFile<T>(codec: Codec<T>, text: string, file: string): Parsed<T> {
  const json = parseJson(text, file);
  const reader = new Reader(file);
  if (json === null) reader.fail("an object", json);
  const value = codec.parse(json, reader);
  return { value, warnings: reader.warnings };
}

function excerpt(found: unknown): string {
  if (typeof found === "bigint" || isLosslessNumber(found)) return found.toString();
  if (Array.isArray(found)) return "a list";
  if (typeof found === "object" && found !== null) return "an object";
  const text = JSON.stringify(found) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

const goEscapes: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

/** A JSON string as Go's json.Marshal prints it: it escapes for HTML too. */
function printGoString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(/[<>&\u2028\u2029]/g, (char) => goEscapes[char] ?? char);
}

export const text: Codec<string> = {
  shape: { kind: "text" },
  zero: () => "",
  isOmitted: (value) => value === "",
  parse(json, reader) {
    if (json === undefined || json === null) return "";
    return typeof json === "string" ? json : reader.fail("a string", json);
  },
  print: printGoString,
};

export const bool: Codec<boolean> = {
  shape: { kind: "bool" },
  zero: () => false,
  isOmitted: (value) => !value,
  parse(json, reader) {
    if (json === undefined || json === null) return false;
    return typeof json === "boolean" ? json : reader.fail("true or false", json);
  },
  print: String,
};

/** Go takes bare integers only: no quotes, no fraction, no exponent. */
function integer(kind: "int32" | "int64" | "uint64"): Codec<bigint> {
  const bits = kind === "int32" ? 32 : 64;
  const signed = kind !== "uint64";
  const lowest = signed ? -(2n ** BigInt(bits - 1)) : 0n;
  const highest = signed ? 2n ** BigInt(bits - 1) - 1n : 2n ** BigInt(bits) - 1n;
  return {
    shape: { kind },
    zero: () => 0n,
    isOmitted: (value) => value === 0n,
    parse(json, reader) {
      if (json === undefined || json === null) return 0n;
      if (typeof json !== "bigint") return reader.fail("an integer", json);
      if (json < lowest || json > highest) {
        return reader.fail(`${signed ? "a signed" : "an unsigned"} ${bits}-bit integer`, json);
      }
      return json;
    },
    print: String,
  };
}

export const int64 = integer("int64");
export const uint64 = integer("uint64");

const int32Digits = integer("int32");
/** Counts and enums: the one kind of integer that fits a JavaScript number. */
export const int32: Codec<number> = {
  shape: int32Digits.shape,
  zero: () => 0,
  isOmitted: (value) => value === 0,
  parse: (json, reader) => Number(int32Digits.parse(json, reader)),
  print: String,
};

/** Printed even when it is zero: the format's `size`, `has_index`, `state_code` and `log_size`. */
export function kept<T>(codec: Codec<T>): Codec<T> {
  return { ...codec, isOmitted: () => false };
}

export function list<T>(item: Codec<T>): Codec<T[]> {
  return {
    shape: { kind: "list", of: item.shape },
    zero: () => [],
    isOmitted: (value) => value.length === 0,
    parse(json, reader) {
      if (json === undefined || json === null) return [];
      if (!Array.isArray(json)) return reader.fail("a list", json);
      return json.map((entry, index) => {
        reader.path.push(index);
        const value = item.parse(entry, reader);
        reader.path.pop();
        return value;
      });
    },
    print: (value) => `[${value.map((entry) => item.print(entry)).join(",")}]`,
  };
}

/** A map of strings, printed in the order of its keys' UTF-8 bytes as Go does. */
export const textMap: Codec<Readonly<Record<string, string>>> = {
  shape: { kind: "textMap" },
  zero: () => ({}),
  isOmitted: (value) => Object.keys(value).length === 0,
  parse(json, reader) {
    if (json === undefined || json === null) return {};
    const object = parseObject(json, reader);
    // fromEntries defines properties: a key such as __proto__ is a key like any other
    return Object.fromEntries(
      Object.entries(object).map(([key, entry]) => {
        reader.path.push(key);
        const value = text.parse(entry, reader);
        reader.path.pop();
        return [key, value];
      }),
    );
  },
  print(value) {
    const entries = Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return `{${entries.map(([key, entry]) => `${printGoString(key)}:${printGoString(entry)}`).join(",")}}`;
  },
};

export interface RecordCodec<T> extends Codec<T> {
  /** A whole record: what is not given is zero. */
  create(values: Partial<T>): T;
  /** Prints one record in pieces, together the very text of `print`: for lists that are too long for memory. */
  pieces(): RecordPieces<T>;
}

/** A record while it is printed. Each call answers the text that comes next; fields are read when their turn comes. */
export interface RecordPieces<T> {
  /** The fields in front of a list, whose items come next. */
  upTo(list: keyof T & string, value: T): string;
  /** What stands in front of the next item of that list; a list without items is left out. */
  item(): string;
  /** The rest of the fields. */
  end(value: T): string;
}

/**
 * A record by its one table: the order of the properties is the order in which they are printed.
 * @param options.legacy keys that older versions of milvus-backup wrote and nobody reads: ignored without a warning
 */
export function record<T extends object>(
  fields: { readonly [K in keyof T]: Codec<T[K]> },
  options: { legacy?: readonly string[] } = {},
): RecordCodec<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  const known = new Set<string>([...names, ...(options.legacy ?? [])]);
  const build = <S>(propertyOf: (name: keyof T & string) => S) =>
    // the table has every property of T, so the object does
    Object.fromEntries(names.map((name) => [name, propertyOf(name)])) as T;
  const pieces = (): RecordPieces<T> => {
    let next = 0;
    let separator = "{";
    let list: string | undefined;
    let hasItems = false;
    const fieldsUntil = (end: number, value: T): string => {
      let printed = hasItems ? "]" : "";
      hasItems = false;
      for (const name of names.slice(next, end)) {
        if (fields[name].isOmitted(value[name])) continue;
        printed += `${separator}"${name}":${fields[name].print(value[name])}`;
        separator = ",";
      }
      next = end;
      return printed;
    };
    return {
      upTo(name, value) {
        const printed = fieldsUntil(names.indexOf(name), value);
        list = name;
        next += 1;
        return printed;
      },
      item() {
        if (hasItems) return ",";
        const opened = `${separator}"${list}":[`;
        separator = ",";
        hasItems = true;
        return opened;
      },
      end: (value) => `${fieldsUntil(names.length, value)}${separator === "{" ? "{" : ""}}`,
    };
  };
  return {
    shape: {
      kind: "record",
      fields: Object.fromEntries(names.map((name) => [name, fields[name].shape])),
    },
    zero: () => build((name) => fields[name].zero()),
    create: (values) => build((name) => values[name] ?? fields[name].zero()),
    isOmitted: () => false,
    parse(json, reader) {
      const object = parseObject(json, reader);
      for (const key of Object.keys(object)) if (!known.has(key)) reader.unknownKey(key);
      const value: Partial<T> = {};
      // a plain loop: a large backup has ten million values
      for (const name of names) {
        reader.path.push(name);
        value[name] = fields[name].parse(Object.hasOwn(object, name) ? object[name] : undefined, reader);
        reader.path.pop();
      }
      // the table has every property of T, so the object does
      return value as T;
    },
    print: (value) => pieces().end(value),
    pieces,
  };
}

/** A record that may be absent (a nil pointer in Go). */
export function optional<T>(codec: Codec<T>): Codec<T | undefined> {
  return {
    shape: { kind: "optional", of: codec.shape },
    zero: () => undefined,
    isOmitted: (value) => value === undefined,
    parse: (json, reader) => (json === undefined || json === null ? undefined : codec.parse(json, reader)),
    print: (value) => (value === undefined ? "null" : codec.print(value)),
  };
}

function parseObject(json: unknown, reader: Reader): Readonly<Record<string, unknown>> {
  if (typeof json !== "object" || json === null || Array.isArray(json) || isLosslessNumber(json)) {
    return reader.fail("an object", json);
  }
  return json as Record<string, unknown>;
}
