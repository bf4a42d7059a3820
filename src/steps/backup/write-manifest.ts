import type { SegmentReceipt } from "../../core/execution/copy-plan.ts";
import { pipelineVersion } from "../../core/execution/pipeline-version.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { type BackupLayout, metaFileNames } from "../../core/format/layout.ts";
import { type ManifestPart, manifestFileOf, manifestParts, printManifestIndex } from "../../core/format/manifest.ts";
import type { MetaFiles } from "../../core/format/meta-files.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { BackupPlan, PlannedCollection } from "../../core/plan/backup.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

/** Parts are up to 12 MB each: only so many are in memory at once. */
const partConcurrency = 4;

/**
 * Writes the checksummed list of everything in a backup, its metas included: the parts first, the index last.
 * @param created ISO 8601
 */
export async function writeManifest(
  { store, layout }: StoredBackup,
  plan: BackupPlan,
  collections: readonly PlannedCollection[],
  receipts: readonly SegmentReceipt[],
  metas: MetaFiles,
  created: string,
): Promise<void> {
  const relative = (key: string) => key.slice(layout.root.length);
  const printed = printParts(layout, collections, receipts);
  // A part is printed when somebody is free to write it.
  const parts = await settleEach(printed, partConcurrency, async ({ part, text }): Promise<ManifestPart> => {
    await store.putText(layout.root + part.key, text, { contentType: "application/jsonl" });
    return part;
  });
  const index = printManifestIndex({
    backupName: plan.backupName,
    backupId: plan.backupId,
    created: new Date(created).toISOString(),
    pipelineVersion,
    ...(plan.schedule && { schedule: plan.schedule }),
    instants: collections.flatMap(({ description, instant, flushed }) =>
      instant
        ? [
            {
              collectionId: description.id,
              collection: qualifiedName(description.name),
              ...instant,
              laterRows: [...(flushed?.sealedIds ?? [])],
            },
          ]
        : [],
    ),
    metas: metaFileNames.map((name) => manifestFileOf(relative(layout.meta[name]), metas[name])),
    parts,
  });
  await store.putText(layout.manifest, index, { contentType: "application/json" });
}

function* printParts(
  layout: BackupLayout,
  collections: readonly PlannedCollection[],
  receipts: readonly SegmentReceipt[],
): Generator<{ part: ManifestPart; text: string }> {
  const segments = Map.groupBy(receipts, ({ collectionId }) => collectionId);
  for (const { description } of collections) {
    const logs = (segments.get(description.id) ?? []).flatMap(({ insertLogs, deltaLogs }) => [
      ...insertLogs,
      ...deltaLogs,
    ]);
    const keyOf = (part: number) => layout.manifestPart(description.id, part).slice(layout.root.length);
    yield* manifestParts(description.id, logs, layout.root, keyOf);
  }
}
