import type { Environment } from "../../core/environment/environment.ts";
import { sameStore } from "../../core/environment/storage-identity.ts";
import { segmentsOf } from "../../core/format/meta.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { CopyLoads } from "../../core/plan/estimate.ts";
import { planTransferOf } from "../../core/plan/transfer.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { type EstimatedInBackup, loadOf } from "../shared/estimated-load.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { checkTwoPlaces } from "./two-places.ts";

export type TransferEstimate = ReturnType<CopyLoads["cost"]> & {
  readonly collections: readonly EstimatedInBackup[];
  /** Whether the destination may hold a part of it already, which would not be copied. */
  readonly isMost: boolean;
};

/**
 * What a copy of a backup would move, and what that costs, by its metas. Writes nothing.
 * @throws InvalidInput where there is nothing to move, BackupNotFound, CorruptBackup, and what the store throws
 */
export async function estimateTransfer(
  stored: StoredBackup,
  { to, destination }: { readonly to: Environment; readonly destination: ObjectStore },
  { from, plain }: { readonly from: Environment; readonly plain: boolean },
): Promise<TransferEstimate> {
  checkTwoPlaces(from, to, { plain });
  const kept = plain ? undefined : stored.layout.source;
  const copy = new StoredBackup(destination, to.backupStorage, stored.name, kept);
  const metas = await stored.streamMetas();
  const { backup } = await metas.outline();
  const loads = new CopyLoads();
  for await (const { segment } of metas.segments()) loads.add(planTransferOf(segment, stored.layout, copy.layout));
  const isStreamed = to.crossStorage || to.copyMode === "streamed";
  return {
    ...loads.cost(isStreamed || !sameStore(from.backupStorage, to.backupStorage)),
    isMost: copy.layout.shared !== undefined,
    collections: backup.collection_backups.map((collection) =>
      loadOf(
        qualifiedName({ database: collection.db_name, collection: collection.collection_name }),
        segmentsOf(collection),
      ),
    ),
  };
}
