import { createHash } from "node:crypto";
import * as z from "zod";
import { PipelineError } from "../execution/errors.ts";
import { type RestoreInput, restoreInput } from "../execution/messages.ts";
import { committedBackupOf } from "../format/layout.ts";
import { checkBackupName } from "../milvus/names.ts";

/** What a trigger restores, and how: the keys of a restore's input but the backup's name, which the event brings. */
export const triggeredRestore = restoreInput.omit({ backupName: true, discard: true, trigger: true });
export type TriggeredRestore = z.infer<typeof triggeredRestore>;

/** What the rule of a trigger hands to Start Triggered Restore. */
export const triggeredRestoreRequest = z.object({
  /** Name of the trigger. */
  trigger: z.string().min(1),
  /** Names of the backups it is about; `*` and `?` as in a shell. */
  backups: z.string().min(1),
  /** The root path that it is about: the wildcards of its rule match what lies in other roots below that, too. */
  prefix: z.string().optional(),
  restore: triggeredRestore,
  /** The object that was created, as S3's event has it. */
  object: z.object({ bucket: z.string().min(1), key: z.string().min(1), etag: z.string().min(1) }),
});
export type TriggeredRestoreRequest = z.infer<typeof triggeredRestoreRequest>;

/** The name of the backup that a key commits; undefined for any other key. */
export function backupNameOfKey(key: string): string | undefined {
  const root = committedBackupOf(key)?.root;
  if (root === undefined) return undefined;
  const name = root.slice(root.lastIndexOf("/") + 1);
  try {
    return checkBackupName(name);
  } catch (error) {
    // A directory of something else: what nobody could have named a backup is none.
    if (error instanceof PipelineError) return undefined;
    throw error;
  }
}

/** Whether a name matches a pattern with `*` (any characters) and `?` (one). */
export function matchesGlob(pattern: string, name: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${expression}$`).test(name);
}

/**
 * The name of the execution that a trigger starts for one version of one backup: the same however often the event comes, so that
 * Step Functions refuses to start it twice. At most 80 characters.
 */
export function triggeredExecutionName(request: Pick<TriggeredRestoreRequest, "trigger" | "object">): string {
  const { trigger, object } = request;
  const hash = createHash("sha256")
    .update(JSON.stringify([trigger, object.bucket, object.key, object.etag]))
    .digest("hex");
  const name = `${trigger}-${backupNameOfKey(object.key) ?? ""}`.replace(/[^A-Za-z0-9_-]/g, "-");
  return `${name.slice(0, 80 - 17)}-${hash.slice(0, 16)}`;
}

/** The input of that execution. */
export function triggeredRestoreInput(
  { trigger, restore }: Pick<TriggeredRestoreRequest, "trigger" | "restore">,
  backupName: string,
): RestoreInput {
  return { ...restore, backupName, trigger };
}
