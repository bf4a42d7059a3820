import { backupLayout } from "../../src/core/format/layout.ts";
import { goldenFiles } from "./golden-backup.ts";
import type { MemoryObjectStore } from "./memory-object-store.ts";

/** Lays the golden metas and one log down under a name; `without` leaves files out. */
export function seedBackup(
  store: MemoryObjectStore,
  name: string,
  options: { without?: readonly (keyof typeof goldenFiles)[]; rootPath?: string } = {},
): void {
  const layout = backupLayout(options.rootPath ?? "backup", name);
  for (const [file, text] of Object.entries(goldenFiles) as [keyof typeof goldenFiles, string][]) {
    if (!options.without?.includes(file)) store.seed(layout.meta[file], text);
  }
  store.seed(`${layout.binlogs}insert_log/1/2/3/3/100/4`, "log");
}
