import { PipelineError } from "../../core/execution/errors.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { BackupPlan, PlannedCollection } from "../../core/plan/backup.ts";

/**
 * A fresh list of a backup under way holds every collection that its first one held: one that was dropped meanwhile must not leave it
 * without a word. One that was made again under its name takes its place, one that was renamed is itself.
 * @throws CollectionNotFound naming them
 */
export function checkStillThere(
  earlier: Pick<BackupPlan, "collections"> | undefined,
  now: readonly PlannedCollection[],
): void {
  const present = new Set(now.flatMap(({ description: { id, name } }) => [id, qualifiedName(name)]));
  const gone = (earlier?.collections ?? []).filter(
    ({ description: { id, name } }) => !present.has(id) && !present.has(qualifiedName(name)),
  );
  if (gone.length === 0) return;
  const names = shortList(gone.map(({ description }) => `${qualifiedName(description.name)} (ID ${description.id})`));
  throw new PipelineError(
    "CollectionNotFound",
    `${names} was dropped in Milvus (or renamed) while it was backed up: start the backup again with the collections that are to be in it`,
    { details: { key: "collections" } },
  );
}
