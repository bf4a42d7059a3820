import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import * as z from "zod";
import { localDir } from "../../../local/paths.ts";
import { parseExportManifest } from "../../../src/core/format/export-manifest.ts";
import { parseJson } from "../../../src/core/format/lossless-json.ts";
import { asAnswered } from "../golden-rows.ts";
import { getBytes, getText } from "./objects.ts";
import { flat } from "./peeked.ts";
import type { Row } from "./snapshot.ts";

const bucket = "bucket-b";
const requirements = join(import.meta.dirname, "readers.txt");
const python = join(localDir, "readers", "bin", "python");

/** Makes the virtual environment with DuckDB, pandas and pyarrow, once: a test that reads with them begins with it. */
export async function ensureReaders(): Promise<void> {
  const wanted = await readFile(requirements, "utf8");
  const stamp = join(localDir, "readers", "made-from");
  if (existsSync(stamp) && (await readFile(stamp, "utf8")) === wanted) return;
  await execa("python3", ["-m", "venv", join(localDir, "readers")]);
  await execa(python, ["-m", "pip", "install", "--quiet", "--no-input", "--requirement", requirements]);
  await writeFile(stamp, wanted);
}

export type Reader = "duckdb" | "pyarrow" | "pandas";

const line = z.object({
  reader: z.string(),
  collection: z.string(),
  partition: z.string(),
  values: z.record(z.string(), z.unknown()),
});

/** A row as one reader answers it: 64-bit integers as text, dynamic values beside the fields. */
export type ReadRow = Pick<z.infer<typeof line>, "reader" | "collection" | "partition"> & { readonly values: Row };

/** The rows of an export as readers of files answer them, one after the other. */
export async function readExport(prefix: string, readers: readonly Reader[]): Promise<ReadRow[]> {
  const manifest = parseExportManifest(await getText(bucket, `${prefix}/_milvus-backup-export.json`));
  if (manifest === undefined) throw new Error(`there is no export in ${prefix}`);
  const { format, collections } = manifest;
  const folder = await mkdtemp(join(tmpdir(), "milvus-backup-export-"));
  try {
    for (const { file } of collections.flatMap(({ files }) => files)) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), await getBytes(bucket, `${prefix}/${file}`));
    }
    const fields = new Map(collections.map((one) => [one.collection, one.fields]));
    const texts = [...fields.values()].flat().filter(({ type }) => type === "JSON" && format !== "jsonl");
    const script = join(import.meta.dirname, "read_export.py");
    const args = [script, format, folder, readers.join(), [...new Set(texts.map(({ field }) => field))].join()];
    const { stdout } = await execa(python, args, { maxBuffer: 2 ** 30 });
    return stdout.split("\n").map((text) => {
      const { values, ...where } = line.parse(parseJson(text, "row"));
      const named = fields.get(where.collection)?.map(({ field, ...type }) => ({ name: field, ...type })) ?? [];
      return { ...where, values: flat(asAnswered(values, named)) };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
