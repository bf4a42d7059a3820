import { backupLayout } from "../core/backup-layout.ts";
import type { Environment } from "../core/environment.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { StepContext } from "../ports/step-context.ts";
import { acquireLease, releaseLease } from "./lease.ts";

/** Only one execution at a time may write a backup: two would mix their segments under one name. */
export async function acquireBackupLease(
  context: StepContext,
  store: ObjectStore,
  environment: Environment,
  backupName: string,
  executionArn: string,
): Promise<void> {
  await acquireLease(context, "backup", backupLeaseSubject(store, environment, backupName), executionArn);
}

/** Gives the backup name free; does nothing where another execution holds it. */
export async function releaseBackupLease(
  context: StepContext,
  store: ObjectStore,
  environment: Environment,
  backupName: string,
  executionArn: string,
): Promise<void> {
  await releaseLease(context, "backup", backupLeaseSubject(store, environment, backupName), executionArn);
}

/** What identifies a backup name among executions: where the backup lies, not which environment names it. */
export function backupLeaseSubject(store: ObjectStore, environment: Environment, backupName: string): string {
  return `${store.label} ${backupLayout(environment.backupStorage.rootPath, backupName).root}`;
}
