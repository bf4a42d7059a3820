import { type RowField, rowFields } from "../../core/binlog/row-fields.ts";
import { columnType, isWidened } from "../../core/binlog/table-file.ts";
import { pinnedStore, planBatches } from "../../core/execution/copy-plan.ts";
import { shortHash } from "../../core/execution/deterministic-id.ts";
import type {
  ExportInput,
  ExportStepRequest,
  PreparedCopies,
  PrepareExportResult,
} from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { executionNameOf } from "../../core/execution/state-machine-arn.ts";
import { type WorkLayout, workLayout } from "../../core/execution/work-layout.ts";
import { exportLayout } from "../../core/format/export-layout.ts";
import { backupLayout } from "../../core/format/layout.ts";
import { collectionSchema, type SegmentBackup, segmentBackup, segmentsOf } from "../../core/format/meta.ts";
import type { CollectionOutline } from "../../core/format/outline.ts";
import { checkNotEncrypted } from "../../core/milvus/encryption.ts";
import {
  checkBackupName,
  isSelected,
  parseCollectionSelector,
  parseQualifiedName,
  qualifiedName,
} from "../../core/milvus/names.ts";
import {
  type ExportBatch,
  type ExportedCollectionFile,
  type ExportPlan,
  type ExportSegment,
  exportIdOf,
  exportLimits,
} from "../../core/plan/export.ts";
import { checkDestination, parseDestination } from "../../core/plan/export-destination.ts";
import { copyOutOfBackup, type SizedSegment } from "../../core/plan/segment-copies.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { checkStorage } from "../rows/segment-rows.ts";
import { checkAllowed } from "../shared/allowed.ts";
import { checkInstants } from "../shared/check-instants.ts";
import { expectManifest } from "../shared/expect-manifest.ts";
import { findBackup } from "../shared/find-backup.ts";
import { writeHeld } from "../shared/held.ts";
import { pinEnvironments, pinnedEnvironment } from "../shared/pinned-environments.ts";
import { recordOf } from "../shared/planned-record.ts";
import { markReader, readerKeyOf } from "../shared/readers.ts";
import { checkEverySelectorFinds } from "../shared/select-collections.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";
import type { StreamedMetas } from "../shared/streamed-metas.ts";
import { parallelBatches, writeBatches, writeWorkJson } from "../shared/work-files.ts";
import { takeExportClaim } from "./export-claim.ts";

/** A collection that is exported. */
interface Exported {
  readonly collection: CollectionOutline;
  readonly name: string;
  readonly fields: readonly RowField[];
  readonly rows: number;
  /** Its file in the work bucket. */
  readonly key: string;
}

/** A segment on its way into a batch. */
interface PassingSegment extends SizedSegment {
  readonly record: SegmentBackup;
  readonly of: Exported;
  /** undefined for an L0 segment of all. */
  readonly partition: string | undefined;
}

/**
 * First step of an export: checks what can be wrong, keeps deletions of the backup away, takes the folder that is written to, and writes the plan
 * and the batches: what each segment's rows are read from, with what the manifest of the backup says of it.
 * @throws InvalidInput, EnvironmentNotAllowed, BackupNotFound, BackupInUse, CollectionNotFound, CorruptBackup, UnsupportedData for storage that is not read, TargetExists
 *   where the folder is not empty, AlreadyRunning, CopyMismatch where the backup was replaced meanwhile, EnvironmentChanged, and what environments
 *   and stores throw
 */
export async function prepareExport(request: ExportStepRequest, context: StepContext): Promise<PrepareExportResult> {
  const { execution, input } = request;
  const { format = "parquet", toEnvironment = input.environment } = input;
  checkAllowed(context.allowed, { transfer: toEnvironment, read: input.environment });
  const backupName = checkBackupName(input.backupName);
  const layout = workLayout("export", execution.name);
  await pinEnvironments(context, layout, [input.environment, toEnvironment]);
  const [from, to] = await settleAll([
    pinnedEnvironment(context, layout, input.environment),
    pinnedEnvironment(context, layout, toEnvironment),
  ]);
  const destination = parseDestination(input.destination, to.backupStorage);
  checkDestination(destination, to.backupStorage, [from, to]);
  const sourceRef = pinnedStore(from, "backup");
  const targetRef = { ...pinnedStore(to, "backup"), bucket: destination.bucket };
  const [source, target] = await settleAll([context.openStore(sourceRef), context.openStore(targetRef)]);
  const place = { store: target, layout: exportLayout(destination.prefix), url: destination.url };
  // of one backup and one folder no more than that: a grant may reach no further
  await settleAll([
    source.checkAccess(backupLayout(from.backupStorage.rootPath, backupName).root),
    target.checkAccess(place.layout.root),
  ]);
  const stored = await findBackup(source, from.backupStorage, backupName);
  const metas = await stored.streamMetas();
  const record = await recordOf(stored);
  const { backup, warnings } = await metas.outline();
  const exported = select(input, stored, backup.collection_backups, layout);
  for (const { collection } of exported) checkNotEncrypted(backup, collection);
  const manifest = await stored.readManifest();
  const instants = stored.instantsOf(manifest, backup.id);
  const known = manifest?.backupId === backup.id ? manifest : undefined;
  if (known !== undefined) {
    stored.checkMetas(known, metas.sha256s);
    checkInstants(stored, backup, instants);
  }
  const exportId = exportIdOf({
    ...{ backupId: backup.id, metasSha256: metas.sha256, format },
    collections: exported.map(({ name }) => name),
  });

  const readerKey = readerKeyOf(stored, from.backupStorage, "export", execution);
  await writeHeld(context, layout, { readerKey, claimed: true });
  await markReader(context, stored, readerKey, execution);
  if ((await source.head(record.key))?.etag !== record.etag)
    throw stored.notFound("it was deleted or replaced just now");
  const takenFrom = await takeExportClaim(place, { execution, exportId, backupName }, context);

  const totals = totalsOf(exported);
  const plan: ExportPlan = {
    ...{ backupName, backupId: backup.id, exportId, format, destination, totals },
    ...(stored.layout.source && { source: stored.layout.source }),
    compared: known !== undefined,
    record: { key: record.key, etag: record.etag },
    warnings: [
      ...warnings,
      ...warningsOf(exported, format),
      ...(known
        ? []
        : [
            `backup ${backupName} has no manifest: nothing says what its logs contained, they are exported as they lie there`,
          ]),
      ...exported
        .filter(({ collection }) => !instants.has(collection.collection_id.toString()))
        .map(
          ({ name }) =>
            `the backup does not say at which instant ${name} was taken: all its rows are exported, with all deletes it holds`,
        ),
    ],
    exported: exported.map(({ key }) => key),
  };
  await writeWorkJson(context, layout.plan, plan);
  const passing = passingSegments(stored, metas, exported);
  const levelZero = new LevelZero();
  const segments = levelZero.without(known ? expectManifest(stored, known, passing) : passing);
  const batches = await writeExportBatches(context, layout, segments, totals.segments, {
    source: sourceRef,
    destination: targetRef,
    claim: { key: place.layout.claim, holder: execution.id },
    backup: {
      rootPath: from.backupStorage.rootPath,
      name: backupName,
      ...(stored.layout.source && { source: stored.layout.source }),
    },
    root: place.layout.root,
    ...{ exportId, format, cancelKey: layout.cancel },
    ...(takenFrom !== undefined && { earlier: executionNameOf(takenFrom) }),
  });
  for (const one of exported) {
    const cut = instants.get(one.collection.collection_id.toString())?.instant;
    const file: ExportedCollectionFile = {
      collection: one.name,
      schema: collectionSchema.print(one.collection.schema),
      ...(cut && { instant: cut }),
      levelZero: levelZero.of(one),
      rows: one.rows,
    };
    await writeWorkJson(context, one.key, file);
  }
  context.log.info("export planned", { backupName, exportId, to: destination.url, ...batches });
  return { outcome: "planned", backupName, collections: exported.length, ...batches };
}

/** @throws CollectionNotFound, CorruptBackup, UnsupportedData */
function select(
  { collections = [] }: ExportInput,
  stored: StoredBackup,
  all: readonly CollectionOutline[],
  layout: WorkLayout,
): Exported[] {
  const selectors = collections.map(parseCollectionSelector);
  const named = all.map((collection, index) => {
    const name = qualifiedName({ database: collection.db_name, collection: collection.collection_name });
    return { collection, name, parsed: parseQualifiedName(name), index };
  });
  checkEverySelectorFinds(
    selectors,
    named.map(({ parsed }) => parsed),
    `in backup ${stored.name} in ${stored.place}`,
  );
  return named
    .filter(({ parsed }) => isSelected(selectors, parsed))
    .map(({ collection, name, index }) => {
      const segments = segmentsOf(collection).filter(({ is_l0 }) => !is_l0);
      for (const segment of segments) checkStorage(segment);
      const rows = segments.reduce((sum, { num_of_rows }) => sum + Number(num_of_rows), 0);
      return { collection, name, fields: rowFields(collection.schema), rows, key: layout.collection(0, index) };
    });
}

function totalsOf(exported: readonly Exported[]): ExportPlan["totals"] {
  const segments = exported.flatMap(({ collection }) => segmentsOf(collection)).filter(({ is_l0 }) => !is_l0);
  return {
    collections: exported.length,
    segments: segments.length,
    bytes: segments.reduce((sum, { size }) => sum + Number(size), 0),
    rows: exported.reduce((sum, { rows }) => sum + rows, 0),
  };
}

function warningsOf(exported: readonly Exported[], format: string): string[] {
  return exported.flatMap(({ name, fields }) =>
    fields.flatMap((field) => {
      const what = `field ${field.name} of ${name} is ${field.type}`;
      if (columnType(field) === undefined) return [`${what}, which is not read yet: it is in no file`];
      if (format !== "jsonl" && isWidened(field))
        return [`${what}: its numbers are written as float32, which holds each of them exactly`];
      return [];
    }),
  );
}

/** Every segment of what is exported, L0 segments too, in the order of the metas. */
async function* passingSegments(
  { layout }: StoredBackup,
  metas: StreamedMetas,
  exported: readonly Exported[],
): AsyncGenerator<PassingSegment> {
  const wanted = new Map(exported.map((one) => [one.collection.collection_id, one]));
  for await (const { segment, partition } of metas.segments()) {
    const of = wanted.get(segment.collection_id);
    if (of === undefined) continue;
    const name = partition === undefined ? undefined : of.collection.partition_backups[partition]?.partition_name;
    yield { ...copyOutOfBackup(segment, layout, { insert: "", delta: "" }), record: segment, of, partition: name };
  }
}

/** A segment as a batch has it. */
function exportSegmentOf({ segment, record }: PassingSegment): ExportSegment {
  const logs = segment.prefixes.flatMap(({ from, expect = [] }) =>
    expect.flatMap(({ path, checksum }) => (checksum === undefined ? [] : [[from + path, checksum] as const])),
  );
  return { record: segmentBackup.print(record), checksums: Object.fromEntries(logs) };
}

/** The L0 segments among those that pass by. */
class LevelZero {
  readonly #found = new Map<Exported, Record<string, ExportSegment[]>>();

  /** Those with rows, or which should have some. */
  async *without(segments: AsyncIterable<PassingSegment>): AsyncGenerator<PassingSegment> {
    for await (const passing of segments) {
      const { of, record } = passing;
      if (!record.is_l0) {
        if (record.binlogs.length > 0 || record.num_of_rows > 0n) yield passing;
        continue;
      }
      const byPartition = this.#found.get(of) ?? {};
      this.#found.set(of, byPartition);
      const list = byPartition[record.partition_id.toString()] ?? [];
      byPartition[record.partition_id.toString()] = list;
      list.push(exportSegmentOf(passing));
    }
  }

  of(exported: Exported): Record<string, ExportSegment[]> {
    return this.#found.get(exported) ?? {};
  }
}

type CommonOfBatches = Omit<ExportBatch, "batch" | "receiptKey" | "groups" | "earlierReceiptKey" | "batchHash"> & {
  /** Name of an execution that wrote the same before, and is over. */
  readonly earlier?: string;
};

function writeExportBatches(
  context: StepContext,
  layout: WorkLayout,
  segments: AsyncIterable<PassingSegment>,
  count: number,
  { earlier, ...common }: CommonOfBatches,
): Promise<PreparedCopies> {
  const planned = planBatches({ segments, count }, ({ bytes }) => bytes, {
    parallel: parallelBatches,
    minimumSegments: exportLimits.batchSegments,
    bytes: exportLimits.batchBytes,
  });
  return writeBatches(context, layout, 0, planned, async (members, name) => {
    const groups: ExportBatch["groups"] = [];
    for (const member of members) {
      const { key } = member.of;
      const partition = member.partition ?? "";
      const last = groups.at(-1);
      const same = last?.collectionKey === key && last.partition === partition;
      if (same) last.segments.push(exportSegmentOf(member));
      else groups.push({ collectionKey: key, partition, segments: [exportSegmentOf(member)] });
    }
    const what = members.map(({ of, partition = "", record }) => [of.name, partition, record.segment_id.toString()]);
    const batch: ExportBatch = {
      ...common,
      batch: name,
      batchHash: shortHash(common.exportId, JSON.stringify(exportLimits), JSON.stringify(what)),
      receiptKey: layout.receipt(name),
      ...(earlier !== undefined && { earlierReceiptKey: workLayout("export", earlier).receipt(name) }),
      groups,
    };
    await writeWorkJson(context, layout.batch(name), batch);
    return { isDone: false, segments: members.length };
  });
}
