import { createHash } from "node:crypto";
import type { ObjectProblem } from "../../core/execution/copy-plan.ts";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import {
  isLaterManifest,
  type ManifestFile,
  type ManifestIndex,
  parseManifestIndex,
} from "../../core/format/manifest.ts";
import { segmentsOf } from "../../core/format/meta.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { claimOf } from "../shared/backup-claim.ts";
import { checkInstants } from "../shared/check-instants.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";
import type { StreamedMetas } from "../shared/streamed-metas.ts";
import { countSegments } from "./manifest-segments.ts";

const fileConcurrency = 4;

/** What a backup has beside its logs, and what is wrong with it. */
export interface CheckedFiles {
  /** Without the logs of segments; undefined where the metas cannot be read. */
  readonly outline: BackupOutline | undefined;
  /** undefined where there is none, or none that can be relied on: then a problem names it. */
  readonly manifest: ManifestIndex | undefined;
  /** How many segments the manifest lists. */
  readonly listedSegments: number;
  /** There is none, and nothing says that there was: another tool's backup. */
  readonly never: boolean;
  readonly problems: readonly ObjectProblem[];
  readonly warnings: readonly string[];
}

/**
 * Reads the metas and the manifest of a backup to their ends and holds each against the other: the manifest has the SHA-256 of its parts
 * and of the metas; its own number of objects, the backup it is of and its instants are those of the metas.
 * @throws CorruptBackup for a manifest of a later version, which is not damaged; CopyMismatch where the metas were replaced meanwhile
 */
export async function checkFiles(stored: StoredBackup, metas: StreamedMetas, metaKey: string): Promise<CheckedFiles> {
  const problems: ObjectProblem[] = [];
  const read = await readMetas(metas).catch((error: unknown) => {
    problems.push({ key: metaKey, kind: "altered", detail: corruption(error) });
    return undefined;
  });
  const { index, isMissing, problem } = await readIndex(stored);
  if (problem) problems.push(problem);
  const about = { outline: read?.backup, warnings: read?.warnings ?? [] };
  if (index === undefined) {
    const never = problem === undefined && !isMissing;
    return { ...about, manifest: undefined, listedSegments: 0, never, problems };
  }

  const ofMetas = await checkMetas(stored, index);
  const { segments, problems: ofParts } = await checkParts(stored, index);
  const isReadMeta = ofMetas.every(({ key }) => key !== metaKey);
  const ofIndex = isReadMeta && read ? indexProblems(stored, index, read.backup) : [];
  // one that the manifest names is named once
  if (!isReadMeta) problems.splice(0, problems.length, ...problems.filter(({ key }) => key !== metaKey));
  problems.push(...ofMetas, ...ofIndex, ...ofParts);
  const isSound = ofIndex.length === 0 && ofParts.length === 0;
  return { ...about, manifest: isSound ? index : undefined, listedSegments: segments, never: false, problems };
}

async function readMetas(metas: StreamedMetas) {
  const { backup, warnings } = await metas.outline();
  return { backup, warnings };
}

/** What a CorruptBackup says; any other fault is none of the backup's. */
function corruption(error: unknown): string {
  if (error instanceof PipelineError && error.name === "CorruptBackup") return messageOf(error);
  throw error;
}

async function readIndex(
  stored: StoredBackup,
): Promise<{ index?: ManifestIndex; isMissing: boolean; problem?: ObjectProblem }> {
  const { store, layout } = stored;
  const text = await store.getTextIfPresent(layout.manifest);
  if (text === undefined) {
    const isMissing = await lostManifest(stored);
    const detail = "the backup was made with one";
    return { isMissing, ...(isMissing && { problem: { key: layout.manifest, kind: "missing", detail } }) };
  }
  try {
    return { index: parseManifestIndex(text, layout.manifest), isMissing: false };
  } catch (error) {
    if (isLaterManifest(text)) throw error;
    return { isMissing: false, problem: { key: layout.manifest, kind: "altered", detail: corruption(error) } };
  }
}

/**
 * Whether a backup without the index of a manifest was made with one. Parts alone are those of a backup that lost it, or what a seal left
 * under its claim: whoever seals asks before there is a claim of his own.
 */
export async function lostManifest(stored: StoredBackup): Promise<boolean> {
  const { store, layout } = stored;
  if (layout.source !== undefined) return true;
  for await (const _ of store.list(layout.manifestParts)) {
    // a seal that ended just now has no claim any more, and an index
    return (await claimOf(stored))?.purpose !== "seal" && (await store.head(layout.manifest)) === undefined;
  }
  return false;
}

/** What the metas, which are those that it was written for, say otherwise than the index. */
function indexProblems(stored: StoredBackup, index: ManifestIndex, backup: BackupOutline): ObjectProblem[] {
  const altered = (detail: string): ObjectProblem[] => [{ key: stored.layout.manifest, kind: "altered", detail }];
  if (index.backupId !== backup.id) return altered(`it is of backup ${index.backupId}, and the metas of ${backup.id}`);
  const logs = backup.collection_backups
    .flatMap((collection) => segmentsOf(collection))
    .reduce((sum, { insertLogs, deltaLogs }) => sum + insertLogs + deltaLogs, 0);
  if (index.objects !== logs) return altered(`it lists ${index.objects} objects, and the metas have ${logs}`);
  try {
    checkInstants(stored, backup, stored.instantsOf(index, backup.id));
    return [];
  } catch (error) {
    return altered(corruption(error));
  }
}

async function checkMetas({ store, layout }: StoredBackup, index: ManifestIndex): Promise<ObjectProblem[]> {
  const checked = await settleEach(index.metas, fileConcurrency, async (file) => {
    const key = layout.absolute(file.key);
    const hash = createHash("sha256");
    try {
      for await (const piece of store.readText(key)) hash.update(piece);
    } catch (error) {
      if (!(error instanceof PipelineError) || error.name !== "ObjectNotFound") throw error;
      return [await problemOf(store, key, file, "")];
    }
    if (hash.digest("hex") === file.sha256) return [];
    return [await problemOf(store, key, file, "its SHA-256 is not that of the manifest")];
  });
  return checked.flat();
}

async function checkParts(
  stored: StoredBackup,
  index: ManifestIndex,
): Promise<{ segments: number; problems: ObjectProblem[] }> {
  const problems: ObjectProblem[] = [];
  let segments = 0;
  for (const part of index.parts) {
    try {
      segments += await countSegments(stored, part);
    } catch (error) {
      problems.push(await problemOf(stored.store, stored.layout.absolute(part.key), part, corruption(error)));
    }
  }
  return { segments, problems };
}

async function problemOf(
  store: StoredBackup["store"],
  key: string,
  file: ManifestFile,
  detail: string,
): Promise<ObjectProblem> {
  const found = await store.head(key);
  if (found === undefined) return { key, kind: "missing", detail: "" };
  if (found.size >= file.size) return { key, kind: "altered", detail };
  return { key, kind: "truncated", detail: `it has ${found.size} bytes instead of ${file.size}` };
}
