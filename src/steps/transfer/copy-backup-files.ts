import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { type ManifestFile, manifestFileOf } from "../../core/format/manifest.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

const fileConcurrency = 8;

/**
 * Copies what a backup holds beside its logs, byte for byte: the metas but `full_meta.json`, which commits and is its caller's to
 * write, and the manifest where it has one; no signature, and no records of verifications and drills.
 * @param options.repair the destination is this very backup: what is there and right stays, by the manifest's SHA-256
 * @throws CorruptBackup where a file is right at neither side
 */
export async function copyBackupFiles(
  from: StoredBackup,
  to: StoredBackup,
  options: { repair: boolean },
): Promise<void> {
  const { layout } = from;
  const files: ObjectSummary[] = [];
  const parts = layout.manifestParts.startsWith(layout.metas) ? [] : [layout.manifestParts];
  // what was found out about this backup, and who signed that it lies there, says nothing of its copy
  const left = new Set([layout.meta.full_meta, layout.manifest, layout.signature, layout.verified, layout.drilled]);
  for (const prefix of [layout.metas, ...parts]) {
    for await (const object of from.store.list(prefix)) {
      if (!left.has(object.key)) files.push(object);
    }
  }
  const manifest = await from.store.head(layout.manifest);
  if (manifest !== undefined) files.push(manifest);
  const index = options.repair ? await from.readManifest() : undefined;
  const listed = new Map([...(index?.metas ?? []), ...(index?.parts ?? [])].map((file) => [file.key, file]));
  await settleEach(files, fileConcurrency, async (object) => {
    const relative = layout.relative(object.key);
    const { store, lock } = to;
    const key = to.layout.absolute(relative);
    if (!options.repair || (await needsCopy(from, to, relative, object, listed.get(relative)))) {
      await store.copyFrom(from.store, object, key, { lock });
    } else if (lock) {
      await store.extendLock(key, lock);
    }
  });
}

/** Whether a file of a backup that is there already is missing or wrong there. Files that differ are read, one side at a time. */
async function needsCopy(
  from: StoredBackup,
  to: StoredBackup,
  relative: string,
  object: ObjectSummary,
  listed: ManifestFile | undefined,
): Promise<boolean> {
  const key = to.layout.absolute(relative);
  const existing = await to.store.head(key);
  if (existing?.size === object.size && existing.etag === object.etag) return false;
  // Nothing says which of two is right: the one that is there stays.
  if (listed === undefined) return existing === undefined;
  const isRight = async ({ store }: StoredBackup, at: string) =>
    manifestFileOf(relative, (await store.getTextIfPresent(at)) ?? "").sha256 === listed.sha256;
  if (existing?.size === listed.size && (await isRight(to, key))) return false;
  if (object.size === listed.size && (await isRight(from, object.key))) return true;
  throw new PipelineError(
    "CorruptBackup",
    `${key} in ${to.store.label} ${existing === undefined ? "is missing" : "is not what the manifest says"}, and ${object.key} in ` +
      `${from.store.label} is not either. What is right in ${to.store.label} was left as it is`,
    { details: { file: key } },
  );
}
