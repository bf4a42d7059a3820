import * as z from "zod";
import { exportFormats } from "../execution/messages.ts";
import { jsonOrUndefined } from "../execution/work-json.ts";

const count = z.number().int().nonnegative();

/** A field of a collection, and how it is stored in the files. */
const exportedField = z.object({
  field: z.string(),
  /** Milvus's name: `FloatVector`. */
  type: z.string(),
  elementType: z.string().optional(),
  /** Of a vector. */
  dim: z.number().optional(),
  isPrimaryKey: z.boolean().optional(),
  /** `fixed_size_list<float32>[128]`, `json`; absent for one that is not read: it is in no file. */
  storedAs: z.string().optional(),
});
export type ExportedField = z.infer<typeof exportedField>;

const exportedFile = z.object({
  /** Relative to the manifest. */
  file: z.string(),
  partition: z.string(),
  rows: count,
  bytes: count,
  /** Hex. */
  sha256: z.string(),
});

const exportedCollection = z.object({
  /** `db.coll` */
  collection: z.string(),
  /** The instant that its rows are of; absent where the backup does not say. */
  instant: z.object({ timestamp: z.string(), time: z.string() }).optional(),
  fields: z.array(exportedField),
  rows: count,
  /** Rows of the backup that are in no file: deleted, or later than the instant. */
  leftOut: count,
  bytes: count,
  files: z.array(exportedFile),
});
export type ExportedCollection = z.infer<typeof exportedCollection>;

/** What an export is, in the file that makes it one (`exportLayout`). */
const exportHead = z.object({
  kind: z.literal("milvus-backup-export"),
  version: z.literal(1),
  /** What it is of: the same for the same backup, collections and format. */
  exportId: z.string(),
  backupName: z.string(),
  backupId: z.string(),
  format: z.enum(exportFormats),
  /** When it was complete, ISO 8601. */
  created: z.string(),
  pipelineVersion: z.string(),
  executionArn: z.string(),
  rows: count,
  leftOut: count,
  bytes: count,
  warnings: z.array(z.string()).readonly(),
});
export type ExportHead = z.infer<typeof exportHead>;

const exportManifest = exportHead.extend({ collections: z.array(exportedCollection) });
export type ExportManifest = z.infer<typeof exportManifest>;

/** undefined where a text is no manifest of an export that this version knows. */
export function parseExportManifest(text: string): ExportManifest | undefined {
  return exportManifest.safeParse(jsonOrUndefined(text)).data;
}

/** A manifest in pieces, a file a line: of an export of many terabytes it is megabytes. */
export function* printExportManifest(
  head: ExportHead,
  collections: Iterable<ExportedCollection>,
): Generator<string, void, undefined> {
  yield `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "collections": [`;
  let separator = "\n";
  for (const { files, ...collection } of collections) {
    yield `${separator}    ${JSON.stringify(collection).slice(0, -1)},"files":[`;
    separator = ",\n";
    let between = "\n";
    for (const file of files) {
      yield `${between}      ${JSON.stringify(file)}`;
      between = ",\n";
    }
    yield "]}";
  }
  yield "]\n}\n";
}
