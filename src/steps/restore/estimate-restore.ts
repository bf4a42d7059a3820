import type { Environment } from "../../core/environment/environment.ts";
import { sameStore } from "../../core/environment/storage-identity.ts";
import type { RestoreInput } from "../../core/execution/messages.ts";
import { segmentsOf } from "../../core/format/meta.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { features } from "../../core/milvus/version.ts";
import { CopyLoads } from "../../core/plan/estimate.ts";
import { collectionOf, planRestore } from "../../core/plan/restore.ts";
import type { Milvus } from "../../ports/milvus.ts";
import { type EstimatedInBackup, loadOf } from "../shared/estimated-load.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";
import { importTermsOf } from "./import-terms.ts";
import { mayBeApart } from "./look-at-deletes.ts";
import { nameRestored } from "./name-restored.ts";
import { copiesOf } from "./planned-copies.ts";

export type RestoreEstimate = ReturnType<CopyLoads["cost"]> & {
  readonly collections: readonly (EstimatedInBackup & { readonly to: string })[];
  /** How many imports Milvus gets. */
  readonly imports: number;
  /** What may make it more, as sentences. */
  readonly warnings: readonly string[];
};

const laterDeletes =
  "deletes in L0 segments are read only when the restore begins: where some are of later than the instant of the backup, what they delete from is staged " +
  "with them, wherever it lies, on top of this";

/**
 * What a restore would stage, and what that costs: the plan that Prepare Restore makes, of the same metas, without a look into the logs.
 * Asks Milvus only which server it is, and writes nothing.
 * @throws BackupNotFound, CorruptBackup, CollectionNotFound, InvalidInput, and what the store throws
 */
export async function estimateRestore(
  stored: StoredBackup,
  { environment, from }: { readonly environment: Environment; readonly from: Environment },
  input: RestoreInput,
  milvus: Pick<Milvus, "version" | "importWay">,
): Promise<RestoreEstimate> {
  const metas = await stored.streamMetas();
  const { backup } = await metas.outline();
  const named = nameRestored(backup, input, stored.store.label);
  const names = named.collections;
  const instants = stored.instantsOf(await stored.readManifest(), backup.id);
  const restored = [...new Set(names.map(({ source }) => collectionOf(backup, source)))];
  const version = await milvus.version();
  const { l0End, importTimes: all } = features(version);
  const apart =
    input.metadataOnly || (l0End && !all)
      ? []
      : restored.flatMap((one) => mayBeApart(one, instants.get(one.collection_id.toString()), all));
  const { plan, segments } = planRestore(backup, named, {
    restoreId: "estimate",
    replaces: new Map(),
    version,
    ...(await importTermsOf(stored, { environment, from }, restored, milvus)),
    input,
    instants,
    kept: new Map(),
    known: new Map(),
    spread: new Map(all ? apart.map(({ segment_id }) => [segment_id.toString(), 0n]) : []),
    metas: { sha256: metas.sha256 },
    verification: { compares: "nothing", reads: false },
    warnings: [],
  });
  const loads = new CopyLoads();
  for await (const copy of copiesOf(metas, segments)) loads.add(copy);
  const isStreamed = environment.crossStorage || environment.copyMode === "streamed";
  return {
    ...loads.cost(isStreamed || !sameStore(from.backupStorage, environment.storage)),
    imports: plan.totals.imports,
    warnings: apart.length > 0 && !all ? [laterDeletes] : [],
    collections: names.map(({ source, target }) => ({
      ...loadOf(qualifiedName(source), segmentsOf(collectionOf(backup, source))),
      to: qualifiedName(target),
    })),
  };
}
