import pLimit from "p-limit";
import { type BackupLayout, metaFileNames } from "../core/backup-layout.ts";
import type { BackupPlan } from "../core/backup-plan.ts";
import type { CopyReceipt } from "../core/copy-plan.ts";
import { type ManifestPart, manifestFileOf, manifestParts, printManifestIndex } from "../core/manifest.ts";
import type { MetaFiles } from "../core/meta-files.ts";
import { pipelineVersion } from "../core/pipeline-version.ts";
import type { ObjectStore } from "../ports/object-store.ts";

/** Parts are up to 12 MB each: a few at once keep memory small. */
const partConcurrency = 4;

/** Writes the checksummed list of everything in a backup, its metas included: the parts first, the index last. */
export async function writeManifest(
  store: ObjectStore,
  layout: BackupLayout,
  plan: BackupPlan,
  receipts: readonly CopyReceipt[],
  metas: MetaFiles,
  created: Date,
): Promise<void> {
  const relative = (key: string) => key.slice(layout.root.length);
  const limit = pLimit(partConcurrency);
  const written: Promise<ManifestPart>[] = [];
  const segments = receipts.flatMap((receipt) => receipt.segments);
  for (const { description } of plan.collections) {
    const logs = segments
      .filter(({ collectionId }) => collectionId === description.id)
      .flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs]);
    const keyOf = (part: number) => relative(layout.manifestPart(description.id, part));
    for (const { part, text } of manifestParts(description.id, logs, layout.root, keyOf)) {
      written.push(
        limit(async () => {
          await store.putText(layout.root + part.key, text, { contentType: "application/jsonl" });
          return part;
        }),
      );
    }
  }
  const index = printManifestIndex({
    backupName: plan.backupName,
    backupId: plan.backupId,
    created: created.toISOString(),
    pipelineVersion,
    metas: metaFileNames.map((name) => manifestFileOf(relative(layout.meta[name]), metas[name])),
    parts: await Promise.all(written),
  });
  await store.putText(layout.manifest, index, { contentType: "application/json" });
}
