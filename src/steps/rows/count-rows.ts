import { isBinlogFault } from "../../core/binlog/corrupt.ts";
import { type RowField, timestampField } from "../../core/binlog/row-fields.ts";
import type { ObjectProblem } from "../../core/execution/copy-plan.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { SegmentBackup } from "../../core/format/meta.ts";
import { segmentPath } from "../../core/plan/segment-copies.ts";
import type { DeltaSource } from "./deletes.ts";
import { countedRows, openLog } from "./field-log.ts";
import { logKeys } from "./segment-rows.ts";

/** Logs are read side by side where a segment is small, as a request takes longer than what comes of it. */
const parallel = { small: 8, large: 2, gentle: 1 } as const;
const largeSegment = 256 * 2 ** 20;

/** What the logs of a segment hold. */
export interface SegmentCounts {
  /** As its timestamps say it. */
  readonly rows: number;
  /** Everything that is wrong, each by its object. */
  readonly problems: readonly ObjectProblem[];
}

/** One log of a field. */
interface CountedLog {
  readonly object: string;
  /** undefined of one with a problem. */
  readonly rows: number | undefined;
}

/**
 * Reads every log of every field of a segment and counts its rows, to the end whatever is wrong: each log must be a binlog of the type that the schema
 * says, with as many rows as the timestamps beside it, and all together must have as many as the metas say.
 * @param fields of the schema
 * @param options.gently one log at a time, whatever its size
 * @throws what the store throws: a fault is no problem of the backup
 */
export async function countSegment(
  segment: SegmentBackup,
  fields: readonly RowField[],
  source: DeltaSource,
  options: { readonly gently: boolean },
): Promise<SegmentCounts> {
  const directory = source.layout.insertLogs(segmentPath(segment));
  const problems: ObjectProblem[] = [];
  const wrong = (key: string, detail: string) => void problems.push({ key, kind: "inconsistent", detail });
  const known = new Map([timestampField, ...fields].map((field) => [field.id, field]));
  const required = [...known.values()].filter(({ absent }) => absent === undefined).map(({ id }) => id);
  const ids = new Set([timestampField.id, ...required, ...segment.binlogs.map(({ fieldID }) => fieldID)]);
  const logs = [...ids].map((id) => ({ id, keys: logKeys(segment, { id }, directory) }));
  const atOnce = options.gently
    ? parallel.gentle
    : Number(segment.size) > largeSegment
      ? parallel.large
      : parallel.small;
  const all = logs.flatMap(({ id, keys }) => keys.map((object) => ({ id, object })));
  const answers = await settleEach(all, atOnce, async ({ id, object }) => {
    try {
      return { object, rows: countedRows(await openLog(source.store, object), known.get(id), source.payloads) };
    } catch (error) {
      problems.push(problemOf(error, object));
      return { object, rows: undefined };
    }
  });
  const counted = new Map<string, CountedLog>(answers.map((answer) => [answer.object, answer]));
  const columns = logs.map(({ id, keys }) => ({
    id,
    name: nameOf(known.get(id), id),
    logs: keys.flatMap((key) => counted.get(key) ?? []),
  }));
  const [timestamps, ...others] = columns;
  const expected = timestamps?.logs ?? [];
  for (const { id, name, logs: found } of others) {
    if (found.length !== expected.length) {
      if (found.length === 0 && known.get(id)?.absent !== undefined) continue;
      wrong(
        `${directory}${id}/`,
        `field ${name} has ${found.length} logs, and ${timestampField.name} ${expected.length}`,
      );
      continue;
    }
    for (const [index, { object, rows }] of found.entries()) {
      const beside = expected[index];
      if (rows === undefined || beside?.rows === undefined || rows === beside.rows) continue;
      wrong(object, `field ${name} has ${rows} rows, and ${timestampField.name} ${beside.rows} (${beside.object})`);
    }
  }
  const rows = expected.reduce((sum, log) => sum + (log.rows ?? 0), 0);
  const isKnown = expected.every((log) => log.rows !== undefined);
  if (isKnown && BigInt(rows) !== segment.num_of_rows) {
    wrong(
      directory,
      `segment ${segment.segment_id} has ${rows} rows in its logs, and ${segment.num_of_rows} in the metas`,
    );
  }
  return { rows, problems };
}

/**
 * What a broken binlog is as a problem of a verification.
 * @param object that was read
 * @throws the error itself where it is another one: of that nothing is said of the backup
 */
export function problemOf(error: unknown, object: string): ObjectProblem {
  if (!isBinlogFault(error)) throw error;
  const { details, message, cause } = error;
  const key = typeof details.object === "string" ? details.object : object;
  const isMissing = details.offset === undefined && isObjectNotFound(cause);
  if (isMissing) return { key, kind: "missing", detail: "" };
  return {
    key,
    kind: "inconsistent",
    detail: message.startsWith(`${key}, `) ? message.slice(key.length + 2) : message,
  };
}

/** Whether a fault came of an object that is not there. */
export function isObjectNotFound(cause: unknown): boolean {
  return cause instanceof Error && cause.name === "ObjectNotFound";
}

function nameOf(field: RowField | undefined, id: bigint): string {
  return field === undefined ? id.toString() : `${field.name} (${id})`;
}
