import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { executionNameOf } from "../../core/execution/state-machine-arn.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { type Drill, parseDrillProof } from "../../core/format/proof.ts";
import type { DrillRecord } from "../../core/plan/drill.ts";
import { findBackup } from "../shared/find-backup.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { recordOutcome } from "../shared/proofs.ts";
import type { DrillContext } from "./drill-context.ts";

/**
 * Writes down beside the backup how a drill of it ended; the last good one stays known. Only for the backup that was drilled: nothing is
 * written where it was deleted, or replaced.
 * @returns a sentence where it could not be written: who drills another account's backup may only read it, and what was replaced was not drilled
 * @throws what is transient
 */
export async function writeDrillProof(
  record: DrillRecord,
  outcome: Omit<Drill, "environment" | "executionArn">,
  context: DrillContext,
): Promise<string[]> {
  const { environment, executionArn, backupName } = record;
  const last: Drill = { ...outcome, environment, executionArn };
  try {
    const layout = workLayout("drill", executionNameOf(executionArn));
    const from = await pinnedEnvironment(context, layout, record.from);
    const store = await context.openStore(pinnedStore(from, "backup"));
    const stored = await findBackup(store, from.backupStorage, backupName);
    const found = await stored.committed();
    if (found === undefined) return [];
    if (record.committed !== undefined && found.etag !== record.committed.etag) {
      return [`backup ${backupName} in ${stored.place} was replaced while it was drilled: nothing is said of it there`];
    }
    await recordOutcome(store, stored.layout.drilled, last, { parse: parseDrillProof });
    return [];
  } catch (error) {
    if (!(error instanceof PipelineError) || error.kind === "transient") throw error;
    return [`how the drill ended could not be written beside the backup: ${messageOf(error)}`];
  }
}
