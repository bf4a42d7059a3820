import type { CopiedLog } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { BackupLayout } from "../../core/format/layout.ts";
import { manifestFileOf, parseManifestIndex, parseManifestPart } from "../../core/format/manifest.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { readMeta } from "../catalog/get-backup.ts";

const namedObjects = 3;

/**
 * Holds copies out of a backup against the checksums of its manifest, which were taken when the backup was made: the copy of an
 * object that was damaged since is a faithful copy. Does nothing for a backup without a manifest (another tool's); objects that lay
 * at the destination before, and those with a checksum of another kind, are not compared.
 * Throws CorruptBackup, naming objects.
 */
export async function verifyCopies(
  source: ObjectStore,
  layout: BackupLayout,
  fullMeta: string,
  logs: readonly CopiedLog[],
): Promise<void> {
  const text = await readMeta(source, layout.manifest);
  if (text === undefined) return;
  const index = parseManifestIndex(text, layout.manifest);
  const key = layout.meta.full_meta.slice(layout.root.length);
  const listed = index.metas.find((file) => file.key === key);
  if (listed?.sha256 !== manifestFileOf(key, fullMeta).sha256) {
    throw new PipelineError(
      "CorruptBackup",
      `${layout.meta.full_meta} in ${source.label} is not the one that ${layout.manifest} was written for: it was changed since`,
      { details: { file: layout.meta.full_meta } },
    );
  }

  const copied = new Map(logs.map((log) => [log.from, log.checksum]));
  const damaged: string[] = [];
  for (const part of index.parts) {
    for (const object of parseManifestPart(await source.getText(layout.root + part.key), part)) {
      const checksum = copied.get(layout.root + object.key);
      if (differ(object.checksum, checksum)) damaged.push(`${object.key} (${checksum} instead of ${object.checksum})`);
    }
  }
  if (damaged.length === 0) return;
  throw new PipelineError(
    "CorruptBackup",
    `${damaged.length} objects of the backup in ${source.label} under ${layout.root} are not what was backed up: ${damaged.slice(0, namedObjects).join(", ")}${damaged.length > namedObjects ? ", ..." : ""}`,
  );
}

/** Whether two checksums are of one kind and differ. */
function differ(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined || a === b) return false;
  return a.slice(0, a.indexOf(":")) === b.slice(0, b.indexOf(":"));
}
