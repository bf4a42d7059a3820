import { createHash } from "node:crypto";
import * as z from "zod";
import type { CopiedLog } from "../execution/copy-plan.ts";
import { PipelineError } from "../execution/errors.ts";
import { objectLock } from "../execution/object-lock.ts";
import { jsonOrUndefined } from "../execution/work-json.ts";
import type { BackupLayout } from "./layout.ts";

/**
 * Our list of everything in a backup with sizes and checksums, beside the files of the milvus-backup format: one index
 * (`manifest` in layout.ts) and, for each collection, parts of at most `manifestPartObjects` objects as JSON Lines, so
 * that a backup of 2 million objects is written and read piece by piece. The index holds the SHA-256 of every part and of the
 * meta files: with its own checksum one knows that nothing was changed since.
 */
const manifestObject = z.object({
  /** Relative to the backup's root: `binlogs/insert_log/...`; of an incremental backup also `../milvus-backup-segments/...`. */
  key: z.string().min(1),
  /** Bytes. */
  size: z.number().int().min(0),
  /** The backup store's ETag when it was written; another store may give another one. */
  etag: z.string(),
  /** `<algorithm>:<value>` of the content, where it is known. */
  checksum: z.string().optional(),
});
export type ManifestObject = z.infer<typeof manifestObject>;

const manifestFile = z.object({
  /** Relative to the backup's root. */
  key: z.string().min(1),
  /** Bytes of the file itself. */
  size: z.number().int().min(0),
  /** Hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type ManifestFile = z.infer<typeof manifestFile>;

/** Which schedule made a backup; retention deletes by nothing else. */
export const madeBySchedule = z.object({
  /** As pipeline.yaml names it. */
  name: z.string().min(1),
  environment: z.string().min(1),
  /** ARN of the state machine that made it: two deployments may have a schedule of the same name. */
  stateMachine: z.string().min(1),
});
export type MadeBySchedule = z.infer<typeof madeBySchedule>;

const manifestPart = manifestFile.extend({
  collectionId: z.string(),
  /** How many objects it lists, and their bytes together. */
  objects: z.number().int().min(0),
  bytes: z.number().int().min(0),
});
export type ManifestPart = z.infer<typeof manifestPart>;

/** The instant that a collection was cut at; a restore leaves out what came after it. */
const cutCollection = z.object({
  collectionId: z.string().regex(/^\d+$/),
  /** `db.coll` */
  collection: z.string(),
  /** Hybrid timestamp of Milvus, decimal (core/milvus/instant.ts). */
  timestamp: z.string(),
  /** The same for people, ISO 8601. */
  time: z.string(),
  /** Segments that may hold rows from after it: those that the flush sealed. Of the others every row counts. */
  laterRows: z.array(z.string()),
});
export type CutCollection = z.infer<typeof cutCollection>;

/** Attributes by their names in Milvus's protocol. */
const keptValues = z.record(
  z.string(),
  z.union([z.boolean(), z.string(), z.array(z.object({ key: z.string(), value: z.string() }))]),
);
export type KeptValues = Readonly<z.infer<typeof keptValues>>;

/** What of a collection the format has no place for (core/milvus/kept-attributes.ts). */
const keptAttributes = z.object({
  collectionId: z.string().regex(/^\d+$/),
  /** `db.coll` */
  collection: z.string(),
  /** Of its schema. */
  schema: keptValues,
  /** Of its fields, its struct arrays and the fields of those. */
  fields: z.array(z.object({ fieldId: z.string().regex(/^\d+$/), name: z.string(), values: keptValues })),
});
export type KeptAttributes = Readonly<z.infer<typeof keptAttributes>>;

/**
 * The versions that this one reads. 2 since there are instants, 3 where attributes are kept: who does not know them would lose them. 4 for
 * incremental backups, whose objects do not all lie below their root.
 */
const versions = [1, 2, 3, 4] as const;

const manifestIndex = z.object({
  version: z.literal(versions),
  backupName: z.string(),
  backupId: z.string(),
  /** ISO 8601. */
  created: z.string(),
  pipelineVersion: z.string(),
  /** Absent in a backup that no schedule made. */
  schedule: madeBySchedule.optional(),
  /** Of every collection that was flushed for the backup. */
  instants: z.array(cutCollection).default([]),
  /** Of every collection that has attributes which the format cannot hold. */
  kept: z.array(keptAttributes).optional(),
  /** What the Milvus had, and no backup carries, in words, by `db.coll` (core/milvus/not-carried.ts). */
  notCarried: z.record(z.string(), z.array(z.string())).optional(),
  /** An incremental backup: which Milvus the segments are of that it shares with others (`sourceIdOf`), and what it added to them. */
  incremental: z
    .object({
      source: z.string().regex(/^[0-9a-f]+$/),
      /** Objects that were not there when it was made, and their bytes, deletes included. */
      newObjects: z.number().int().min(0),
      newBytes: z.number().int().min(0),
    })
    .optional(),
  /**
   * The manifest was not written with the backup: its checksums are of what lay there at this time. Nothing else is known that the metas do
   * not have.
   */
  sealed: z.object({ at: z.string(), executionArn: z.string() }).optional(),
  /** How everything in the backup was locked when it was made, at the least; a copy elsewhere may be locked otherwise. */
  lock: objectLock.optional(),
  objects: z.number().int().min(0),
  bytes: z.number().int().min(0),
  /** The five meta files of the format. */
  metas: z.array(manifestFile),
  parts: z.array(manifestPart),
});
export type ManifestIndex = z.infer<typeof manifestIndex>;

/** About 7 MB of JSON Lines: one request writes them. */
export const manifestPartObjects = 30_000;

/** The line of a part about one object. */
export function printManifestObject(
  { key, size, etag, checksum }: CopiedLog,
  layout: Pick<BackupLayout, "relative">,
): string {
  const object: ManifestObject = {
    key: layout.relative(key),
    size,
    etag,
    ...(checksum !== undefined && { checksum }),
  };
  return `${JSON.stringify(object)}\n`;
}

/** What the index says about a file that is written whole (a meta file). */
export function manifestFileOf(key: string, text: string): ManifestFile {
  return { key, size: Buffer.byteLength(text), sha256: sha256(text) };
}

export function printManifestIndex(index: Omit<ManifestIndex, "version" | "objects" | "bytes">): string {
  const sum = (pick: (part: ManifestPart) => number) => index.parts.reduce((total, part) => total + pick(part), 0);
  const whole: ManifestIndex = {
    version: index.incremental !== undefined ? 4 : index.kept === undefined ? 2 : 3,
    ...index,
    objects: sum((part) => part.objects),
    bytes: sum((part) => part.bytes),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

const anyManifest = z.object({ version: z.number() });

/** @throws CorruptBackup where the text is no manifest, or one of a version that is not known yet */
export function parseManifestIndex(text: string, key: string): ManifestIndex {
  const json = jsonOrUndefined(text);
  const parsed = manifestIndex.safeParse(json);
  if (parsed.success) return checkedSum(parsed.data, key);
  if (isLaterManifest(text)) {
    const version = anyManifest.safeParse(json).data?.version;
    throw corrupt(
      `${key} is a manifest of version ${version}, and this version knows 1 to ${versions.length}: update the pipeline`,
      key,
    );
  }
  throw corrupt(`${key} is no manifest of version 1 to ${versions.length}: ${z.prettifyError(parsed.error)}`, key);
}

/** Whether a text is a manifest that a later version of the pipeline wrote: it is not damaged, and cannot be read here. */
export function isLaterManifest(text: string): boolean {
  return (anyManifest.safeParse(jsonOrUndefined(text)).data?.version ?? 0) > versions.length;
}

/** Nothing tells that the index itself is whole, but this: it says how many objects its parts list together. */
function checkedSum(index: ManifestIndex, key: string): ManifestIndex {
  const objects = index.parts.reduce((sum, part) => sum + part.objects, 0);
  if (objects === index.objects) return index;
  throw corrupt(
    `${key} says that it lists ${index.objects} objects, and its parts have ${objects}: it was changed`,
    key,
  );
}

/** Reads one part, an object at a time; throws CorruptBackup where it is not the text that the index was written for. */
export function* parseManifestPart(text: string, part: ManifestPart): Generator<ManifestObject> {
  verifyManifestFile(text, part);
  let objects = 0;
  for (let start = 0, line = 1; start < text.length; line += 1) {
    const end = text.indexOf("\n", start);
    const printed = text.slice(start, end < 0 ? text.length : end);
    start = end < 0 ? text.length : end + 1;
    if (printed === "") continue;
    objects += 1;
    yield parseManifestLine(printed, line, part);
  }
  checkCount(objects, part);
}

/**
 * The same of a part that comes in pieces, cut anywhere. Whether it is the text that the index was written for is known at its end only:
 * nothing that cannot be taken back may be done before it.
 */
export async function* streamManifestPart(
  pieces: AsyncIterable<string>,
  part: ManifestPart,
): AsyncGenerator<ManifestObject> {
  const hash = createHash("sha256");
  let objects = 0;
  let rest = "";
  for await (const piece of pieces) {
    hash.update(piece);
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      objects += 1;
      yield parseManifestLine(line, objects, part);
    }
  }
  checkSha256(hash.digest("hex"), part);
  checkCount(objects, part);
}

function parseManifestLine(printed: string, line: number, part: ManifestPart): ManifestObject {
  const parsed = manifestObject.safeParse(jsonOrUndefined(printed));
  if (parsed.success) return parsed.data;
  throw corrupt(`${part.key}: line ${line}: ${z.prettifyError(parsed.error)}`, part.key);
}

function checkCount(objects: number, part: ManifestPart): void {
  if (objects === part.objects) return;
  throw corrupt(`${part.key} lists ${objects} objects, the manifest says ${part.objects}`, part.key);
}

/** @throws CorruptBackup where a file's text is not the one the manifest was written for */
export function verifyManifestFile(text: string, file: ManifestFile): void {
  checkSha256(sha256(text), file);
}

function checkSha256(found: string, file: ManifestFile): void {
  if (found === file.sha256) return;
  throw corrupt(`${file.key} is not what the manifest says: its SHA-256 differs, it was changed or cut off`, file.key);
}

/**
 * Compares what the manifest lists with what lies there (keys relative to the backup's root); answers one sentence for each
 * object that is missing, differs or is not in the manifest.
 */
export function compareWithManifest(
  listed: Iterable<ManifestObject>,
  found: Iterable<{ readonly key: string; readonly size: number }>,
): string[] {
  const sizes = new Map<string, number>();
  for (const object of found) sizes.set(object.key, object.size);
  const problems: string[] = [];
  for (const object of listed) {
    const size = sizes.get(object.key);
    if (size === undefined) problems.push(`${object.key} is missing`);
    else if (size !== object.size) problems.push(`${object.key} has ${size} bytes, the manifest says ${object.size}`);
    sizes.delete(object.key);
  }
  for (const key of sizes.keys()) problems.push(`${key} is not in the manifest`);
  return problems;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function corrupt(message: string, file: string): PipelineError {
  return new PipelineError("CorruptBackup", message, { details: { file } });
}
