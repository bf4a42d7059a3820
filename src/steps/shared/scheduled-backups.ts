import type { ScheduledBackup } from "../../core/deployment/retention.ts";
import { countOf } from "../../core/execution/count-of.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { MadeBySchedule, ManifestIndex } from "../../core/format/manifest.ts";
import type { Verification } from "../../core/format/proof.ts";
import { manifestMadeBy } from "./made-by.ts";
import { missingObjects } from "./missing-objects.ts";
import { readVerification } from "./proofs.ts";
import type { StoredBackup } from "./stored-backup.ts";

/** A backup that a schedule made, complete or not. */
export interface FoundScheduledBackup extends ScheduledBackup {
  readonly stored: StoredBackup;
  readonly manifest: ManifestIndex;
  readonly committed: boolean;
  /** What the last verification of it said, where it found it damaged: a sentence without a subject. */
  readonly damage?: string;
}

/** undefined for what this schedule did not make, or did not begin to commit. */
export async function scheduledBackup(
  stored: StoredBackup,
  madeBy: MadeBySchedule,
): Promise<FoundScheduledBackup | undefined> {
  const { layout, name } = stored;
  const manifest = await manifestMadeBy(stored, madeBy);
  if (manifest === undefined) return undefined;
  const committed = await stored.committed();
  const proof = committed && (await readVerification(stored));
  const damage = proof?.last.outcome === "failed" ? damageOf(proof.last) : undefined;
  const listed = manifest.metas.find(({ key }) => layout.absolute(key) === layout.meta.full_meta);
  const isListed = committed !== undefined && committed.size === listed?.size;
  return {
    stored,
    manifest,
    name,
    created: new Date(manifest.created),
    committed: committed !== undefined,
    good: isListed && damage === undefined,
    damaged: isListed && damage !== undefined,
    verified: proof?.last.outcome === "passed",
    ...(damage !== undefined && { damage }),
  };
}

function damageOf({ at, problems }: Verification): string {
  return `its verification of ${at} found ${countOf(problems, "problem")}`;
}

/** What of a backup's objects is missing or of another size, by one listing of its folder; undefined where it is whole. */
export async function problemOfObjects(stored: StoredBackup, manifest: ManifestIndex): Promise<string | undefined> {
  try {
    const missing = await missingObjects(stored, manifest);
    return missing.length === 0 ? undefined : `${missing.join(", ")} missing or of another size`;
  } catch (error) {
    if (!(error instanceof PipelineError) || !["CorruptBackup", "ObjectNotFound"].includes(error.name)) throw error;
    return error.message;
  }
}
