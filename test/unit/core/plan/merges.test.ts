import { describe, expect, test } from "vitest";
import type { SegmentBrief } from "../../../../src/core/format/outline.ts";
import { planMerges } from "../../../../src/core/plan/merges.ts";

const mebibyte = 2 ** 20;
const fields = 5;

interface Shape {
  readonly bytes?: number;
  readonly rows?: number;
  readonly logs?: number;
  readonly deltaLogs?: number;
  readonly storageVersion?: number;
  readonly isL0?: boolean;
}

function segment(ordinal: number, { bytes = 10_000, rows = 500, logs = 1, deltaLogs = 0, ...rest }: Shape = {}) {
  const brief: SegmentBrief = {
    ordinal,
    segment_id: BigInt(1000 + ordinal),
    collection_id: 1n,
    partition_id: 2n,
    group_id: BigInt(1000 + ordinal),
    num_of_rows: BigInt(rows),
    size: BigInt(bytes),
    is_l0: rest.isL0 ?? false,
    storage_version: BigInt(rest.storageVersion ?? 0),
    insertLogs: logs * 5,
    deltaLogs,
    deltaBytes: deltaLogs * 100,
  };
  return brief;
}

const many = (count: number, shape: (index: number) => Shape = () => ({})) =>
  Array.from({ length: count }, (_, index) => segment(index, shape(index)));
const ordinals = (segments: readonly SegmentBrief[]) =>
  planMerges(segments, fields).map((merge) => merge.map(({ ordinal }) => ordinal));
const sizes = (segments: readonly SegmentBrief[]) => planMerges(segments, fields).map(({ length }) => length);

describe("small segments", () => {
  test("are all put together, in their order", () => {
    expect(ordinals(many(80))).toEqual([Array.from({ length: 80 }, (_, index) => index)]);
  });

  test("are not where that saves the server less than a second", () => {
    expect(sizes(many(5))).toEqual([5]);
    expect(sizes(many(4))).toEqual([]);
  });

  test("a merged directory has at most 64 MiB, 256 logs of a field, 262,144 rows and 16,384 objects", () => {
    expect(sizes(many(40, () => ({ bytes: 4 * mebibyte })))).toEqual([16, 16, 8]);
    expect(sizes(many(600))).toEqual([256, 256, 88]);
    expect(sizes(many(10, () => ({ logs: 100 })))).toEqual([2, 2, 2, 2, 2]);
    expect(sizes(many(40, () => ({ rows: 20_000 })))).toEqual([13, 13, 13]);
    expect(sizes(many(40, () => ({ deltaLogs: 1_000 })))).toEqual([16, 16, 8]);
  });

  test("large ones stay as they are: a Lambda takes longer to pass them on than the server to read them one by one", () => {
    const mixed = many(80, (index) => ({ bytes: index % 2 === 0 ? 20 * mebibyte : 10_000 }));

    expect(ordinals(mixed)).toEqual([Array.from({ length: 40 }, (_, index) => 2 * index + 1)]);
  });

  test("one of many small logs is put together by itself", () => {
    expect(sizes([segment(0, { logs: 30 })])).toEqual([1]);
    expect(sizes([segment(0, { logs: 1 })])).toEqual([]);
  });

  test("those of storage version 2, L0 segments and fields with different numbers of logs are left alone", () => {
    expect(sizes(many(80, () => ({ storageVersion: 2 })))).toEqual([]);
    expect(sizes(many(80, () => ({ isL0: true })))).toEqual([]);
    expect(sizes(many(80).map((one) => ({ ...one, insertLogs: 6 })))).toEqual([]);
    expect(sizes(many(80).map((one) => ({ ...one, insertLogs: 0 })))).toEqual([]);
  });
});

test("segments with deletes go with all others: which of them meet rows of another is known when the logs are read", () => {
  expect(sizes(many(80, (index) => ({ deltaLogs: index % 2 })))).toEqual([80]);
  expect(sizes(many(10, () => ({ deltaLogs: 3, logs: 2 })))).toEqual([10]);
});
