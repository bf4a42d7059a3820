import * as z from "zod";
import type { Environment, RegisteredEnvironment, StorageSettings } from "../../core/environment/environment.ts";
import { redact } from "../../core/environment/json.ts";
import { sameBucket } from "../../core/environment/storage-identity.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { RestorePlan } from "../../core/plan/planned-restore.ts";
import { restoreWorkLayout } from "../../core/plan/restore-work.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";

/** A bucket into which a run of a restore staged files. */
const stagedPlace = z.object({
  environment: z.string(),
  /** The registration it had then. */
  version: z.string(),
  /** This pipeline wrote it; it is only shown and compared. */
  storage: z.custom<StorageSettings>((value) => typeof value === "object" && value !== null),
});

/** The places of a restore but for the bucket that an environment has. */
async function stagedElsewhere(context: Pick<StepContext, "work">, restoreId: string, { storage: now }: Environment) {
  const { staged } = restoreWorkLayout(restoreId);
  const places = (await readWorkJsonIfThere(context, staged, z.array(stagedPlace))) ?? [];
  return places.filter(({ storage }) => !sameBucket(storage, now));
}

/** Writes down where a run of a restore is about to stage files: the next one may be told another bucket. */
export async function noteStaging(
  context: Pick<StepContext, "work">,
  restoreId: string,
  environment: RegisteredEnvironment,
): Promise<void> {
  const others = await stagedElsewhere(context, restoreId, environment);
  const { name, version } = environment;
  const here = { environment: name, version, storage: redact(environment).storage };
  await writeWorkJson(context, restoreWorkLayout(restoreId).staged, [...others, here]);
}

/** Forgets of a place from which everything was removed. */
export async function forgetStaging(
  context: Pick<StepContext, "work">,
  restoreId: string,
  environment: Environment,
): Promise<void> {
  const { staged } = restoreWorkLayout(restoreId);
  const others = await stagedElsewhere(context, restoreId, environment);
  if (others.length > 0) await writeWorkJson(context, staged, others);
  else await context.work.deleteKeys([staged]);
}

/**
 * Removes what earlier runs of a restore staged into other buckets than the environment has now (`minio.bucketName` was corrected).
 * @returns a sentence for each where they stay, as the store did not remove them
 */
export async function removeStagedElsewhere(
  { restoreId, stagingPrefix }: Pick<RestorePlan, "restoreId" | "stagingPrefix">,
  now: Environment,
  context: Pick<StepContext, "work" | "openStore" | "log">,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const { environment, version, storage } of await stagedElsewhere(context, restoreId, now)) {
    const { bucket, address, port } = storage;
    try {
      const store = await context.openStore({ environment, side: "milvus", version }, { earlier: true });
      await store.deletePrefix(stagingPrefix);
      context.log.info("removed what an earlier run staged into another bucket", { bucket, stagingPrefix });
    } catch (error) {
      // a store that the restore needs no more fails none
      if (!(error instanceof PipelineError)) throw error;
      warnings.push(
        `an earlier run of this restore staged files in bucket ${bucket} at ${address}:${port} below ${stagingPrefix}, where they could not be ` +
          `removed (${error.message}): remove them there yourself`,
      );
    }
  }
  return warnings;
}
