import { corruptBinlog } from "../../core/binlog/corrupt.ts";
import type { PrimaryKey } from "../../core/binlog/delete-entries.ts";
import { type RowField, timestampField } from "../../core/binlog/row-fields.ts";
import type { StoredValue } from "../../core/binlog/stored-column.ts";
import { fieldValue } from "../../core/binlog/values.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { SegmentBackup } from "../../core/format/meta.ts";
import { compareLogNames, logName, segmentPath } from "../../core/plan/segment-copies.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import type { Deletes, DeltaSource } from "./deletes.ts";
import { FieldLog, type OpenLog, openLog } from "./field-log.ts";

/** So many binlogs of a segment are fetched side by side. */
const parallelLogs = 8;
/** Milvus 2.6 packs several fields into one Parquet file from this version of its storage on. */
const packedStorage = 2n;

/** A row as it is stored. */
export interface StoredRow {
  /** Hybrid: when it was written; undefined where nobody needed it. */
  readonly timestamp: bigint | undefined;
  /** @throws CorruptBackup where it is no value of the field's type */
  value(field: RowField): unknown;
  /** Without decoding it. */
  stored(field: RowField): StoredValue | null;
}

/** Which rows are wanted; what is fetched and decoded follows from it. Its fields are the very objects that the reader of rows has. */
export interface RowSelection {
  /** Whose values are asked of the rows. */
  readonly fields: readonly RowField[];
  /** Looks at rows before the other fields are fetched. */
  readonly filter?: { readonly fields: readonly RowField[]; matches(row: Pick<StoredRow, "value">): boolean };
  /** Rows have their timestamps. */
  readonly timestamps?: boolean;
  /** All rows are read, and none may be missing: the logs must hold as many as the metas say, deleted ones included. */
  readonly whole?: boolean;
}

/** What is known of the segments of a collection. */
export interface SegmentSource extends DeltaSource {
  /** Every delete that may concern rows of the segment. */
  readonly deletes: readonly Deletes[];
}

/**
 * The living rows of one segment: in the order in which they are stored, fields joined by position. In memory are the binlogs of one batch
 * (one of each field that is needed) and a window of each decoded.
 * @param atMost how many rows will be taken: a log is not looked through further than that
 * @throws CorruptBackup where logs are missing, broken, of another type than the schema says or of unequal lengths, at the end too where they hold
 *   another number of rows than they must; UnsupportedData for storage that is not read; what the store throws
 */
export async function* segmentRows(
  segment: SegmentBackup,
  source: SegmentSource,
  selection: RowSelection,
  atMost = Number.POSITIVE_INFINITY,
): AsyncGenerator<StoredRow> {
  const reader = new SegmentReader(segment, source, selection);
  let left = atMost;
  for (let batch = 0; batch < reader.batches && left > 0; batch += 1) {
    for await (const row of reader.rows(batch, left)) {
      yield row;
      left -= 1;
    }
  }
  if (selection.whole) reader.checkWhole();
}

/** Whether the rows of a segment can be read: whether it is stored in binlogs. */
export function isStorageRead({ storage_version }: Pick<SegmentBackup, "storage_version">): boolean {
  return storage_version < packedStorage;
}

/** @throws UnsupportedData for storage whose rows are not read */
export function checkStorage({
  segment_id,
  storage_version,
}: Pick<SegmentBackup, "segment_id" | "storage_version">): void {
  if (isStorageRead({ storage_version })) return;
  throw new PipelineError(
    "UnsupportedData",
    `segment ${segment_id} is stored in version ${storage_version} of Milvus's storage (packed Parquet of 2.6); ` +
      "rows are read from binlogs only. Restore the backup to look into it",
    { details: { segmentId: segment_id.toString() } },
  );
}

class SegmentReader {
  readonly batches: number;
  readonly #segment: SegmentBackup;
  /** Rows that were looked at, wanted or not. */
  #passed = 0n;
  readonly #source: SegmentSource;
  readonly #selection: RowSelection;
  readonly #keys: ReadonlyMap<RowField, readonly string[]>;
  /** What decides whether a row is wanted. */
  readonly #deciding: readonly RowField[];
  readonly #wanted: readonly RowField[];
  readonly #deletes: readonly Deletes[];

  constructor(segment: SegmentBackup, source: SegmentSource, selection: RowSelection) {
    this.#segment = segment;
    this.#source = source;
    this.#selection = selection;
    this.#deletes = source.deletes.filter(({ size }) => size > 0);
    const filtered = selection.filter?.fields ?? [];
    const judged = source.until !== undefined || this.#deletes.length > 0;
    this.#deciding = [
      ...new Set([
        ...(judged ? [timestampField] : []),
        ...(this.#deletes.length > 0 ? [source.primaryKey] : []),
        ...filtered,
      ]),
    ];
    this.#wanted = [
      ...new Set([...this.#deciding, ...(selection.timestamps ? [timestampField] : []), ...selection.fields]),
    ];
    checkStorage(segment);
    const directory = source.layout.insertLogs(segmentPath(segment));
    this.#keys = new Map(this.#wanted.map((field) => [field, logKeys(segment, field, directory)]));
    this.batches = batchesOf(segment, directory);
    for (const [field, keys] of this.#keys) this.#checkLogs(segment, field, keys.length);
  }

  /** The rows of one binlog of each field. */
  async *rows(batch: number, atMost: number): AsyncGenerator<StoredRow> {
    const logs = new Map<RowField, OpenLog>();
    await this.#fetch(batch, this.#deciding, logs);
    const chosen = this.#deciding.length === 0 ? undefined : this.#choose(logs, atMost);
    if (chosen?.length === 0) return;
    await this.#fetch(batch, this.#wanted, logs);
    const last = chosen?.at(-1);
    let next = 0;
    for (const { start, rows, at } of blocks(this.#open(logs, this.#wanted))) {
      if (chosen === undefined) {
        this.#passed += BigInt(rows);
        for (let row = 0; row < rows; row += 1) yield this.#row(this.#kept(at(row)));
      } else {
        for (; next < chosen.length && (chosen[next] ?? 0) < start + rows; next += 1) {
          yield this.#row(this.#kept(at((chosen[next] ?? 0) - start)));
        }
        if (last !== undefined && last < start + rows && chosen.length >= atMost) return;
      }
    }
  }

  /** @throws CorruptBackup where the logs that were read hold another number of rows than the metas say */
  checkWhole(): void {
    const { segment_id, num_of_rows } = this.#segment;
    if (this.#passed === num_of_rows) return;
    throw new PipelineError(
      "CorruptBackup",
      `segment ${segment_id} has ${this.#passed} rows in its logs, and ${num_of_rows} in the metas`,
      { details: { segmentId: segment_id.toString() } },
    );
  }

  /** Which rows of a batch are wanted, by position. */
  #choose(logs: ReadonlyMap<RowField, OpenLog>, atMost: number): number[] {
    const chosen: number[] = [];
    for (const { start, rows, at } of blocks(this.#open(logs, this.#deciding))) {
      this.#passed += BigInt(rows);
      for (let row = 0; row < rows; row += 1) {
        if (!this.#isWanted(at(row))) continue;
        chosen.push(start + row);
        if (chosen.length >= atMost) return chosen;
      }
    }
    return chosen;
  }

  #isWanted(cells: Cells): boolean {
    const { until, primaryKey } = this.#source;
    if (until !== undefined || this.#deletes.length > 0) {
      const timestamp = timestampOf(cells);
      if (until !== undefined && timestamp > until) return false;
      if (this.#deletes.length > 0) {
        const key = cells.stored(primaryKey) as PrimaryKey;
        if (this.#deletes.some((deletes) => deletes.covers(key, timestamp))) return false;
      }
    }
    return this.#selection.filter?.matches(this.#row(cells)) ?? true;
  }

  /** The values of a row as they are now: whoever gets it may keep it while the reader goes on. */
  #kept(cells: Cells): Cells {
    const stored = this.#wanted.filter((field) => this.#isStored(field));
    const values = new Map(stored.map((field) => [field, { value: cells.stored(field), place: cells.place(field) }]));
    const kept = (field: RowField) => {
      const found = values.get(field);
      if (found === undefined) throw new RangeError(`field ${field.name} was not asked for`);
      return found;
    };
    return { stored: (field) => kept(field).value, place: (field) => kept(field).place };
  }

  #row(cells: Cells): StoredRow {
    return {
      timestamp: this.#wanted.includes(timestampField) ? timestampOf(cells) : undefined,
      stored: (field) => (this.#isStored(field) ? cells.stored(field) : (field.absent ?? null)),
      value: (field) =>
        this.#isStored(field) ? fieldValue(field, cells.stored(field), cells.place(field)) : (field.absent ?? null),
    };
  }

  #isStored(field: RowField): boolean {
    return (this.#keys.get(field)?.length ?? 0) > 0;
  }

  #open(logs: ReadonlyMap<RowField, OpenLog>, fields: readonly RowField[]): FieldLog[] {
    return fields.flatMap((field) => {
      const log = logs.get(field);
      return log ? [new FieldLog(field, log, this.#source.payloads)] : [];
    });
  }

  async #fetch(batch: number, fields: readonly RowField[], logs: Map<RowField, OpenLog>): Promise<void> {
    const missing = fields.filter((field) => !logs.has(field));
    await settleEach(missing, parallelLogs, async (field) => {
      const key = this.#keys.get(field)?.[batch];
      if (key !== undefined) logs.set(field, await openLog(this.#source.store, key));
    });
  }

  #checkLogs(segment: SegmentBackup, field: RowField, logs: number): void {
    if (logs === this.batches || (logs === 0 && field.absent !== undefined)) return;
    throw new PipelineError(
      "CorruptBackup",
      `segment ${segment.segment_id}: field ${field.name} (${field.id}) has ${logs} binlogs, and others have ${this.batches}`,
      { details: { segmentId: segment.segment_id.toString() } },
    );
  }
}

/** The values of one row. */
interface Cells {
  stored(field: RowField): StoredValue | null;
  place(field: RowField): FieldLog["place"];
}

/** Keys and timestamps of the rows of a segment, out of one binlog of each. @throws CorruptBackup where one has more rows than the other, or is broken */
export function* rowKeys(
  logs: { readonly keys: OpenLog; readonly timestamps: OpenLog },
  primaryKey: RowField,
  payloads: PayloadReader,
): Generator<{ readonly key: PrimaryKey; readonly timestamp: bigint }> {
  const fields = [
    new FieldLog(primaryKey, logs.keys, payloads),
    new FieldLog(timestampField, logs.timestamps, payloads),
  ];
  for (const { rows, at } of blocks(fields)) {
    for (let row = 0; row < rows; row += 1) {
      const cells = at(row);
      yield { key: cells.stored(primaryKey) as PrimaryKey, timestamp: timestampOf(cells) };
    }
  }
}

/** Rows of several fields side by side, as many at a time as all of them have decoded. */
function* blocks(logs: readonly FieldLog[]): Generator<{ start: number; rows: number; at: (row: number) => Cells }> {
  const byField = new Map(logs.map((log) => [log.field, log]));
  const log = (field: RowField) => {
    const found = byField.get(field);
    if (found === undefined) throw new RangeError(`field ${field.name} was not asked for`);
    return found;
  };
  for (let start = 0; ; ) {
    const ready = logs.map((one) => one.ready());
    const rows = Math.min(...ready);
    if (rows === 0 || logs.length === 0) return checkEnds(logs, ready);
    yield {
      start,
      rows,
      at: (row) => ({ stored: (field) => log(field).at(row), place: (field) => log(field).place }),
    };
    for (const one of logs) one.advance(rows);
    start += rows;
  }
}

/** @throws CorruptBackup where one field has come to its end and another one has not */
function checkEnds(logs: readonly FieldLog[], ready: readonly number[]): void {
  const ended = logs.find((_, index) => ready[index] === 0);
  const longer = logs.find((_, index) => (ready[index] ?? 0) > 0);
  if (ended === undefined || longer === undefined) return;
  const reason = `field ${longer.field.name} has more rows than the ${ended.passed} of field ${ended.field.name} in ${ended.object}`;
  throw corruptBinlog(longer.place, reason);
}

function timestampOf(cells: Cells): bigint {
  return BigInt.asUintN(64, cells.stored(timestampField) as bigint);
}

/** The binlogs of a field in the order of their rows. */
export function logKeys(segment: SegmentBackup, { id }: Pick<RowField, "id">, directory: string): string[] {
  return segment.binlogs
    .filter(({ fieldID }) => fieldID === id)
    .flatMap(({ binlogs }) => binlogs.map(logName))
    .sort(compareLogNames)
    .map((name) => `${directory}${id}/${name}`);
}

/** How many binlogs each field has: as many as the timestamps. */
function batchesOf(segment: SegmentBackup, directory: string): number {
  return logKeys(segment, timestampField, directory).length;
}
