import type { MemoryObjectStore } from "./memory-object-store.ts";

/** What lies under a key with its last byte changed: as long as before, and with the frame of a binlog still whole. */
export function altered(store: MemoryObjectStore, key: string): Buffer {
  const bytes = Buffer.from(store.bytes(key) ?? "");
  if (bytes.length === 0) throw new Error(`there is nothing to alter under ${key}`);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  return bytes;
}
