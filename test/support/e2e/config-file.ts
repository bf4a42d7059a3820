import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { parse, stringify } from "yaml";
import { projectDir } from "../../../local/paths.ts";

type Section = Record<string, unknown>;

/**
 * A folder of backup.yaml files for one test file, removed when it is through. The name of a file is that of its environment: none
 * may be `milvus-a` or `milvus-b`, which other tests use at the same time. Ports differ from run to run on a stack that stays up: use
 * them with `--replace`.
 */
export function configFolder() {
  const folder = mkdtemp(join(tmpdir(), "milvus-backup-configs-"));
  afterAll(async () => rm(await folder, { recursive: true, force: true }));
  return {
    /** Writes a text as it is; answers the path. */
    async write(name: string, text: string): Promise<string> {
      const file = join(await folder, `${name}.yaml`);
      await writeFile(file, text);
      return file;
    },
    /** Writes one of the stack's files with other values, by dotted keys (`minio.bucketName`). */
    async derive(name: string, from: string, values: Readonly<Record<string, unknown>>): Promise<string> {
      const yaml = parse(await readFile(join(projectDir, from), "utf8")) as Record<string, Section>;
      for (const [key, value] of Object.entries(values)) {
        const [section = "", entry = ""] = key.split(".");
        yaml[section] = { ...yaml[section], [entry]: value };
      }
      return this.write(name, stringify(yaml));
    },
  };
}
