import type { GivenValues, KnownKey } from "./keys.ts";

/** What a configuration says, and what reads the files that it names; absent where none can be read. */
export interface Given {
  readonly values: GivenValues;
  readonly readFile: ((path: string) => string) | undefined;
}

/** Keys whose values are names of files. */
export type FileKey = Extract<KnownKey, `${string}CertPath` | `${string}KeyPath` | `${string}MappingPath`>;

/** The text of the file that a key names; "" where it names none. */
export function fileOf({ values, readFile }: Given, key: FileKey): string {
  const path = values.get(key) ?? "";
  if (path === "") return "";
  if (readFile === undefined) throw values.error(key, "names a file, which cannot be read here");
  try {
    return readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw values.error(key, `names a file that cannot be read: ${reason}`);
  }
}

/** Whether a value is there, an empty one too. */
export function isGiven(values: GivenValues, key: KnownKey): boolean {
  return values.get(key) !== undefined;
}
