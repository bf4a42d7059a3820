import { PipelineError } from "../../core/execution/errors.ts";
import type { RestoreInput } from "../../core/execution/messages.ts";
import type { ManifestIndex } from "../../core/format/manifest.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { type SizedSegment, withoutComparison } from "../../core/plan/segment-copies.ts";
import { planVerification, type Verification } from "../../core/plan/verification.ts";
import { checkInstants } from "../shared/check-instants.ts";
import { expectManifest } from "../shared/expect-manifest.ts";
import type { Instants, StoredBackup } from "../shared/stored-backup.ts";
import type { StreamedMetas } from "../shared/streamed-metas.ts";

/** A backup whose metas were read, with the index of the manifest that lies beside them, if one does. */
interface ReadBackup {
  readonly stored: StoredBackup;
  readonly metas: StreamedMetas;
  readonly manifest: ManifestIndex | undefined;
}

/**
 * Decides how far a restore compares what it reads, and compares the metas at once: they were read.
 * @param backup as its metas tell it
 * @throws CorruptBackup where the metas, or the instants, were changed since the manifest was written, InvalidInput where contents are to be compared and
 *   the backup has no manifest
 */
export function chooseVerification(
  { stored, metas, manifest }: ReadBackup,
  backup: BackupOutline,
  instants: Instants,
  { verify, discard }: RestoreInput,
): Verification {
  if (discard) return { compares: "nothing", reads: false };
  const found = manifest === undefined ? "none" : manifest.backupId === backup.id ? "own" : "other";
  const verification = planVerification(verify, found, stored.name);
  if (verification.compares !== "nothing" && manifest !== undefined && found === "own") {
    try {
      stored.checkMetas(manifest, metas.sha256s);
      checkInstants(stored, backup, instants);
    } catch (error) {
      throw withWayOut(error, "none");
    }
  }
  return verification;
}

/**
 * Says of each copy what its objects are compared with; leaves out the segments of which nothing is to be looked at.
 * @param note gets each copy, of those that are left out too
 * @throws CorruptBackup where contents are compared and the manifest is not whole
 */
export async function* comparedCopies(
  { stored, manifest }: ReadBackup,
  { compares }: Verification,
  copies: AsyncIterable<SizedSegment>,
  note: (copy: SizedSegment) => void,
): AsyncGenerator<SizedSegment> {
  if (compares === "contents" && manifest !== undefined) {
    try {
      for await (const copy of expectManifest(stored, manifest, copies)) {
        note(copy);
        yield copy;
      }
    } catch (error) {
      throw withWayOut(error, "size");
    }
    return;
  }
  for await (const copy of copies) {
    note(copy);
    const kept = compares === "nothing" ? withoutComparison(copy) : copy;
    if (kept) yield kept;
  }
}

/** For whoever knows what was changed, and wants the backup all the same. */
function withWayOut(error: unknown, verify: "none" | "size"): unknown {
  if (!(error instanceof PipelineError) || error.name !== "CorruptBackup") return error;
  const then = verify === "none" ? "it is restored as it lies there" : "only keys and sizes are compared";
  return error.retold(`${error.message}. Restore another backup; with verify ${verify} (--verify ${verify}) ${then}`);
}
