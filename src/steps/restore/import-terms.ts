import type { Environment } from "../../core/environment/environment.ts";
import { sameBucket } from "../../core/environment/storage-identity.ts";
import type { CollectionOutline } from "../../core/format/outline.ts";
import type { ImportTerms } from "../../core/plan/imports.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";
import { crowdedCollections } from "./crowded-collections.ts";

/**
 * On which terms the target Milvus imports a backup, as the two environments, the server and what lies there decide them.
 * @param collections that are restored
 * @returns with the IDs of those that it cannot read where they lie, though it can read the others
 * @throws what Milvus and the store throw
 */
export async function importTermsOf(
  stored: StoredBackup,
  { environment, from }: { readonly environment: Environment; readonly from: Environment },
  collections: readonly CollectionOutline[],
  milvus: Pick<Milvus, "importWay">,
): Promise<ImportTerms & { readonly crowded: ReadonlySet<string> }> {
  const readsInPlace = !from.crossStorage && sameBucket(from.backupStorage, environment.storage);
  return {
    backup: stored.layout,
    pairsPerJob: (await milvus.importWay()).pairsPerJob,
    readsInPlace,
    mayStream: environment.copyMode !== "server-side",
    crowded: readsInPlace ? await crowdedCollections(stored, collections) : new Set(),
  };
}
