import pLimit from "p-limit";
import type { BackupLayout } from "../../core/format/layout.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";

const fileConcurrency = 8;

/**
 * Copies what a backup holds beside its logs, byte for byte: the metas but `full_meta.json`, which commits and is its caller's to
 * write, and the manifest and report where it has them.
 */
export async function copyBackupFiles(
  source: ObjectStore,
  from: BackupLayout,
  destination: ObjectStore,
  to: BackupLayout,
): Promise<void> {
  const files: ObjectSummary[] = [];
  for (const prefix of [from.metas, from.manifestParts]) {
    for await (const object of source.list(prefix)) if (object.key !== from.meta.full_meta) files.push(object);
  }
  for (const key of [from.manifest, from.report]) {
    const object = await source.head(key);
    if (object !== undefined) files.push(object);
  }
  const limit = pLimit(fileConcurrency);
  await Promise.all(
    files.map((object) =>
      limit(() => destination.copyFrom(source, object, to.root + object.key.slice(from.root.length))),
    ),
  );
}
