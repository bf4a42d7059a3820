/** What the first event of a binlog says of the whole of it. */
export interface LogHead {
  /** Hybrid timestamps of the first and the last row, or delete. */
  readonly from: bigint;
  readonly to: bigint;
  /** Bytes of the values before they were compressed: 8 for each row of an Int64 field, the texts of the deletes in a delta log. */
  readonly originalSize: bigint;
}

/** More than the descriptor event of a log has. */
export const logHeadBytes = 1024;

const magic = 0xfffabc;
const descriptorEvent = 0;
/** Offsets in a log (Milvus, internal/storage: event_header.go, event_data.go); seen in logs of 2.3.5. */
const at = { type: 12, nextEvent: 17, from: 53, to: 61, afterFixedPart: 73 } as const;

/**
 * Reads the descriptor event that a binlog of storage v1 begins with. undefined for anything else, and where it does not tell: the writers
 * that came with 2.4 leave the timestamps 0.
 */
export function parseLogHead(bytes: Uint8Array): LogHead | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < at.afterFixedPart || view.getUint32(0, true) !== magic) return undefined;
  if (view.getInt8(at.type) !== descriptorEvent) return undefined;
  const from = view.getBigUint64(at.from, true);
  const to = view.getBigUint64(at.to, true);
  const end = Math.min(view.getUint32(at.nextEvent, true), view.byteLength);
  const rest = Buffer.from(bytes.subarray(at.afterFixedPart, end)).toString("latin1");
  const size = /"original_size":"?(\d+)/.exec(rest)?.[1];
  return from === 0n || to < from || size === undefined ? undefined : { from, to, originalSize: BigInt(size) };
}
