import { type RowField, rowFields } from "../../core/binlog/row-fields.ts";
import { columnType, tellColumnType } from "../../core/binlog/table-file.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { countOf } from "../../core/execution/count-of.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { fittingWarnings } from "../../core/execution/fitting.ts";
import type { ExportStepRequest, FinalizeExportResult } from "../../core/execution/messages.ts";
import { pipelineVersion } from "../../core/execution/pipeline-version.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { type WorkLayout, workLayout } from "../../core/execution/work-layout.ts";
import { exportLayout } from "../../core/format/export-layout.ts";
import {
  type ExportedCollection,
  type ExportedField,
  type ExportHead,
  parseExportManifest,
  printExportManifest,
} from "../../core/format/export-manifest.ts";
import { collectionSchema } from "../../core/format/meta.ts";
import { parseFile } from "../../core/format/meta-codec.ts";
import {
  type ExportPlan,
  exportedCollectionFile,
  exportPlan,
  exportReceipt,
  type WrittenFile,
} from "../../core/plan/export.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { confirmClaim } from "../shared/claim.ts";
import { readHeld } from "../shared/held.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { checkRecord } from "../shared/planned-record.ts";
import { unmarkReader } from "../shared/readers.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readReceipts, readWorkJson } from "../shared/work-files.ts";
import { writePieces } from "../shared/write-pieces.ts";
import { type ExportPlace, listExportFiles, releaseExportClaim } from "./export-claim.ts";

/**
 * Last step of an export: one listing must hold every file that the batches wrote, as they wrote it, and nothing else; then the manifest is
 * written, whose appearance makes the export. What an attempt left that was planned otherwise is removed.
 * @throws CopyMismatch where a file is missing or another one, a batch was not written, or the backup was replaced meanwhile; BackupNotFound where
 *   that was deleted; TargetExists where something else lies there; StoreBusy where nobody's manifest is there in the end; ClaimLost, EnvironmentChanged
 */
export async function finalizeExport(request: ExportStepRequest, context: StepContext): Promise<FinalizeExportResult> {
  const { execution, input } = request;
  const layout = workLayout("export", execution.name);
  const [plan, from, to] = await settleAll([
    readWorkJson(context, layout.plan, exportPlan),
    pinnedEnvironment(context, layout, input.environment),
    pinnedEnvironment(context, layout, input.toEnvironment ?? input.environment),
  ]);
  const { destination } = plan;
  const [source, target] = await settleAll([
    context.openStore(pinnedStore(from, "backup")),
    context.openStore({ ...pinnedStore(to, "backup"), bucket: destination.bucket }),
  ]);
  const place: ExportPlace = { store: target, layout: exportLayout(destination.prefix), url: destination.url };
  const written = await readWritten(context, layout);
  const collections = await collectionsOf(plan, written.files, context);
  const result = resultOf(plan, collections, written);
  if (!(await isComplete(place, execution.id))) {
    const claim = { key: place.layout.claim, holder: execution.id };
    await confirmClaim(target, claim, context);
    await settleFiles(place, plan.exportId, written.files);
    const stored = new StoredBackup(source, from.backupStorage, plan.backupName, plan.source);
    await checkRecord(stored, plan.record, {
      meanwhile: "while it was exported",
      result: "what was read of it is no export",
      again: "export",
    });
    await confirmClaim(target, claim, context);
    await writeManifest(place, { plan, result, executionArn: execution.id, created: context.clock.now() }, collections);
  }
  await releaseExportClaim(place, execution.id);
  await unmarkReader(context, (await readHeld(context, layout))?.readerKey);
  return { ...result, warnings: fittingWarnings(result.warnings, `the manifest in ${destination.url}`) };
}

interface Written {
  readonly files: readonly WrittenFile[];
  readonly uncompared: number;
}

async function readWritten(context: StepContext, layout: WorkLayout): Promise<Written> {
  const files: WrittenFile[] = [];
  let uncompared = 0;
  for await (const receipt of readReceipts(context, layout, 0, exportReceipt)) {
    if (receipt.outcome !== "copied") {
      throw new PipelineError(
        "CopyMismatch",
        `batch ${receipt.batch} was not exported to its end: the execution was stopped; the same command goes on`,
      );
    }
    files.push(...receipt.files);
    uncompared += receipt.uncompared;
  }
  return { files, uncompared };
}

async function collectionsOf(
  { exported, format }: ExportPlan,
  files: readonly WrittenFile[],
  context: StepContext,
): Promise<ExportedCollection[]> {
  const byCollection = Map.groupBy(files, ({ collection }) => collection);
  const collections: ExportedCollection[] = [];
  for (const key of exported) {
    const { collection, schema, instant, rows: stored } = await readWorkJson(context, key, exportedCollectionFile);
    const own = byCollection.get(collection) ?? [];
    const rows = sum(own, ({ rows }) => rows);
    collections.push({
      collection,
      ...(instant && { instant }),
      fields: rowFields(parseFile(collectionSchema, schema, key).value).map((field) => described(field, format)),
      rows,
      leftOut: Math.max(0, stored - rows),
      bytes: sum(own, ({ bytes }) => bytes),
      files: own.map(({ file, partition, rows, bytes, sha256 }) => ({ file, partition, rows, bytes, sha256 })),
    });
  }
  return collections;
}

function described(field: RowField, format: ExportPlan["format"]): ExportedField {
  const { name, type, elementType, dim, isPrimaryKey } = field;
  const column = columnType(field);
  return {
    field: name,
    type,
    ...(elementType !== undefined && { elementType }),
    ...(dim !== undefined && { dim }),
    ...(isPrimaryKey && { isPrimaryKey }),
    ...(column && { storedAs: format === "jsonl" ? "json" : tellColumnType(column) }),
  };
}

function resultOf(
  { backupName, format, destination, warnings, compared }: ExportPlan,
  collections: readonly ExportedCollection[],
  { files, uncompared }: Written,
): FinalizeExportResult {
  const notCompared =
    compared && uncompared > 0
      ? [
          `${countOf(uncompared, "log")} could not be compared with the backup's manifest, which has no such checksum that can be computed here`,
        ]
      : [];
  return {
    outcome: "exported",
    backupName,
    format,
    destination: destination.url,
    collections: collections.length,
    rows: sum(collections, ({ rows }) => rows),
    leftOut: sum(collections, ({ leftOut }) => leftOut),
    files: files.length,
    bytes: sum(files, ({ bytes }) => bytes),
    warnings: [...warnings, ...notCompared],
  };
}

/** Whether this very execution has written the manifest already. @throws TargetExists where another one has */
async function isComplete({ store, layout, url }: ExportPlace, executionArn: string): Promise<boolean> {
  const text = await store.getTextIfPresent(layout.manifest);
  if (text === undefined) return false;
  if (parseExportManifest(text)?.executionArn === executionArn) return true;
  throw new PipelineError("TargetExists", `${url} holds another export by now: this one is not complete`, {
    details: { key: "destination" },
  });
}

/** @throws CopyMismatch, TargetExists */
async function settleFiles(place: ExportPlace, exportId: string, files: readonly WrittenFile[]): Promise<void> {
  const there = await listExportFiles(place, exportId);
  for (const { file, bytes, etag } of files) {
    const found = there.get(file);
    if (found?.size !== bytes || found.etag !== etag) {
      throw new PipelineError(
        "CopyMismatch",
        `${place.url}${file} is ${found ? "not what was written there" : "gone"}: somebody else changes what lies there; the same command writes it again`,
        { details: { key: file } },
      );
    }
    there.delete(file);
  }
  await place.store.deleteKeys([...there.values()].map(({ key }) => key));
}

interface Told {
  readonly plan: ExportPlan;
  readonly result: FinalizeExportResult;
  readonly executionArn: string;
  readonly created: Date;
}

async function writeManifest(
  place: ExportPlace,
  { plan, result, executionArn, created }: Told,
  collections: readonly ExportedCollection[],
): Promise<void> {
  const { backupName, backupId, exportId, format } = plan;
  const { rows, leftOut, bytes, warnings } = result;
  const head: ExportHead = {
    ...{ kind: "milvus-backup-export", version: 1 },
    ...{ exportId, backupName, backupId, format, created: created.toISOString(), pipelineVersion, executionArn },
    ...{ rows, leftOut, bytes, warnings },
  };
  const pieces = printExportManifest(head, collections);
  const options = { contentType: "application/json", ifAbsent: true };
  if (await writePieces(place.store, place.layout.manifest, pieces, options)) return;
  if (await isComplete(place, executionArn)) return;
  // S3 answers 409 while another write of the key is under way, which may come to nothing.
  throw new PipelineError(
    "StoreBusy",
    `${place.layout.manifest} in ${place.store.label} was just written, and is not there`,
    {
      details: { key: place.layout.manifest },
    },
  );
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
