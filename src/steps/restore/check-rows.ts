import { PipelineError } from "../../core/execution/errors.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { hasWorkingName, type PlannedRestore } from "../../core/plan/planned-restore.ts";
import type { CollectionRecord } from "../../core/plan/restore-work.ts";
import type { CollectionRows } from "../../core/plan/row-check.ts";
import type { Milvus } from "../../ports/milvus.ts";

/**
 * Each import must have brought the rows of its segments, as far as that can be known: with deletes, or rows from after the instant, no
 * fewer than those can have taken away. Milvus must hold what was imported.
 * @returns a warning where the rows of a collection that was there before (`skipCreate`) are not those of then and the imported ones: Milvus's count
 *   moves with everybody's writes and deletes, with compaction and expiry, and nothing tells which of these it was
 * @throws RowCountMismatch, and what Milvus throws
 */
export async function checkRows(
  milvus: Milvus,
  collection: PlannedRestore,
  rows: CollectionRows,
  { rowsBefore }: CollectionRecord,
): Promise<string[]> {
  const problem = rows.problem((await milvus.rowCount(collection.working)) - BigInt(rowsBefore));
  if (!problem) return [];
  const message = `${qualifiedName(collection.target)}: ${problem.message}`;
  if (problem.others && !collection.create) {
    return [
      `${message} beside the ${rowsBefore} that were there: each import brought its rows, so others wrote or deleted there meanwhile, or compaction took away ` +
        "what was deleted before",
    ];
  }
  const stays = hasWorkingName(collection) ? `. ${qualifiedName(collection.working)} does not get its target name` : "";
  throw new PipelineError("RowCountMismatch", message + stays);
}
