import * as z from "zod";
import { shortHash } from "../execution/deterministic-id.ts";
import { workPrefixes } from "../execution/work-layout.ts";
import type {
  CollectionName,
  CreateCollectionRequest,
  CreateIndexRequest,
  ImportFiles,
} from "../milvus/descriptions.ts";
import type { Instant } from "../milvus/instant.ts";
import { qualifiedName } from "../milvus/names.ts";

/** Records of a restore that outlive one execution: found again by its restore ID. Keys of the work bucket. */
export function restoreWorkLayout(restoreId: string) {
  const root = `${workPrefixes.restores}${restoreId}`;
  return {
    root: `${root}/`,
    /** What was submitted to Milvus, so that nothing is submitted twice: ImportRecord[]. */
    imports: `${root}/imports.json`,
    /** Which collections were made: CollectionRecord[]. */
    collections: `${root}/collections.json`,
    /** Which collections stood under the target names, and are replaced: ReplacedRecord[]. */
    replaced: `${root}/replaced.json`,
    /** Which users, roles and grants were set out to be added: RbacRecord (rbac-restore.ts). */
    rbac: `${root}/rbac.json`,
    /** Which indexes collections had that were there before: IndexesRecord[]. */
    indexes: `${root}/indexes.json`,
    /** Into which buckets files were staged (steps/restore/staged-places.ts). */
    staged: `${root}/staged.json`,
  };
}

/** What an import reads, as it is written for it. */
export const importFiles = z.array(z.object({ insert: z.string(), delta: z.string() }));

/** One submitted import. It counts only for the collection it went into: a collection that was made anew holds none of its rows. */
export const importRecord = z.object({
  /** CollectionRecord.id */
  collectionId: z.string(),
  /** PlannedImport.task */
  task: z.number().int().min(0),
  /** `fingerprintOf` what was planned when it was submitted. */
  planned: z.string(),
  /** Milvus's ID of the task or job; empty while it is `submitting`. */
  id: z.string(),
  /** `submitting`: written before Milvus is asked. Where nothing follows, nobody knows whether it was. */
  state: z.enum(["submitting", "submitted", "completed"]),
  /** ISO 8601: when it was about to be submitted; while it is `submitting`. */
  askedAt: z.iso.datetime().optional(),
  /** How often that was without an answer; absent in records of earlier versions. */
  asked: z.number().int().optional(),
  /** Rows imported, net of deletes, decimal: those it last reported, as long as it is not complete. */
  rows: z.string(),
  /** ISO 8601: the first look at which the server listed it no more; absent while it does. */
  missedSince: z.iso.datetime().optional(),
  /** How far its files were compared with what was backed up; absent in records of earlier versions. */
  compared: z.enum(["nothing", "sizes", "contents"]).optional(),
  /** Deletes that were submitted a second time, as the server forgot the first. */
  again: z.literal(true).optional(),
});
export type ImportRecord = Readonly<z.infer<typeof importRecord>>;

/** One collection that the restore made, or (skipCreate) imports into. */
export const collectionRecord = z.object({
  /** `db.coll` */
  target: z.string(),
  /** `db.coll`, the name it had when it was made; the target's own under `skipCreate`. */
  working: z.string(),
  /** Milvus's ID; renaming keeps it. */
  id: z.string(),
  /** `creationOf` what was planned when it was made; absent in records of pipelines that did not compare it. */
  created: z.string().optional(),
  /** Rows it had before anything was imported, decimal. */
  rowsBefore: z.string(),
  /** Imports Milvus remembered under its name before this restore submitted any: never ours, however alike they look. */
  importsBefore: z.array(z.string()).readonly(),
  /** Whether the server told no IDs of those that were there before (2.4+ over gRPC): then none is known by what it reads, which an earlier one may have read too. */
  importsUntold: z.literal(true).optional(),
});
export type CollectionRecord = Readonly<z.infer<typeof collectionRecord>>;

/** A collection that stood under a target name when the restore began: the only one that it replaces there. */
export const replacedRecord = z.object({
  /** `db.coll` */
  target: z.string(),
  /** Milvus's ID. */
  id: z.string(),
  /** Rows of the new one when they were checked, right before it got the name; decimal. The old one is dropped only for as many. */
  rows: z.string().optional(),
});
export type ReplacedRecord = Readonly<z.infer<typeof replacedRecord>>;

/** The indexes of a collection that was there (`skipCreate`), as they were before the first of them was dropped. */
export const indexesRecord = z.object({
  /** `db.coll` */
  target: z.string(),
  /** Milvus's ID. */
  id: z.string(),
  indexes: z.array(
    z.object({
      id: z.string(),
      fieldName: z.string(),
      indexName: z.string(),
      params: z.record(z.string(), z.string()),
    }),
  ),
});
export type IndexesRecord = Readonly<z.infer<typeof indexesRecord>>;

/** The record of a planned collection, of whichever run made it. */
export function recordOf(
  records: readonly CollectionRecord[],
  { target, working }: { readonly target: CollectionName; readonly working: CollectionName },
): CollectionRecord | undefined {
  const [targetName, workingName] = [qualifiedName(target), qualifiedName(working)];
  return records.find((record) => record.target === targetName && record.working === workingName);
}

/** Tells whether a collection that an earlier run made is the one that is planned now: other options make another one. */
export function creationOf(planned: {
  readonly create?: CreateCollectionRequest;
  readonly indexes: readonly CreateIndexRequest[];
  readonly imports: readonly unknown[];
}): string {
  // One of metadata alone may stand under its target name, where nothing can be imported any more.
  return shortHash(JSON.stringify([planned.create, planned.indexes, planned.imports.length > 0]));
}

/** Tells whether an import of an earlier run is the one that is planned now: other options or another Milvus plan other ones. */
export function fingerprintOf(content: {
  readonly partition: string;
  readonly kind: "segments" | "l0" | "rows";
  readonly storageVersion: string;
  readonly files: readonly ImportFiles[];
  /** What came after it is not imported. */
  readonly instant?: Pick<Instant, "timestamp"> | undefined;
  /** L0 segments whose deletes lie beside those of its segments. */
  readonly spread?: readonly string[];
}): string {
  const { partition, kind, storageVersion, files, instant, spread = [] } = content;
  const what = [partition, kind, storageVersion, ...(instant === undefined ? [] : [instant.timestamp]), ...spread];
  return shortHash(...what, ...files.flatMap(({ insert, delta }) => [insert, delta]));
}

/**
 * Tells whether two imports read the same directories, in any order: Milvus 2.4+ does not tell which delta directory belongs to which
 * insert directory.
 */
export function directoriesOf(files: readonly ImportFiles[]): string {
  return shortHash(...files.map(({ insert, delta }) => withoutSlash(insert || delta)).sort());
}

function withoutSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}
