import { countOf, formatBytes, formatCount } from "./format.ts";
import type { ProgressDocument } from "./progress-document.ts";

/** How far an execution is, in one line. */
export function progressText(progress: ProgressDocument): string {
  return [progress.phase, ...details(progress)].join("  ");
}

function details({ phase, percent, copied, planned, imports, awaySince }: ProgressDocument): string[] {
  if (planned === undefined) return [];
  if (imports) {
    const away = awaySince === undefined ? [] : [`waiting for Milvus since ${awaySince}`];
    const done = `${formatCount(imports.completed)}/${countOf(imports.planned, "import")}`;
    return [done, ...(percent === undefined ? [] : [`${percent} %`]), ...away];
  }
  const ofSegments = ["copying", "staging", "verifying", "exporting", "writing the metas"].includes(phase);
  if (ofSegments || (phase === "restoring" && copied.segments > 0)) {
    const bytes = formatBytes(copied.bytes) + (planned.bytes === undefined ? "" : ` of ${formatBytes(planned.bytes)}`);
    return [`${formatCount(copied.segments)}/${countOf(planned.segments, "segment")}`, bytes];
  }
  return [countOf(planned.collectionCount, "collection")];
}
