import { type LogHead, logHeadBytes, parseLogHead } from "../../core/format/log-head.ts";
import type { ObjectStore } from "../../ports/object-store.ts";

/** Prefix of the logs of a segment that hold the timestamps of its rows (Milvus's system field 1), by that of all its insert logs. */
export function timestampLogs(insertLogs: string): string {
  return `${insertLogs}1/`;
}

/**
 * Reads the heads of the logs below a prefix, one after another; undefined for each that does not tell.
 * @throws what the store throws
 */
export async function readLogHeads(store: ObjectStore, prefix: string): Promise<(LogHead | undefined)[]> {
  const found: (LogHead | undefined)[] = [];
  for await (const object of store.list(prefix)) {
    found.push(parseLogHead(await store.readRange(object, { offset: 0, size: logHeadBytes })));
  }
  return found;
}
