import { describe, expect, test } from "vitest";
import { hybridTimestamp } from "../../../../src/core/milvus/instant.ts";
import { deletesIn, leastRows, rowsUpTo } from "../../../../src/core/plan/segment-rows.ts";
import { outlineOf } from "../../../support/outlines.ts";
import { collectionRecord, segmentRecord } from "../../../support/segment-records.ts";

const now = BigInt(Date.UTC(2026, 10, 23));
const at = (milliseconds: number, logical = 0n) => BigInt(hybridTimestamp(now + BigInt(milliseconds))) + logical;
const log = (from: bigint, to: bigint, rows: number) => ({ from, to, originalSize: BigInt(8 * rows) });
const instant = { timestamp: `${at(0, 7n)}`, time: "2026-11-23T00:00:00.000Z" };

describe("the rows up to an instant", () => {
  test.each([
    ["of a log that ends before it are all", [log(at(-900), at(-5), 10)], 10n],
    ["of one that goes on behind it are its first one at least", [log(at(-900), at(5), 10)], 1n],
    ["of one that begins behind it are none", [log(at(5), at(9), 10)], 0n],
    ["are those at the start of its millisecond: imports are cut in milliseconds", [log(at(0, 1n), at(0, 2n), 10)], 0n],
    ["are those of all logs", [log(at(-900), at(-5), 4), log(at(-5), at(5), 6)], 5n],
    ["are not known where a log does not tell", [log(at(-900), at(-5), 10), undefined], undefined],
    ["are not known where the logs do not add up", [log(at(-900), at(-5), 11)], undefined],
    ["are not known without a log", [], undefined],
  ])("%s", (_, heads, rows) => {
    expect(rowsUpTo(instant, 10n, heads)).toBe(rows);
  });
});

describe("the least rows of a segment", () => {
  const [whole, deleted] = ["whole", "deleted"].map((kind) => {
    const record = segmentRecord(301, { rows: 250_000, deletes: kind === "deleted" });
    const segment = outlineOf(collectionRecord([record])).partition_backups[0]?.segment_backups[0];
    // 60 kB of deletes, compressed: their size says nothing of 250,000 rows
    return { ...(segment ?? expect.fail()), deltaBytes: 60_000 };
  });

  test("are all, or those up to the instant", () => {
    if (!whole) expect.fail();
    expect(leastRows(whole, {}, false)).toBe(250_000n);
    expect(leastRows(whole, {}, true)).toBe(0n);
    expect(leastRows(whole, { upToInstant: 9n }, true)).toBe(9n);
  });

  test("are those that the deletes in its logs leave, where the logs tell", () => {
    if (!deleted) expect.fail();
    const deletes = deletesIn([log(at(-9), at(-8), 0), { from: at(-9), to: at(-8), originalSize: 10_000n * 43n }]);

    expect(leastRows(deleted, {}, false)).toBe(0n);
    expect(leastRows(deleted, { ...(deletes !== undefined && { deletes }) }, false)).toBe(196_250n);
    expect(leastRows(deleted, { deletes: 9n, upToInstant: 5n }, true)).toBe(0n);
    expect(deletesIn([undefined])).toBeUndefined();
  });
});
