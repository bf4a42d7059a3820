import type { DocumentOf } from "../documents/index.ts";
import type { Following } from "../pipeline/follow.ts";
import type { Progress } from "../pipeline/progress.ts";

export type ProgressDocument = NonNullable<DocumentOf<"execution">["progress"]>;
type Phase = ProgressDocument["phase"];

/** What the states of the machines mean to the person who waits; choices between them, which take no time, change nothing. */
const phases: Readonly<Record<string, Phase>> = {
  "Prepare Backup": "preparing",
  "Copy Segments": "copying",
  "Copy Segments Directly": "copying",
  "Copy Batch Directly": "copying",
  "Copy Gently Directly": "copying",
  "Finalize Backup": "writing the metas",
  "Prepare Drill": "preparing",
  "Run Restore": "restoring",
  "Search Drill": "searching",
  "Wait For Search": "searching",
  "Clean Drill": "dropping what was made",
  "Release Drill": "cleaning up after a failure",
  "Drill Failed": "cleaning up after a failure",
  "Prepare Export": "preparing",
  "Export Segments": "exporting",
  "Export Segments Directly": "exporting",
  "Export Batch Directly": "exporting",
  "Export Gently Directly": "exporting",
  "Finalize Export": "writing the manifest",
  "Prepare Restore": "preparing",
  "Stage Segments": "staging",
  "Stage Segments Directly": "staging",
  "Stage Batch Directly": "staging",
  "Stage Gently Directly": "staging",
  "Recreate Collections": "recreating collections",
  "Import Segments": "importing",
  "Go On Importing": "importing",
  "Wait For Imports": "importing",
  "Finish Restore": "finishing",
  "Wait For Load": "finishing",
  "Prepare Transfer": "preparing",
  "Finalize Transfer": "writing the metas",
  "Prepare Verify": "reading metas and manifest",
  "Verify Segments": "verifying",
  "Verify Segments Directly": "verifying",
  "Verify Batch Directly": "verifying",
  "Verify Gently Directly": "verifying",
  "Read Rows": "reading rows",
  "Read Rows Directly": "reading rows",
  "Read Row Batch Directly": "reading rows",
  "Read Rows Gently Directly": "reading rows",
  "Finalize Verify": "looking for what is left",
  "Release Backup": "cleaning up after a failure",
  "Release Export": "cleaning up after a failure",
  "Release Restore": "cleaning up after a failure",
  "Release Transfer": "cleaning up after a failure",
  "Release Verify": "cleaning up after a failure",
  "Backup Failed": "cleaning up after a failure",
  "Export Failed": "cleaning up after a failure",
  "Restore Failed": "cleaning up after a failure",
  "Transfer Failed": "cleaning up after a failure",
  "Verify Failed": "cleaning up after a failure",
};

/** Turns what is known of an execution into its progress, again and again; keeps the last phase it could name. */
export function createProgressDocument(): (following: Following) => ProgressDocument {
  let last: Phase = "starting";
  return ({ state, progress }) => {
    last = phases[state ?? ""] ?? last;
    const { totals, copied, restoring, loads } = progress;
    // the record says so from when all collections have their names, whether or not one is loaded
    const phase = last === "finishing" && restoring?.phase === "loading" && loads ? "loading" : last;
    const imports = isImporting(phase) && restoring?.phase === "importing" ? restoring : undefined;
    const percent = percentOf(phase, progress);
    return {
      phase,
      ...(percent !== undefined && { percent }),
      copied,
      ...(totals && {
        planned: {
          collectionCount: totals.collections,
          segments: totals.segments,
          ...(totals.bytes !== undefined && { bytes: totals.bytes }),
          ...(totals.rows !== undefined && { rows: totals.rows }),
        },
      }),
      ...(imports && { imports: { completed: imports.completed, planned: imports.imports } }),
      ...(imports?.awaySince !== undefined && { awaySince: imports.awaySince }),
    };
  };
}

/** A drill's restore is another execution: its imports are what is known of it. */
function isImporting(phase: Phase): boolean {
  return phase === "importing" || phase === "restoring";
}

/** Of the phase, in whole percent; undefined where nobody knows. */
function percentOf(phase: Phase, { totals, copied, restoring }: Progress): number | undefined {
  if (isImporting(phase) && restoring?.phase === "importing") return Math.floor(restoring.progress);
  if (!["copying", "staging", "verifying", "exporting"].includes(phase) || totals === undefined) return undefined;
  const [done, all] = totals.bytes ? [copied.bytes, totals.bytes] : [copied.segments, totals.segments];
  return all === 0 ? undefined : Math.min(100, Math.floor((100 * done) / all));
}
