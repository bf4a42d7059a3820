import type { PrimaryKey } from "../../core/binlog/delete-entries.ts";
import { primaryKeyOf, type RowField } from "../../core/binlog/row-fields.ts";
import { kindOfChecksum } from "../../core/execution/checksum.ts";
import { checksumOf } from "../../core/execution/content-hash.ts";
import type { CopyPrefix, CopySegment, ExpectedLog } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { binlog, deltaLogsOf, fieldBinlog, type SegmentBackup, segmentBackup } from "../../core/format/meta.ts";
import type { Verification } from "../../core/plan/verification.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import { addDeletes, Deletes } from "../rows/deletes.ts";
import { type StoredRow, segmentRows } from "../rows/segment-rows.ts";

/** Segments of a partition that are read side by side, each with several requests. */
const segmentsInFlight = 4;

/** Where the rows of small partitions come from, and which of them are meant. */
export interface PartitionSource {
  readonly store: ObjectStore;
  readonly payloads: PayloadReader;
  readonly fields: readonly RowField[];
  /** Hybrid: what came later is left out. undefined: everything counts. */
  readonly until: bigint | undefined;
  readonly compares: Verification["compares"];
}

/**
 * The living rows of a partition, oldest first: a segment's deletes take the rows of their keys that are older, and nothing is later than the
 * instant. Each object is compared with what the plan says of it, by the manifest's checksum where it has one.
 * @throws CorruptBackup naming what is missing, broken or altered, and a segment with other rows than its metas say; what the store throws
 */
export async function readPartition(
  segments: readonly CopySegment[],
  source: PartitionSource,
): Promise<readonly StoredRow[]> {
  const rows = await settleEach(segments, segmentsInFlight, (segment) => readSegment(segment, source));
  return rows.flat().toSorted((one, other) => compare(one.timestamp ?? 0n, other.timestamp ?? 0n));
}

async function readSegment(segment: CopySegment, source: PartitionSource): Promise<StoredRow[]> {
  const { payloads, fields, until } = source;
  const primaryKey = primaryKeyOf(fields);
  const from = (kind: CopyPrefix["kind"]) => segment.prefixes.find((prefix) => prefix.kind === kind)?.from ?? "";
  const logs = {
    store: new ComparedLogs(segment, source),
    layout: { insertLogs: () => from("insert"), deltaLogs: () => from("delta") },
    payloads,
    primaryKey,
    until,
  };
  const record = recordOf(segment);
  const deletes = new Deletes();
  await addDeletes(deletes, record, logs);
  const rows: StoredRow[] = [];
  let stored = 0n;
  // All of them: what is deleted or later counts for whether the logs are whole.
  const every = { ...logs, until: undefined, deletes: [] };
  for await (const row of segmentRows(record, every, { fields, timestamps: true })) {
    stored += 1n;
    const timestamp = row.timestamp ?? 0n;
    const isLater = until !== undefined && timestamp > until;
    if (!isLater && !deletes.covers(row.stored(primaryKey) as PrimaryKey, timestamp)) rows.push(row);
  }
  if (stored !== record.num_of_rows) throw notWhole(segment, stored);
  return rows;
}

/** Where some rows are deleted or later, the check of what was brought would take those that are missing for them. */
function notWhole({ segmentId, rows }: CopySegment, stored: bigint): PipelineError {
  const message =
    `segment ${segmentId} of the backup has ${stored} rows in its logs, and ${rows} in the metas. Restore another backup, or discard this restore ` +
    "(restore --discard) and start it with smallPartitions: import (--small-partitions import): Milvus imports what is there";
  return new PipelineError("CorruptBackup", message, { details: { segmentId } });
}

/** A segment as the metas have it, made of what the plan has of it. */
function recordOf({ collectionId, partitionId, segmentId, rows, prefixes }: CopySegment): SegmentBackup {
  const pathsOf = (kind: CopyPrefix["kind"]) =>
    prefixes.filter((prefix) => prefix.kind === kind).flatMap(({ expect = [] }) => expect.map(({ path }) => path));
  const log = (path: string) => binlog.create({ log_path: `/${path}` });
  const fields = Map.groupBy(pathsOf("insert"), (path) => path.slice(0, path.indexOf("/")));
  return segmentBackup.create({
    collection_id: BigInt(collectionId),
    partition_id: BigInt(partitionId),
    segment_id: BigInt(segmentId),
    num_of_rows: BigInt(rows),
    binlogs: [...fields].map(([id, paths]) => fieldBinlog.create({ fieldID: BigInt(id), binlogs: paths.map(log) })),
    deltalogs: deltaLogsOf(pathsOf("delta").map(log)),
  });
}

/** The logs of a segment, each compared as it is read. */
class ComparedLogs implements Pick<ObjectStore, "getBytes" | "label"> {
  readonly label: string;
  readonly #source: PartitionSource;
  readonly #expected: ReadonlyMap<string, ExpectedLog>;
  readonly #prefixes: readonly string[];
  readonly #listings = new Map<string, Promise<ReadonlyMap<string, ObjectSummary>>>();

  constructor({ prefixes }: CopySegment, source: PartitionSource) {
    this.label = source.store.label;
    this.#source = source;
    this.#prefixes = prefixes.map(({ from }) => from);
    this.#expected = new Map(
      prefixes.flatMap(({ from, expect = [] }) => expect.map((log): [string, ExpectedLog] => [from + log.path, log])),
    );
  }

  async getBytes(key: string): Promise<Uint8Array> {
    const { store, compares } = this.#source;
    const object = await this.#find(key);
    const bytes = await store.readRange(object, { offset: 0, size: object.size });
    const expected = this.#expected.get(key);
    if (compares === "nothing" || expected === undefined) return bytes;
    const problem =
      bytes.length !== expected.size
        ? `it has ${bytes.length} bytes instead of ${expected.size}`
        : compares === "contents" && isOther(bytes, expected.checksum)
          ? `its content is not that of the manifest (${expected.checksum})`
          : undefined;
    if (problem === undefined) return bytes;
    const message = `${key} in ${store.label} was altered: ${problem}. Restore another backup, or leave out what is broken`;
    throw new PipelineError("CorruptBackup", message, { details: { object: key } });
  }

  /** One listing of a prefix tells the versions of all its logs. @throws ObjectNotFound */
  async #find(key: string): Promise<ObjectSummary> {
    const { store } = this.#source;
    for (const prefix of this.#prefixes) {
      if (!key.startsWith(prefix)) continue;
      const listing = this.#listings.get(prefix) ?? listed(store, prefix);
      this.#listings.set(prefix, listing);
      const object = (await listing).get(key);
      if (object !== undefined) return object;
    }
    throw new PipelineError("ObjectNotFound", `${key} is not there in ${store.label}`, { details: { key } });
  }
}

/** What is listed below a prefix, by key. */
async function listed(store: ObjectStore, prefix: string): Promise<ReadonlyMap<string, ObjectSummary>> {
  const objects = new Map<string, ObjectSummary>();
  for await (const object of store.list(prefix)) objects.set(object.key, object);
  return objects;
}

/** Whether a content is another one; false too where the checksum is of a kind that nobody here can compute. */
function isOther(bytes: Uint8Array, checksum: string | undefined): boolean {
  if (checksum === undefined) return false;
  const found = checksumOf(bytes, kindOfChecksum(checksum));
  return found !== undefined && found !== checksum;
}

function compare(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
