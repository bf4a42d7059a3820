import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { metaFileNames } from "../../core/format/layout.ts";
import type { ManifestObject } from "../../core/format/manifest.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";
import { ManifestWriter } from "../shared/write-manifest.ts";

const fileConcurrency = 4;

/**
 * Writes what an incremental backup holds beside its logs as a plain one has it: the metas byte for byte in their usual place, and the
 * manifest with the keys that the objects have there. All but `full_meta.json`, which is its caller's to write.
 * @param confirm throws where nothing more may be written
 * @throws CorruptBackup where the manifest is missing or is not whole
 */
export async function writePlainFiles(
  from: StoredBackup,
  to: StoredBackup,
  confirm: () => Promise<void>,
): Promise<void> {
  const { layout } = from;
  const index = await from.readManifest();
  if (index === undefined) {
    throw new PipelineError("CorruptBackup", `${layout.manifest} in ${from.store.label} is missing`, {
      details: { file: layout.manifest },
    });
  }
  await settleEach(metaFileNames, fileConcurrency, async (file) => {
    if (file === "full_meta") return;
    const object = await from.store.head(layout.meta[file]);
    if (object !== undefined) await to.store.copyFrom(from.store, object, to.layout.meta[file], { lock: to.lock });
  });
  const manifest = new ManifestWriter(to, { confirm });
  try {
    for (const part of index.parts) {
      for await (const object of from.manifestObjects(part)) {
        await manifest.add(part.collectionId, [{ ...object, from: "", key: plainKeyOf(from, to, object) }]);
      }
    }
    const metas = metaFileNames.flatMap((file) => {
      const listed = index.metas.find(({ key }) => layout.absolute(key) === layout.meta[file]);
      return listed ? [{ ...listed, key: to.layout.relative(to.layout.meta[file]) }] : [];
    });
    const { instants, kept = [], notCarried = {}, created } = index;
    await manifest.finish(index, { metas, instants, kept, notCarried, created });
  } catch (error) {
    await manifest.abort();
    throw error;
  }
}

/** Where a log of an incremental backup lies in a plain one. */
function plainKeyOf(from: StoredBackup, to: StoredBackup, { key }: ManifestObject): string {
  const { layout } = from;
  const absolute = layout.absolute(key);
  return layout.shared && absolute.startsWith(layout.shared.root)
    ? to.layout.binlogs + absolute.slice(layout.shared.root.length)
    : to.layout.absolute(key);
}
