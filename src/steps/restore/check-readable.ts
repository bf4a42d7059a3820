import { settleEach } from "../../core/execution/settle.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

const lookConcurrency = 16;

/**
 * Looks at the first log of each collection, whether it lies in an archive: before anything is staged, and before the target is touched. What lies behind
 * it is looked at when it is copied.
 * @throws ObjectArchived, with what to restore first
 */
export async function checkReadable(
  stored: StoredBackup,
  collections: readonly { readonly collection_id: bigint }[],
): Promise<void> {
  await settleEach(collections, lookConcurrency, async ({ collection_id: id }) => {
    for await (const object of stored.store.list(stored.layout.collectionInsertLogs(id.toString()))) {
      if (object.archived) await stored.store.checkReadable(object);
      return;
    }
  });
}
