import { type ManifestIndex, type ManifestObject, parseManifestPart } from "../../core/format/manifest.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

/**
 * Adds what the manifest of a backup says of each log to what its metas say: two objects of one size can then be told apart. The manifest
 * of one collection is in memory at a time, as segments come collection by collection. Changes nothing of a backup without a manifest
 * (another tool's).
 * @throws CorruptBackup where the manifest cannot be read
 */
export async function* expectManifest(
  stored: StoredBackup,
  segments: AsyncIterable<SizedSegment>,
): AsyncGenerator<SizedSegment> {
  const index = await stored.readManifest();
  let collectionId: string | undefined;
  let listed: ReadonlyMap<string, ManifestObject> = new Map();
  for await (const sized of segments) {
    if (index !== undefined && sized.segment.collectionId !== collectionId) {
      collectionId = sized.segment.collectionId;
      listed = await objectsOf(stored, index, collectionId);
    }
    for (const { from, expect = [] } of sized.segment.prefixes) {
      for (const log of expect) {
        const object = listed.get(from + log.path);
        if (object === undefined) continue;
        log.etag = object.etag;
        if (object.checksum !== undefined) log.checksum = object.checksum;
      }
    }
    yield sized;
  }
}

async function objectsOf(
  { store, layout }: StoredBackup,
  index: ManifestIndex,
  collectionId: string,
): Promise<ReadonlyMap<string, ManifestObject>> {
  const objects = new Map<string, ManifestObject>();
  for (const part of index.parts.filter((it) => it.collectionId === collectionId)) {
    for (const object of parseManifestPart(await store.getText(layout.root + part.key), part)) {
      objects.set(layout.root + object.key, object);
    }
  }
  return objects;
}
