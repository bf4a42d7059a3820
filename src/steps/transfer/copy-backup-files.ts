import { settleEach } from "../../core/execution/settle.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

const fileConcurrency = 8;

/**
 * Copies what a backup holds beside its logs, byte for byte: the metas but `full_meta.json`, which commits and is its caller's to
 * write, and the manifest and report where it has them.
 */
export async function copyBackupFiles(from: StoredBackup, to: StoredBackup): Promise<void> {
  const { layout } = from;
  const files: ObjectSummary[] = [];
  for (const prefix of [layout.metas, layout.manifestParts]) {
    for await (const object of from.store.list(prefix)) if (object.key !== layout.meta.full_meta) files.push(object);
  }
  for (const key of [layout.manifest, layout.report]) {
    const object = await from.store.head(key);
    if (object !== undefined) files.push(object);
  }
  await settleEach(files, fileConcurrency, (object) =>
    to.store.copyFrom(from.store, object, to.layout.root + object.key.slice(layout.root.length)),
  );
}
