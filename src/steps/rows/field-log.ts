import { corruptBinlog } from "../../core/binlog/corrupt.ts";
import { type Binlog, readBinlog } from "../../core/binlog/frame.ts";
import type { RowField } from "../../core/binlog/row-fields.ts";
import type { StoredColumn, StoredValue } from "../../core/binlog/stored-column.ts";
import { checkColumn } from "../../core/binlog/values.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { dataTypeName } from "../../core/milvus/data-types.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { PayloadReader, PayloadWindow } from "../../ports/payload-reader.ts";

/** So many rows come first: enough for a look, and to learn how large a row is. */
const firstRows = 1_024;
/** What the rows of a window may take decoded; a larger window costs memory, a smaller one another pass over what comes before it. */
const windowBytes = 32 * 2 ** 20;
const mostRows = 1_000_000;

/** The type of VarChars in binlogs of old releases (`schemapb.DataType_String`). */
const oldText = 20;

/** What rows are read from: whole objects, named in messages. */
export type LogStore = Pick<ObjectStore, "getBytes" | "label">;

/** A binlog in memory, taken apart. */
export interface OpenLog {
  readonly object: string;
  readonly binlog: Binlog;
}

/**
 * Reads a binlog whole: its bytes stay in memory as long as it is used.
 * @throws CorruptBackup where it is missing or its frame is broken, and what the store throws
 */
export async function openLog(store: LogStore, object: string): Promise<OpenLog> {
  return { object, binlog: readBinlog(await readObject(store, object), object) };
}

async function readObject(store: LogStore, object: string): Promise<Uint8Array> {
  try {
    return await store.getBytes(object);
  } catch (cause) {
    if (!(cause instanceof PipelineError) || cause.name !== "ObjectNotFound") throw cause;
    const reason = `${object} is missing in ${store.label}: the metas of the backup name it`;
    throw new PipelineError("CorruptBackup", reason, { details: { object }, cause });
  }
}

/** The windows of all payloads of a binlog, one after the other; each with the offset of its event. */
export function* payloadWindows(
  { object, binlog }: OpenLog,
  payloads: PayloadReader,
): Generator<{ window: PayloadWindow; offset: number }> {
  for (const { offset: at, payload } of binlog.events) {
    let rows = firstRows;
    for (let offset = 0; ; ) {
      const window = readWindow(payloads, payload, { offset, rows }, { object, offset: at });
      if (window.rows > 0) yield { window, offset: at };
      if (window.rows < rows) break;
      offset += window.rows;
      rows = Math.min(mostRows, Math.max(firstRows, Math.floor(windowBytes / (window.bytes / window.rows))));
    }
  }
}

function readWindow(
  payloads: PayloadReader,
  payload: Uint8Array,
  window: { offset: number; rows: number },
  place: { object: string; offset: number },
): PayloadWindow {
  try {
    return payloads.read(payload, window);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw corruptBinlog(place, `its payload cannot be read: ${reason}`, cause);
  }
}

/**
 * How many rows a binlog holds: read to its end, and none of its values decoded. What a vector takes is compared with its dimensions.
 * @param field absent where the schema has none of that ID (row IDs, dropped fields): then its type may be any
 * @throws CorruptBackup where it cannot be read, or is of another type than the schema says
 */
export function countedRows(log: OpenLog, field: RowField | undefined, payloads: PayloadReader): number {
  if (field === undefined) {
    let rows = 0;
    for (const { window } of payloadWindows(log, payloads)) rows += window.rows;
    return rows;
  }
  const reader = new FieldLog(field, log, payloads);
  for (let rows = reader.ready(); rows > 0; rows = reader.ready()) reader.advance(rows);
  return reader.passed;
}

/** The values of one field in one binlog, row after row. */
export class FieldLog {
  readonly field: RowField;
  readonly object: string;
  readonly #windows: ReturnType<typeof payloadWindows>;
  #column: StoredColumn | undefined;
  #offset = 0;
  #at = 0;
  #passed = 0;

  /** @throws CorruptBackup where the binlog is of another type than the schema says */
  constructor(field: RowField, log: OpenLog, payloads: PayloadReader) {
    this.field = field;
    this.object = log.object;
    this.#windows = payloadWindows(log, payloads);
    const { dataType } = log.binlog.descriptor;
    if (dataType !== field.dataType && !(dataType === oldText && field.type === "VarChar")) {
      const found = `${field.type} in the schema, and its binlog is of ${dataTypeName(dataType)}`;
      throw corruptBinlog({ object: log.object, offset: 0 }, `field ${field.name} is ${found}`);
    }
  }

  /** How many rows lie behind. */
  get passed(): number {
    return this.#passed;
  }

  /** Where the values of this moment come from, for messages. */
  get place(): { object: string; offset: number } {
    return { object: this.object, offset: this.#offset };
  }

  /** How many rows can be asked for now; 0 at the end. */
  ready(): number {
    while (this.#column === undefined || this.#at >= this.#column.length) {
      const { done, value } = this.#windows.next();
      if (done) return 0;
      const [column, second] = value.window.columns;
      this.#offset = value.offset;
      if (column === undefined || second !== undefined) {
        throw corruptBinlog(this.place, `its payload has ${value.window.columns.length} columns in place of one`);
      }
      checkColumn(this.field, column, this.place);
      this.#column = column;
      this.#at = 0;
    }
    return this.#column.length - this.#at;
  }

  /** @param row counted from where the reader stands, below what is ready */
  at(row: number): StoredValue | null {
    return this.#column?.at(this.#at + row) ?? null;
  }

  advance(rows: number): void {
    this.#at += rows;
    this.#passed += rows;
  }
}
