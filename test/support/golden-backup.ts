import { readFileSync } from "node:fs";
import { metaFileNames } from "../../src/core/format/layout.ts";
import type { MetaFiles } from "./level-files.ts";

const directory = new URL("../fixtures/milvus-backup-0.5.16/", import.meta.url);

/** The five meta files that milvus-backup 0.5.16 wrote from a Milvus 2.3.5. */
export const goldenFiles = Object.fromEntries(
  metaFileNames.map((name) => [name, readFileSync(new URL(`meta/${name}.json`, directory), "utf8")]),
) as MetaFiles;
