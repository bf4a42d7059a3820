import { readdirSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { metaFileNames } from "../../src/core/format/layout.ts";
import type { MetaFiles } from "./level-files.ts";
import type { MemoryObjectStore } from "./memory-object-store.ts";

const directory = new URL("../fixtures/milvus-backup-0.5.16/", import.meta.url);

/** The five meta files that milvus-backup 0.5.16 wrote from a Milvus 2.3.5. */
export const goldenFiles = Object.fromEntries(
  metaFileNames.map((name) => [name, readFileSync(new URL(`meta/${name}.json`, directory), "utf8")]),
) as MetaFiles;

/** Lays the whole backup down under `backup/<name>/`: the metas and every log. */
export function seedGolden(store: MemoryObjectStore, name: string): void {
  for (const [key, bytes] of goldenObjects()) store.seed(`backup/${name}/${key}`, bytes);
}

/** Every log of it, by its key below `binlogs/`. */
export function goldenLogs(): ReadonlyMap<string, Buffer> {
  const below = "binlogs/";
  const logs = [...goldenObjects()].filter(([key]) => key.startsWith(below));
  return new Map(logs.map(([key, bytes]) => [key.slice(below.length), bytes]));
}

function* goldenObjects(): Generator<[key: string, bytes: Buffer]> {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = `${entry.parentPath}/${entry.name}`;
    yield [relative(fileURLToPath(directory), file), readFileSync(file)];
  }
}
