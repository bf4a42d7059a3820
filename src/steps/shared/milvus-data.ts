import { PipelineError } from "../../core/execution/errors.ts";
import type { MilvusLayout } from "../../core/format/layout.ts";
import type { CollectionName, SegmentDescription } from "../../core/milvus/descriptions.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { ObjectStore } from "../../ports/object-store.ts";

/** Milvus's bucket, and where things lie in it. */
export interface SegmentPlaces {
  readonly store: ObjectStore;
  readonly from: MilvusLayout;
}

/**
 * Looks whether a collection's rows lie where the environment says that this Milvus keeps them. One object of the collection is enough: single
 * segments vanish, the directory of a collection with flushed rows does not. Milvus is asked once more where there is none, as the collection may be gone.
 * @param segments as Milvus listed them
 * @returns a key of it; undefined where Milvus has no flushed rows of it, or not any more
 * @throws InvalidEnvironment, naming the keys; CollectionNotFound where it was dropped meanwhile
 */
export async function findRows(
  milvus: Milvus,
  { name, id }: { readonly name: CollectionName; readonly id: string },
  segments: readonly SegmentDescription[],
  { store, from }: SegmentPlaces,
): Promise<string | undefined> {
  const flushed = segments.filter(hasLogs);
  if (flushed.length === 0) return undefined;
  const place = from.collectionInsertLogs(id);
  for await (const { key } of store.list(place)) return key;
  const still = new Set((await milvus.listSegments(name)).filter(hasLogs).map((segment) => segment.id));
  const missing = flushed.filter((segment) => still.has(segment.id));
  if (missing.length === 0) return undefined;
  const rows = missing.reduce((sum, segment) => sum + segment.rows, 0n);
  throw new PipelineError(
    "InvalidEnvironment",
    `Milvus at ${milvus.address} has ${rows} flushed rows of ${qualifiedName(name)}, and nothing lies below ${place} in ${store.label}: ` +
      "minio.address, minio.bucketName and minio.rootPath have to be those that this Milvus has in its own configuration (milvus.yaml: minio)",
    { details: { key: "minio.rootPath" } },
  );
}

function hasLogs({ state, isL0, rows }: SegmentDescription): boolean {
  return state === "Flushed" && !isL0 && rows > 0n;
}
