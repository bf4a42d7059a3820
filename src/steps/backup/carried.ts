import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import type { CollectionName } from "../../core/milvus/descriptions.ts";
import { type CollectionSelector, qualifiedName, wholeDatabase } from "../../core/milvus/names.ts";
import { notBackedUp, notCarriedOf, refusalOf } from "../../core/milvus/not-carried.ts";
import { unsupportedBy } from "../../core/milvus/schema-checks.ts";
import { features } from "../../core/milvus/version.ts";
import type { PlannedCollection } from "../../core/plan/backup.ts";
import { collectionRecord } from "../../core/plan/backup-records.ts";
import type { Milvus } from "../../ports/milvus.ts";

const describeConcurrency = 8;

/**
 * Refuses collections of which a backup would save half, before anything is written or flushed.
 * @throws UnsupportedData that names them all, and what Milvus throws
 */
export async function checkCarried(
  milvus: Milvus,
  version: string,
  selected: readonly CollectionName[],
): Promise<void> {
  if (!features(version).halfDescribed) return;
  const refusals = await settleEach(selected, describeConcurrency, async (name) => {
    try {
      return refusalOf(await milvus.describeCollection(name));
    } catch (error) {
      // dropped meanwhile: whoever plans it says so
      if (error instanceof PipelineError && error.name === "CollectionNotFound") return undefined;
      throw error;
    }
  });
  const refused = refusals.filter((refusal) => refusal !== undefined);
  if (refused.length === 0) return;
  throw new PipelineError(
    "UnsupportedData",
    `${shortList(refused, { separator: "; " })}: neither this pipeline nor milvus-backup backs up more than a half of that, so nothing was backed up. ` +
      "Name the other collections (collections, --collections, --filter)",
    { details: { key: "collections" } },
  );
}

/** What is told where everything is selected, be it of one database, and the server may not show it. */
export async function hiddenWarnings(
  milvus: Pick<Milvus, "listsOnlyGranted">,
  selectors: readonly CollectionSelector[],
  user: string,
): Promise<string[]> {
  const selectsAll = selectors.length === 0 || selectors.some(({ collection }) => collection === wholeDatabase);
  if (!selectsAll || !(await milvus.listsOnlyGranted())) return [];
  return [
    `Milvus lists for user ${user} only collections that one of its roles was granted something about: others are not in this backup. Give the user the role ` +
      "admin, or grant it the group CollectionReadOnly on every collection of every database (*)",
  ];
}

/**
 * What is told of a collection when it is backed up: what nothing carries, and what keeps a restore into a Milvus like this one from making it again, by
 * the very checks that a restore makes.
 */
export function notCarriedWarnings(collection: PlannedCollection, version: string): string[] {
  const name = qualifiedName(collection.description.name);
  const lost = notCarriedOf(collection.description, collection.indexes);
  const unsupported = unsupportedBy(version, collectionRecord("", collection));
  return [
    ...(lost.length > 0 ? [notBackedUp(name, lost)] : []),
    ...(unsupported.length > 0
      ? [`${name} is backed up, and this version of the pipeline will not restore it: ${unsupported.join("; ")}`]
      : []),
  ];
}
