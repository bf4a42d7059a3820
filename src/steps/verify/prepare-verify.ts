import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { PrepareVerifyResult, VerifyInput, VerifyStepRequest } from "../../core/execution/messages.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { backupLayout, backupsRoot } from "../../core/format/layout.ts";
import { segmentsOf } from "../../core/format/meta.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { copyOutOfBackup, type SizedSegment } from "../../core/plan/segment-copies.ts";
import type { VerifyPlan } from "../../core/plan/verify.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { checkAllowed } from "../shared/allowed.ts";
import { takeClaim } from "../shared/backup-claim.ts";
import { writeHeld } from "../shared/held.ts";
import { pinEnvironments, pinnedEnvironment } from "../shared/pinned-environments.ts";
import { recordOf } from "../shared/planned-record.ts";
import { markReader, readerKeyOf } from "../shared/readers.ts";
import type { Instants, StoredBackup } from "../shared/stored-backup.ts";
import type { StreamedMetas } from "../shared/streamed-metas.ts";
import { writeCopyBatches, writeWorkJson } from "../shared/work-files.ts";
import { type CheckedFiles, checkFiles, lostManifest } from "./check-files.ts";
import { findVerified } from "./find-verified.ts";
import { manifestSegments } from "./manifest-segments.ts";
import { type ChosenRows, chooseRows, writeRowBatches } from "./plan-rows.ts";

/**
 * First step of a verification: keeps deletions away, reads metas and manifest to their ends, and writes what is wrong with them into the
 * plan, and the batches of what every segment must hold: by the manifest, where that can be relied on, otherwise by the metas.
 * @throws InvalidInput, BackupNotFound, BackupInUse where it is being deleted, AlreadyRunning where somebody else writes it (`seal`),
 *   CorruptBackup where its metas are incomplete, or its manifest is a later version's, CopyMismatch where it was replaced meanwhile,
 *   EnvironmentChanged, and what environments and stores throw
 */
export async function prepareVerify(request: VerifyStepRequest, context: StepContext): Promise<PrepareVerifyResult> {
  const { execution, input } = request;
  const layout = workLayout("verify", execution.name);
  checkAllowed(context.allowed, { read: input.environment });
  await pinEnvironments(context, layout, [input.environment]);
  const environment = await pinnedEnvironment(context, layout, input.environment);
  const { backupStorage } = environment;
  const store = await context.openStore(pinnedStore(environment, "backup"));
  // of one backup no more than that: a grant in another account may reach no further
  const { rootPath } = backupStorage;
  await store.checkAccess(input.backupName ? backupLayout(rootPath, input.backupName).root : backupsRoot(rootPath));
  const stored = await findVerified(request, store, backupStorage);
  const metas = await stored.streamMetas();
  const record = await recordOf(stored);
  const seal = input.seal === true;
  if (seal) await checkUnsealed(stored);
  const readerKey = readerKeyOf(stored, backupStorage, "verify", execution);
  await writeHeld(context, layout, { readerKey, ...(seal && { claimed: true }) });
  await markReader(context, stored, readerKey, execution);
  if ((await store.head(record.key))?.etag !== record.etag)
    throw stored.notFound("it was deleted or replaced just now");
  if (seal) await takeClaim(stored, { execution, purpose: "seal", accepts: async () => true }, context);

  const files = await checkFiles(stored, metas, record.key);
  checkComparable(stored, files, input);
  const rows = rowsOf(stored, files, request);
  const { plan, segments } = planOf(stored, { record, files, metas, input, rows });
  await writeWorkJson(context, layout.plan, plan);
  const ref = pinnedStore(environment, "backup");
  const copies = await writeCopyBatches(context, layout, 0, segments, {
    source: ref,
    destination: ref,
    checkLogCounts: false,
    verify: { percent: plan.percent, ...(seal && { seal }) },
    ...(seal && { claim: { key: stored.layout.claim, holder: execution.id } }),
  });
  const rowBatches =
    rows && (await writeRowBatches(context, layout, { ...rows, stored, metas }, { source: ref, rootPath }));
  const { backupName, against, totals, problems } = plan;
  context.log.info("verification planned", { backupName, against, problems: problems.length, ...copies });
  return {
    outcome: "planned",
    backupName,
    collections: totals.collections,
    ...copies,
    ...(rowBatches && { rows: rowBatches }),
  };
}

/** Which rows are read, where that was asked for and the metas can be read. */
function rowsOf(
  stored: StoredBackup,
  { outline, manifest }: CheckedFiles,
  { execution, input }: VerifyStepRequest,
): (ChosenRows & { readonly outline: BackupOutline; readonly instants: Instants }) | undefined {
  if (input.rows === undefined || outline === undefined) return undefined;
  const instants = stored.instantsOf(manifest, outline.id);
  return { ...chooseRows(outline, instants, { percent: input.rows, execution: execution.name }), outline, instants };
}

/** A manifest that is there is what a backup is compared with, and nothing to be replaced; so is what is left of one. */
async function checkUnsealed(stored: StoredBackup): Promise<void> {
  const { layout, name } = stored;
  const refused = (why: string) => {
    return new PipelineError("InvalidInput", `seal: backup ${name} in ${stored.place} ${why}`, {
      details: { key: "seal" },
    });
  };
  if ((await stored.committed()) === undefined)
    throw refused("has no full_meta.json: only a complete backup is sealed");
  if ((await stored.store.head(layout.manifest)) === undefined) {
    if (await lostManifest(stored)) throw notSealed(stored, `${layout.manifest} is missing, which it was made with`);
    return;
  }
  throw refused("has a manifest already: verify it without seal (--read-data reads its contents)");
}

/** @throws InvalidInput where contents are to be read and nothing says what they were, or where nobody knows what to seal */
function checkComparable(
  stored: StoredBackup,
  { never, problems }: CheckedFiles,
  { readData, seal }: VerifyInput,
): void {
  if (seal && !never) {
    const [problem] = problems;
    throw notSealed(stored, `${problem?.key ?? stored.layout.manifest} is ${problem?.kind ?? "missing"}`);
  }
  if (!never || readData === undefined) return;
  throw new PipelineError(
    "InvalidInput",
    `readData: backup ${stored.name} has no manifest (milvus-backup writes none), so nothing says what its objects contained. Verify it without ` +
      `--read-data (keys and sizes), or give it a manifest first: milvus-backup verify -n ${stored.name} --seal`,
    { details: { key: "readData" } },
  );
}

function notSealed({ name, place }: StoredBackup, why: string): PipelineError {
  return new PipelineError("CorruptBackup", `backup ${name} in ${place} is not sealed: ${why}`, {
    details: { key: "seal" },
  });
}

interface PlanOptions {
  readonly record: ObjectSummary;
  readonly files: CheckedFiles;
  readonly metas: StreamedMetas;
  readonly input: VerifyInput;
  readonly rows: ChosenRows | undefined;
}

function planOf(stored: StoredBackup, { record, files, metas, input, rows }: PlanOptions) {
  const { outline, manifest, listedSegments, problems, warnings, never } = files;
  const against = manifest ? "manifest" : outline ? "metas" : "nothing";
  const briefs = outline?.collection_backups.flatMap((one) => segmentsOf(one)) ?? [];
  const counts = manifest
    ? { segments: listedSegments, objects: manifest.objects, bytes: manifest.bytes }
    : {
        segments: briefs.length,
        objects: briefs.reduce((sum, { insertLogs, deltaLogs }) => sum + insertLogs + deltaLogs, 0),
        bytes: briefs.reduce((sum, { size }) => sum + Number(size), 0),
      };
  const collections =
    outline?.collection_backups.length ?? new Set(manifest?.parts.map(({ collectionId }) => collectionId)).size;
  const plan: VerifyPlan = {
    backupName: stored.name,
    ...(outline && { backupId: outline.id }),
    ...(stored.layout.source && { source: stored.layout.source }),
    record: { key: record.key, etag: record.etag },
    against,
    percent: against === "manifest" ? (input.readData ?? 0) : 0,
    seal: input.seal === true,
    problems: [...problems],
    warnings: [
      ...warnings,
      ...(never && !input.seal
        ? [`backup ${stored.name} has no manifest: its objects are compared by key and size only`]
        : []),
    ],
    totals: { collections, ...counts },
    ...(rows && { rows: rows.plan }),
  };
  const segments = manifest
    ? manifestSegments(stored, manifest)
    : against === "metas"
      ? metaSegments(stored, metas)
      : [];
  return { plan, segments: { count: counts.segments, segments } };
}

async function* metaSegments({ layout }: StoredBackup, metas: StreamedMetas): AsyncGenerator<SizedSegment> {
  for await (const { segment } of metas.segments()) yield copyOutOfBackup(segment, layout, { insert: "", delta: "" });
}
