import type { ExpectedLog } from "../../core/execution/copy-plan.ts";
import { parseManifestPart } from "../../core/format/manifest.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

/**
 * Adds what the manifest of a backup says of each log to what its metas say, in place: two objects of one size can then be told apart.
 * Reads one part at a time. Does nothing for a backup without a manifest (another tool's).
 * @throws CorruptBackup where the manifest cannot be read
 */
export async function expectManifest(stored: StoredBackup, segments: readonly SizedSegment[]): Promise<void> {
  const index = await stored.readManifest();
  if (index === undefined) return;
  const { root } = stored.layout;
  const collections = Map.groupBy(segments, ({ segment }) => segment.collectionId);
  for (const [collectionId, members] of collections) {
    const logs = new Map<string, ExpectedLog>();
    for (const { segment } of members) {
      for (const { from, expect = [] } of segment.prefixes) for (const log of expect) logs.set(from + log.path, log);
    }
    for (const part of index.parts.filter((it) => it.collectionId === collectionId)) {
      for (const { key, etag, checksum } of parseManifestPart(await stored.store.getText(root + part.key), part)) {
        const log = logs.get(root + key);
        if (log === undefined) continue;
        log.etag = etag;
        if (checksum !== undefined) log.checksum = checksum;
      }
    }
  }
}
