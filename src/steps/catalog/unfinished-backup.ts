import { type Claim, claimedUntil } from "../../core/format/claim.ts";
import { checkBackupName } from "../../core/milvus/names.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { claimOf } from "../shared/backup-claim.ts";
import { findBackup } from "../shared/find-backup.ts";

/**
 * What a backup without its commit record is:
 * - `writing`: somebody writes it, and said lately that it goes on
 * - `deleting`: the same of a deletion
 * - `failed`: who wrote or deleted it is over, or was silent for too long
 * - `incomplete`: nobody says whose it is
 */
export type UnfinishedState = "writing" | "deleting" | "failed" | "incomplete";

/**
 * By its claim, as its holder may be an execution of another account.
 * @param claim undefined where there is none, or none that can be read
 * @param asked whether its holder runs, where that could be asked
 */
export function unfinishedState(claim: Claim | undefined, now: Date, asked?: "running" | "over"): UnfinishedState {
  if (claim === undefined) return "incomplete";
  const goesOn = asked === undefined ? claimedUntil(claim) > now.getTime() : asked === "running";
  if (claim.state === "failed" || !goesOn) return "failed";
  return claim.state === "deleting" ? "deleting" : "writing";
}

/**
 * What is said of a backup that is none yet, or none any more; undefined for a complete one, for one that is not there, and for one of which
 * another tool left the level metas alone: these can be read.
 * @throws InvalidInput, and what the store throws
 */
export async function findUnfinished(
  store: ObjectStore,
  place: { readonly rootPath: string },
  name: string,
): Promise<{ readonly claim: Claim | undefined } | undefined> {
  const stored = await findBackup(store, place, checkBackupName(name));
  if ((await stored.committed()) || !(await stored.looksLikeBackup())) return undefined;
  const claim = await claimOf(stored);
  if (claim === undefined && (await store.listChildren(stored.layout.metas)).objects.length > 0) return undefined;
  // committed just now: its writer takes the claim away last
  return (await stored.committed()) ? undefined : { claim };
}
