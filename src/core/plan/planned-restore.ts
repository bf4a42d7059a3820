import * as z from "zod";
import type { RestoredCollection } from "../execution/messages.ts";
import type { LastRestored } from "../format/target-lease.ts";
import type { KeyValue } from "../milvus/attributes.ts";
import type { CollectionName, CreateCollectionRequest, CreateIndexRequest, Id } from "../milvus/descriptions.ts";
import type { Instant } from "../milvus/instant.ts";
import { qualifiedName } from "../milvus/names.ts";
import type { WantedIndexes } from "./existing-indexes.ts";
import { verification } from "./verification.ts";

/** Everything a restore is going to do; a file in the work bucket, written by Prepare Restore. */
export const restorePlan = z.object({
  restoreId: z.string(),
  backupName: z.string(),
  backupId: z.string(),
  /** Whether a collection that is replaced is dropped at the end; otherwise it stays under its new name. */
  dropReplaced: z.boolean(),
  /** true: no rows are restored. */
  metadataOnly: z.literal(true).optional(),
  /** Users and roles are restored too, of the metas with this SHA-256 (hex). */
  rbac: z.object({ sha256: z.string() }).optional(),
  /** Databases of the backup that are encrypted: their keys are in the metas with this SHA-256 (hex), and in no plan. */
  encrypted: z.object({ databases: z.array(z.string()).readonly(), sha256: z.string() }).optional(),
  databases: z.array(z.custom<PlannedDatabase>(isRecord)).readonly(),
  collections: z
    .array(
      z.custom<PlannedRestore>((value) => isRecord(value) && isRecord(value.target) && Array.isArray(value.imports)),
    )
    .readonly(),
  /** Below this prefix of the target's Milvus bucket lies what is staged; deleted at the end. */
  stagingPrefix: z.string(),
  verification,
  warnings: z.array(z.string()).readonly(),
  /** For progress displays. */
  totals: z.object({
    collections: z.number(),
    segments: z.number(),
    bytes: z.number(),
    rows: z.string(),
    imports: z.number(),
  }),
});
export type RestorePlan = Readonly<z.infer<typeof restorePlan>>;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** A database that a restore needs, or that the backup has without collections. */
export interface PlannedDatabase {
  /** In the target. */
  readonly name: string;
  /** What it is made with where it is not there. */
  readonly properties: readonly KeyValue[];
  /** true: the backup has no collection of it. */
  readonly empty?: true;
}

export interface PlannedRestore {
  readonly source: CollectionName;
  readonly target: CollectionName;
  /** The name it has until it is complete; the target itself under `skipCreate` and where Milvus cannot rename (before 2.2.9). */
  readonly working: CollectionName;
  /** ID of the collection that stands under the target name and is replaced: that one, and no other. Absent where none is. */
  readonly replaces?: Id;
  /** The instant of the backup, or when it was begun where it has none; hybrid, decimal. Absent where nobody knows. */
  readonly takenAt?: Id;
  /** Absent under `skipCreate`. */
  readonly create?: CreateCollectionRequest;
  /** Partitions to create; Milvus makes `_default` and those of a partition key itself. */
  readonly partitions: readonly string[];
  readonly indexes: readonly CreateIndexRequest[];
  /** What becomes of the indexes of a collection that is there (`skipCreate`); absent where they stay as they are. */
  readonly existingIndexes?: WantedIndexes;
  readonly aliases: readonly string[];
  /** What to load at the end: everything, some partitions, or nothing. */
  readonly load: "all" | "none" | { readonly partitions: readonly string[] };
  readonly imports: readonly PlannedImport[];
  /** Where it is written what is inserted (`workLayout.insertion`); absent where nothing is. */
  readonly insertion?: number;
  /** The instant the backup was cut at: what came after it is not imported. Absent where nobody knows it. */
  readonly instant?: Instant;
}

/**
 * One import to submit and what to expect of it. What it reads is in a file of its own: an import may read hundreds of directories. Of kind `rows` it is no
 * import of Milvus's: the restore inserts the rows of a partition itself, before anything is imported into the collection.
 */
export interface PlannedImport {
  /** Number of the import within the restore: names it in records, messages and staging keys. */
  readonly task: number;
  /** Imports of a phase start when all of the phase before are complete: data, then a partition's deletes, then all partitions'. */
  readonly phase: 0 | 1 | 2;
  readonly partition: string;
  readonly kind: "segments" | "l0" | "rows";
  readonly storageVersion: string;
  /** `fingerprintOf` it. */
  readonly fingerprint: string;
  /** `directoriesOf` its files; "" where it has none. */
  readonly directories: string;
  /** Rows of the segments before deletes, decimal. */
  readonly rows: string;
  /** Fewer than these cannot be right, decimal: deletes, and rows from after the instant, take away no more (`leastRows`). */
  readonly minimumRows: string;
  readonly hasDeletes: boolean;
  readonly bytes: number;
}

/**
 * Whether a collection is restored under another name until it is complete. Otherwise it goes straight into its target: `skipCreate`,
 * and Milvus before 2.2.9.
 */
export function hasWorkingName({ working, target }: Pick<PlannedRestore, "working" | "target">): boolean {
  return qualifiedName(working) !== qualifiedName(target);
}

/** IDs of restored collections, by target name. */
export function idsOf(collections: readonly Pick<RestoredCollection, "to" | "id">[]): Map<string, Id> {
  return new Map(collections.map(({ to, id }) => [to, id]));
}

/**
 * What a restore leaves in its targets, by target name: what a trigger goes by that comes late.
 * @param ids of the collections that have their target names
 */
export function restoredInto(
  { collections, backupName, backupId, metadataOnly }: RestorePlan,
  ids: ReadonlyMap<string, Id>,
): Map<string, LastRestored> {
  // Its rows are still to come.
  if (metadataOnly) return new Map();
  return new Map(
    collections.flatMap(({ target, takenAt }): [string, LastRestored][] => {
      const collectionId = ids.get(qualifiedName(target));
      if (collectionId === undefined) return [];
      const timestamp = takenAt === undefined ? {} : { timestamp: takenAt };
      return [[qualifiedName(target), { backupName, backupId, collectionId, ...timestamp }]];
    }),
  );
}
