import { describe, expect, test } from "vitest";
import type { PrimaryKey } from "../../../../src/core/binlog/delete-entries.ts";
import { buckets, KeyEntries, RepeatedKeys, rangeOf } from "../../../../src/core/binlog/key-entries.ts";
import { findRepeated } from "../../../../src/steps/verify/find-repeated.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

/** The entries of keys, each with the number of its segment. */
function entriesOf(keys: readonly (readonly [PrimaryKey, number])[]) {
  const entries = new KeyEntries();
  for (const [key, segment] of keys) entries.add(key, segment);
  return entries.take();
}

/** What is there several times in these files, read bucket by bucket. */
function repeatedIn(...files: readonly ReturnType<typeof entriesOf>[]) {
  return Array.from({ length: buckets }, (_, bucket) => {
    const table = new RepeatedKeys(files.reduce((sum, { counts }) => sum + (counts[bucket] ?? 0), 0));
    return files.flatMap(({ bytes, counts }) => {
      const { offset, size } = rangeOf(counts, bucket, bucket + 1);
      return [...table.add(bytes.subarray(offset, offset + size))];
    });
  }).flat();
}

describe("keys that are there several times", () => {
  test("are found across files, 64-bit integers to the last digit, with the segments of both", () => {
    const large = 2n ** 62n + 1n;
    const first = entriesOf([
      [1n, 0],
      [large, 0],
      [-1n, 0],
      [2n ** 32n, 0],
    ]);
    const second = entriesOf([
      [2n, 7],
      [large, 7],
      [large + 1n, 7],
      [-1n, 8],
      [0n, 7],
    ]);

    const found = repeatedIn(first, second);

    expect(found.toSorted((a, b) => Number((a.key ?? 0n) - (b.key ?? 0n)))).toEqual([
      { key: -1n, segments: [0, 8] },
      { key: large, segments: [0, 7] },
    ]);
  });

  test("of texts a hash is compared, and the text is not known", () => {
    const texts = Array.from({ length: 1_000 }, (_, index): [string, number] => [`key ${index}`, 1]);

    expect(repeatedIn(entriesOf(texts))).toEqual([]);
    expect(
      repeatedIn(
        entriesOf(texts),
        entriesOf([
          ["key 500", 2],
          ["key 1000", 2],
        ]),
      ),
    ).toEqual([{ key: undefined, segments: [1, 2] }]);
  });

  test("keys that follow each other spread over the buckets", () => {
    const { counts } = entriesOf(Array.from({ length: 100_000 }, (_, index) => [BigInt(index), 0] as const));

    expect(counts.every((count) => count > 200 && count < 600)).toBe(true);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100_000);
  });

  test("of 400,000 keys in two files every one is found that both have", async () => {
    const work = new MemoryObjectStore("work");
    const runs = [];
    for (const [index, from] of [0, 150_000].entries()) {
      const { bytes, counts } = entriesOf(
        Array.from({ length: 200_000 }, (_, at) => [BigInt(from + at) << 20n, index] as const),
      );
      work.seed(`run-${index}`, Buffer.from(bytes));
      const { etag = "" } = (await work.head(`run-${index}`)) ?? {};
      runs.push({ collection: 0, key: `run-${index}`, etag, counts: [...counts] });
    }

    const found = await findRepeated(work, runs);

    expect(found?.rows).toBe(50_000);
    expect(found?.pairs).toHaveLength(1);
    expect(found?.pairs[0]).toMatchObject({ rows: 50_000, smallest: 150_000n << 20n });
    expect(await findRepeated(work, [{ collection: 0, key: "none", etag: "", counts: [200_000_001] }])).toBeUndefined();
  });
});
