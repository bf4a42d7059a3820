import type { Following } from "../pipeline/follow.ts";
import type { Progress } from "../pipeline/progress.ts";
import { countOf, formatBytes, formatCount } from "./format.ts";

/** What the states of the machines mean to the person who waits; waits and choices between them change nothing. */
const phases: Readonly<Record<string, string>> = {
  "Prepare Backup": "preparing",
  "Copy Segments": "copying",
  "Finalize Backup": "writing the metas",
  "Prepare Restore": "preparing",
  "Stage Segments": "staging",
  "Recreate Collections": "recreating collections",
  "Import Segments": "importing",
  "Go On Importing": "importing",
  "Finish Restore": "finishing",
  "Prepare Transfer": "preparing",
  "Finalize Transfer": "writing the metas",
  "Release Backup": "cleaning up after a failure",
  "Release Restore": "cleaning up after a failure",
  "Release Transfer": "cleaning up after a failure",
};

/** Turns what is known of a running execution into one line; keeps the last phase it could name. */
export function createProgressText(): (following: Following) => { phase: string; text: string } {
  let last = "starting";
  return ({ state, progress }) => {
    last = phases[state ?? ""] ?? last;
    const phase = last === "finishing" && progress.restoring?.phase === "loading" ? "loading" : last;
    return { phase, text: [phase, ...details(phase, progress)].join("  ") };
  };
}

function details(phase: string, { totals, copied, restoring }: Progress): string[] {
  if (totals === undefined) return [];
  if (phase === "importing" && restoring?.phase === "importing") {
    const { completed, imports, progress, awaySince } = restoring;
    const away = awaySince === undefined ? [] : [`waiting for Milvus since ${awaySince}`];
    return [`${formatCount(completed)}/${countOf(imports, "import")}`, `${Math.floor(progress)} %`, ...away];
  }
  if (phase === "copying" || phase === "staging" || phase === "writing the metas") {
    const bytes = formatBytes(copied.bytes) + (totals.bytes === undefined ? "" : ` of ${formatBytes(totals.bytes)}`);
    return [`${formatCount(copied.segments)}/${countOf(totals.segments, "segment")}`, bytes];
  }
  return [countOf(totals.collections, "collection")];
}
