import { contentHash } from "../execution/content-hash.ts";

/** Of a text Milvus hashes no more than these bytes (`typeutil.HashString2Uint32`). */
const hashedTextBytes = 100;

/**
 * The number of the partition into which Milvus puts a row by its partition key: CRC-32 of a text, MurmurHash3 of an integer
 * (`typeutil.HashKey2Partitions`, the same from 2.2.9 on).
 * @param partitions how many the collection has
 */
export function partitionOfKey(key: bigint | string, partitions: number): number {
  return (typeof key === "string" ? hashOfText(key) : hashOfInteger(key)) % partitions;
}

/** The name of such a partition. */
export function keyPartitionName(partition: number): string {
  return `_default_${partition}`;
}

function hashOfText(key: string): number {
  const hash = contentHash("crc32");
  if (hash === undefined) throw new Error("no CRC-32");
  hash.update(Buffer.from(key, "utf8").subarray(0, hashedTextBytes));
  return Buffer.from(hash.digest(), "base64").readUInt32BE(0);
}

/** MurmurHash3 (x86, 32 bits, seed 0) of the eight bytes of an integer, without its highest bit. */
function hashOfInteger(key: bigint): number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(key);
  let hash = 0;
  for (let at = 0; at < bytes.length; at += 4) {
    hash ^= rotated(Math.imul(bytes.readInt32LE(at), 0xcc9e2d51), 15, 0x1b873593);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & 0x7fffffff;
}

function rotated(word: number, bits: number, factor: number): number {
  return Math.imul((word << bits) | (word >>> (32 - bits)), factor);
}
