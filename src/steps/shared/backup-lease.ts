import type { Environment } from "../../core/environment/environment.ts";
import { backupLayout } from "../../core/format/layout.ts";
import type { ObjectStore } from "../../ports/object-store.ts";

/**
 * What identifies a backup name among executions: where the backup lies, not which environment names it. Only one execution at a
 * time may write a backup: two would mix their segments under one name.
 */
export function backupLeaseSubject(store: ObjectStore, environment: Environment, backupName: string): string {
  return `${store.label} ${backupLayout(environment.backupStorage.rootPath, backupName).root}`;
}
