import { expect, test } from "vitest";
import { keyPartitionName, partitionOfKey } from "../../../../src/core/milvus/partition-key.ts";

/** Where Milvus 2.3.5 put rows with these keys, of 1,024 partitions. */
const seen: readonly [key: bigint | string, partition: number][] = [
  [0n, 764],
  [1n, 324],
  [-1n, 232],
  [42n, 318],
  [2n ** 53n + 1n, 262],
  [-(2n ** 63n), 805],
  [2n ** 63n - 1n, 191],
  [123_456_789n, 561],
  ["", 0],
  ["a", 579],
  ["tenant 1", 946],
  ["é漢字", 780],
  ["x".repeat(99), 294],
  ["x".repeat(100), 399],
  // no more than 100 bytes count, and a letter may be cut
  ["x".repeat(150), 399],
  ["é".repeat(60), 226],
  [`${"x".repeat(99)}é`, 907],
];

test.each(seen)("a row with the key %s is in the partition in which Milvus puts it", (key, partition) => {
  expect(partitionOfKey(key, 1024)).toBe(partition);
});

test("partitions of a key are named by their number", () => {
  expect(keyPartitionName(12)).toBe("_default_12");
});
