import type { Environment } from "../../src/core/environment/environment.ts";
import { backupLayout } from "../../src/core/format/layout.ts";

/** An environment, or what is left of one that is not registered any more: its name. */
export type KnownEnvironment = Pick<Environment, "name"> & Partial<Environment>;

/** Where a backup lies, for people: `bucket/root path/name/`. */
export function backupLocation({ backupStorage }: Pick<Environment, "backupStorage">, backupName: string): string {
  return `${backupStorage.bucket}/${backupLayout(backupStorage.rootPath, backupName).root}`;
}

/** The same; undefined where nobody knows the environment any more. */
export function knownLocation({ backupStorage }: KnownEnvironment, backupName: string): string | undefined {
  return backupStorage && backupLocation({ backupStorage }, backupName);
}
