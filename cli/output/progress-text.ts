import type { Following } from "../pipeline/follow.ts";
import { countOf, formatBytes, formatDuration } from "./format.ts";

/** What the states of the machines mean to the person who waits; waits and choices between them change nothing. */
const phases: Readonly<Record<string, string>> = {
  "Prepare Backup": "preparing",
  "Copy Segments": "copying",
  "Finalize Backup": "writing the metas",
  "Prepare Restore": "preparing",
  "Stage Segments": "staging",
  "Recreate Collections": "recreating collections",
  "Import Segments": "importing",
  "Finish Restore": "finishing",
  "Prepare Transfer": "preparing",
  "Finalize Transfer": "writing the metas",
  "Release Backup": "cleaning up after a failure",
  "Release Restore": "cleaning up after a failure",
  "Release Transfer": "cleaning up after a failure",
};

/** Turns what is known of a running execution into one line; keeps the last phase it could name. */
export function createProgressText(): (following: Following) => { phase: string; text: string } {
  let phase = "starting";
  return ({ state, progress, elapsedMilliseconds }) => {
    phase = phases[state ?? ""] ?? phase;
    const { totals, copied, imports } = progress;
    const parts: string[] = [];
    if (phase === "importing" && imports) {
      parts.push(`${imports.completed}/${countOf(imports.imports, "import")}`, `${Math.floor(imports.progress)} %`);
    } else if (totals && totals.segments > 0 && (copied.segments > 0 || phase === "copying" || phase === "staging")) {
      parts.push(`${copied.segments}/${countOf(totals.segments, "segment")}`, formatBytes(copied.bytes));
    } else if (totals) {
      parts.push(countOf(totals.collections, "collection"));
    }
    return { phase, text: [phase, ...parts, formatDuration(elapsedMilliseconds)].join("  ") };
  };
}
