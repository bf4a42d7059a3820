import type { CopiedLog } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { manifestFileOf, parseManifestPart } from "../../core/format/manifest.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

const namedObjects = 3;

/**
 * Holds copies out of a backup against the checksums of its manifest, which were taken when the backup was made: the copy of an
 * object that was damaged since is a faithful copy. Does nothing for a backup without a manifest (another tool's); objects that lay
 * at the destination before, and those with a checksum of another kind, are not compared.
 * Throws CorruptBackup, naming objects.
 */
export async function verifyCopies(from: StoredBackup, fullMeta: string, logs: readonly CopiedLog[]): Promise<void> {
  const { store, layout } = from;
  const index = await from.readManifest();
  if (index === undefined) return;
  const key = layout.meta.full_meta.slice(layout.root.length);
  const listed = index.metas.find((file) => file.key === key);
  if (listed?.sha256 !== manifestFileOf(key, fullMeta).sha256) {
    throw new PipelineError(
      "CorruptBackup",
      `${layout.meta.full_meta} in ${store.label} is not the one that ${layout.manifest} was written for: it was changed since`,
      { details: { file: layout.meta.full_meta } },
    );
  }

  const copied = new Map(logs.map((log) => [log.from, log.checksum]));
  const damaged: string[] = [];
  for (const part of index.parts) {
    for (const object of parseManifestPart(await store.getText(layout.root + part.key), part)) {
      const checksum = copied.get(layout.root + object.key);
      if (differ(object.checksum, checksum)) damaged.push(`${object.key} (${checksum} instead of ${object.checksum})`);
    }
  }
  if (damaged.length === 0) return;
  throw new PipelineError(
    "CorruptBackup",
    `${damaged.length} objects of the backup in ${from.place} are not what was backed up: ${shortList(damaged, { limit: namedObjects })}`,
  );
}

/** Whether two checksums are of one kind and differ. */
function differ(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined || a === b) return false;
  return a.slice(0, a.indexOf(":")) === b.slice(0, b.indexOf(":"));
}
