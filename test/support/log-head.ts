/**
 * The start of a binlog as Milvus 2.3 writes it: magic number and descriptor event, as seen in the golden backup.
 * @param head hybrid timestamps, and bytes before compression
 */
export function printLogHead(head: { from: bigint; to: bigint; originalSize: number }): Buffer {
  const extra = Buffer.from(JSON.stringify({ original_size: String(head.originalSize) }));
  const fixed = Buffer.alloc(85);
  fixed.writeUInt32LE(0xfffabc, 0);
  const next = fixed.length + extra.length;
  fixed.writeInt32LE(next - 4, 13);
  fixed.writeInt32LE(next, 17);
  fixed.writeBigUInt64LE(head.from, 53);
  fixed.writeBigUInt64LE(head.to, 61);
  fixed.writeInt32LE(5, 69);
  fixed.fill(0x10, 73, 81);
  fixed.writeInt32LE(extra.length, 81);
  return Buffer.concat([fixed, extra]);
}
