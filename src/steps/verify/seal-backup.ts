import { createHash } from "node:crypto";
import type { CopyReceipt } from "../../core/execution/copy-plan.ts";
import { logsOf } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ExecutionRef } from "../../core/execution/messages.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { metaFileNames } from "../../core/format/layout.ts";
import type { ManifestFile } from "../../core/format/manifest.ts";
import type { VerifyPlan } from "../../core/plan/verify.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { confirmClaim } from "../shared/claim.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";
import { ManifestWriter } from "../shared/write-manifest.ts";

const fileConcurrency = 4;

/**
 * Gives a backup the manifest that it never had, of what was read of it: the parts first and the index last, which makes it one. No
 * instant is in it, nor anything else that nobody knows of such a backup.
 * @param read.receipts of every batch, in the order of the metas
 * @param read.stillThere throws where another backup lies there by now; asked when everything but the index is written
 * @throws what `stillThere` does, ClaimLost, BackupExists where somebody else gave it another one meanwhile
 */
export async function sealBackup(
  stored: StoredBackup,
  plan: VerifyPlan,
  { receipts, stillThere }: { receipts: AsyncIterable<CopyReceipt>; stillThere: () => Promise<void> },
  execution: ExecutionRef,
  context: Pick<StepContext, "clock">,
): Promise<void> {
  const { store, layout, name } = stored;
  if (await isSealedBy(stored, execution)) return;
  const confirm = () => confirmClaim(store, { key: layout.claim, holder: execution.id }, context);
  const manifest = new ManifestWriter(stored, { confirm });
  try {
    for await (const { segments } of receipts) {
      for (const segment of segments) await manifest.add(segment.collectionId, logsOf(segment));
    }
    const metas = await settleEach(metaFileNames, fileConcurrency, (file) => fileOf(stored, layout.meta[file]));
    await stillThere();
    const created = execution.startTime;
    const sealed = { at: new Date(created).toISOString(), executionArn: execution.id };
    const head = { backupName: name, backupId: plan.backupId ?? "" };
    const files = { metas: metas.flat(), instants: [], kept: [], created, sealed };
    if (await manifest.finish(head, files)) return;
  } catch (error) {
    await manifest.abort();
    throw error;
  }
  // an answer that was lost: it is this very one
  if (await isSealedBy(stored, execution)) return;
  throw new PipelineError(
    "BackupExists",
    `somebody else gave backup ${name} in ${stored.place} a manifest meanwhile: it was left as it is`,
    {
      details: { key: layout.manifest },
    },
  );
}

async function isSealedBy(stored: StoredBackup, execution: ExecutionRef): Promise<boolean> {
  return (await stored.readManifest())?.sealed?.executionArn === execution.id;
}

/** What the manifest says of a meta; nothing of one that is not there. */
async function fileOf({ store, layout }: StoredBackup, key: string): Promise<ManifestFile[]> {
  const found = await store.head(key);
  if (found === undefined) return [];
  const hash = createHash("sha256");
  for await (const piece of store.readText(key, { ifMatch: found.etag })) hash.update(piece);
  return [{ key: layout.relative(key), size: found.size, sha256: hash.digest("hex") }];
}
