import { PipelineError } from "../../core/execution/errors.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { PlannedRestore } from "../../core/plan/planned-restore.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { ImportRecords } from "./import-records.ts";

/**
 * Names change hands: what is imported or inserted goes into the very collection that was recorded, or nowhere.
 * @throws ImportFailed where another one has its name
 */
export async function checkStillThere(
  milvus: Milvus,
  records: ImportRecords,
  collection: PlannedRestore,
): Promise<void> {
  const { id } = await milvus.describeCollection(collection.working);
  if (id === records.made(collection).id) return;
  throw new PipelineError(
    "ImportFailed",
    `${qualifiedName(collection.working)} in Milvus at ${milvus.address} is not the collection that the restore made: somebody dropped that and made ` +
      "another. Nothing was imported into it; start the same restore again when nobody else works there",
  );
}
