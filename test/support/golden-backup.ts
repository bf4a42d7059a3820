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
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = `${entry.parentPath}/${entry.name}`;
    store.seed(`backup/${name}/${relative(fileURLToPath(directory), file)}`, readFileSync(file));
  }
}
