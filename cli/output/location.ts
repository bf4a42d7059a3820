import type { Environment } from "../../src/core/environment/environment.ts";
import { backupLayout } from "../../src/core/format/layout.ts";

/** Where a backup lies, for people: `bucket/root path/name/`. */
export function backupLocation({ backupStorage }: Environment, backupName: string): string {
  return `${backupStorage.bucket}/${backupLayout(backupStorage.rootPath, backupName).root}`;
}
