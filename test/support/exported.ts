import { createHash } from "node:crypto";
import { tableFromIPC } from "apache-arrow";
import { readParquet } from "parquet-wasm";
import { type ExportManifest, parseExportManifest } from "../../src/core/format/export-manifest.ts";
import { parseJson } from "../../src/core/format/lossless-json.ts";
import type { MemoryObjectStore } from "./memory-object-store.ts";

/** The manifest of an export, whose every file is there as it says, and nothing else is. */
export function exportManifestIn(bucket: MemoryObjectStore, prefix: string): ExportManifest {
  const manifest = parseExportManifest(bucket.read(`${prefix}/_milvus-backup-export.json`) ?? "");
  if (manifest === undefined) throw new Error(`there is no export in ${prefix}`);
  const files = manifest.collections.flatMap((collection) => collection.files);
  for (const { file, bytes, sha256 } of files) {
    const content = bucket.bytes(`${prefix}/${file}`) ?? Buffer.alloc(0);
    if (content.length !== bytes || createHash("sha256").update(content).digest("hex") !== sha256) {
      throw new Error(`${file} is not what the manifest says`);
    }
  }
  const expected = [`${prefix}/_milvus-backup-export.json`, ...files.map(({ file }) => `${prefix}/${file}`)];
  const found = bucket.keys(`${prefix}/`);
  if (found.sort().join() !== expected.sort().join()) throw new Error(`other files lie in ${prefix}: ${found}`);
  return manifest;
}

/** The rows of a collection's files, of each with its partition. */
export function exportedRows(
  bucket: MemoryObjectStore,
  prefix: string,
  collection: string,
): { readonly partition: string; readonly row: Record<string, unknown> }[] {
  const { format, collections } = exportManifestIn(bucket, prefix);
  const files = collections.find((one) => one.collection === collection)?.files ?? [];
  return files.flatMap(({ file, partition, rows }) => {
    const content = bucket.bytes(`${prefix}/${file}`) ?? Buffer.alloc(0);
    const read = rowsOf(format, content);
    if (read.length !== rows) throw new Error(`${file} has ${read.length} rows, and the manifest says ${rows}`);
    return read.map((row) => ({ partition, row }));
  });
}

function rowsOf(format: ExportManifest["format"], content: Buffer): Record<string, unknown>[] {
  if (format === "jsonl") {
    return content
      .toString()
      .split("\n")
      .slice(0, -1)
      .map((line) => parseJson(line, "line") as Record<string, unknown>);
  }
  const table = tableFromIPC(format === "arrow" ? content : readParquet(content).intoIPCStream());
  return table.toArray().map((row) => plain(row) as Record<string, unknown>);
}

/** Arrow's views as what they show. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value;
  if (Symbol.iterator in value && "toJSON" in value && "length" in value) {
    return Array.from(value as Iterable<unknown>, plain);
  }
  if (Array.isArray(value) || ArrayBuffer.isView(value))
    return Array.from(value as unknown as Iterable<unknown>, plain);
  const entries = "toJSON" in value ? Object.entries((value as { toJSON(): object }).toJSON()) : Object.entries(value);
  return Object.fromEntries(entries.map(([name, one]) => [name, plain(one)]));
}
