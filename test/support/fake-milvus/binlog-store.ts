import { parquetPayloads } from "../../../src/adapters/parquet/payload-reader.ts";
import type { ObjectStore } from "../../../src/ports/object-store.ts";
import { countedRows, openLog } from "../../../src/steps/rows/field-log.ts";
import type { FieldLogs } from "./records.ts";

/** Where a server keeps its binlogs: its bucket, and what all its keys begin with (`files`). */
export interface BinlogStore {
  readonly objects: ObjectStore;
  readonly rootPath: string;
}

/** A directory of a segment's logs, as an import finds it below what it was given. */
export interface SegmentDirectory {
  /** `<dir>/<segment>/`, and the same of its deletes where there are some. */
  readonly paths: readonly string[];
}

/** How Milvus breaks a pair of directories up: by the segments below the first, with those of the second that have the same name. */
export async function segmentsBelow({ objects }: BinlogStore, paths: readonly string[]): Promise<SegmentDirectory[]> {
  const [insert = "", delta] = paths;
  const inserts = await objects.listDirectories(asDirectory(insert));
  const deltas = new Set(delta ? await objects.listDirectories(asDirectory(delta)) : []);
  return inserts.map((directory) => {
    const deltaOf = delta ? `${asDirectory(delta)}${lastPart(directory)}/` : "";
    return { paths: deltas.has(deltaOf) ? [directory, deltaOf] : [directory] };
  });
}

/** What an import made of a segment. */
export interface StoredSegment {
  readonly rows: bigint;
  readonly insertLogs: FieldLogs[];
  readonly deltaLogs: FieldLogs[];
}

/** Copies the logs of a directory to where the server keeps those of a segment, under IDs of its own. */
export async function takeSegment(
  store: BinlogStore,
  { paths }: SegmentDirectory,
  to: { collection: string; partition: string; segment: string; newId: () => string },
): Promise<StoredSegment> {
  const { objects, rootPath } = store;
  const at = `${to.collection}/${to.partition}/${to.segment}/`;
  const inserts = new Map<string, string[]>();
  const deltas: string[] = [];
  let rows = 0n;
  for (const path of paths) {
    const isDelta = path !== paths[0] || /(?:^|\/)delta_log\//.test(path);
    for await (const object of objects.list(asDirectory(path))) {
      const id = to.newId();
      const field = isDelta ? "" : fieldOf(object.key);
      const key = `${rootPath}/${isDelta ? "delta_log" : "insert_log"}/${at}${field && `${field}/`}${id}`;
      await objects.copyFrom(objects, object, key);
      if (isDelta) deltas.push(id);
      else inserts.set(field, [...(inserts.get(field) ?? []), id]);
      if (field === timestampField) rows += await rowsOf(objects, object.key);
    }
  }
  const insertLogs = [...inserts].map(([fieldID, logIDs]) => ({ fieldID, logIDs }));
  return { rows, insertLogs, deltaLogs: deltas.length > 0 ? [{ fieldID: "0", logIDs: deltas }] : [] };
}

/** Field 1: every row has one. */
const timestampField = "1";

async function rowsOf(objects: ObjectStore, key: string): Promise<bigint> {
  return BigInt(countedRows(await openLog(objects, key), undefined, parquetPayloads));
}

/** `.../<field>/<log>` */
function fieldOf(key: string): string {
  return key.split("/").at(-2) ?? "";
}

function lastPart(directory: string): string {
  return directory.split("/").at(-2) ?? "";
}

function asDirectory(path: string): string {
  return path.endsWith("/") ? path : `${path}/`;
}
