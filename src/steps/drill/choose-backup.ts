import { PipelineError } from "../../core/execution/errors.ts";
import type { DrillInput } from "../../core/execution/messages.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { ManifestIndex } from "../../core/format/manifest.ts";
import { checkBackupName } from "../../core/milvus/names.ts";
import { chooseCandidate, type DrillCandidate } from "../../core/plan/drill.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { createdAtOf } from "../catalog/list-backups.ts";
import { findBackup, storedBackups } from "../shared/find-backup.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

const concurrency = 8;

interface Candidate extends DrillCandidate {
  readonly stored: StoredBackup;
}

/**
 * The backup that a drill proves: the one it names, or one of those that lie there.
 * @param from the environment whose backups are meant, as it is registered
 * @throws BackupNotFound where there is none that is complete, InvalidInput, and what the store throws
 */
export async function chooseBackup(
  store: ObjectStore,
  place: { readonly rootPath: string },
  input: Pick<DrillInput, "backupName" | "of" | "pick">,
  { from, executionArn }: { readonly from: string; readonly executionArn: string },
): Promise<StoredBackup> {
  if (input.backupName !== undefined) {
    const named = await findBackup(store, place, checkBackupName(input.backupName));
    if ((await named.committed()) === undefined) throw named.notFound("milvus-backup list shows what is there");
    return named;
  }
  const looked = await settleEach(await storedBackups(store, place), concurrency, (stored) =>
    candidate(stored, input.of, from),
  );
  const candidates = looked.filter((one) => one !== undefined);
  const chosen = chooseCandidate(candidates, input.pick ?? "newest", executionArn);
  if (chosen !== undefined) return chosen.stored;
  const which = input.of === undefined ? "" : ` of schedule ${input.of} (environment ${from})`;
  throw new PipelineError(
    "BackupNotFound",
    `there is no complete backup${which} in ${store.label} under ${place.rootPath || "its root"}: nothing can be drilled before one is`,
    { details: { key: input.of === undefined ? "from" : "of" } },
  );
}

/** undefined for what is not complete, or not of the schedule. One whose manifest is damaged is its schedule's, as far as its name tells. */
async function candidate(stored: StoredBackup, of: string | undefined, from: string): Promise<Candidate | undefined> {
  if ((await stored.committed()) === undefined) return undefined;
  const manifest = await readable(() => stored.readManifest());
  const { name } = stored;
  if (manifest === "damaged") {
    // Its name has the schedule's and the time in front of everything else.
    return of === undefined || name.startsWith(`${of}_`)
      ? { stored, name, created: await createdOf(stored) }
      : undefined;
  }
  if (of !== undefined && !isOf(manifest, of, from)) return undefined;
  const created = manifest === undefined ? await createdOf(stored) : new Date(manifest.created);
  return { stored, name, created };
}

function isOf(manifest: ManifestIndex | undefined, of: string, from: string): boolean {
  return manifest?.schedule?.name === of && manifest.schedule.environment === from;
}

async function createdOf(stored: StoredBackup): Promise<Date | undefined> {
  const brief = await readable(() => stored.readBrief());
  return brief === "damaged" ? undefined : createdAtOf(brief);
}

async function readable<T>(read: () => Promise<T>): Promise<T | "damaged"> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof PipelineError && ["CorruptBackup", "BackupNotFound"].includes(error.name)) return "damaged";
    throw error;
  }
}
