import { describe, expect, test } from "vitest";
import {
  chooseSegments,
  foundItself,
  hasLength,
  isSearchable,
  recallOf,
  requiredShare,
  searchParams,
} from "../../../../src/core/plan/drill-search.ts";

const floats = (...values: readonly number[]) => new Uint8Array(new Float32Array(values).buffer);
const vector = (key: bigint, ...values: readonly number[]) => ({ key, bytes: floats(...values) });
const l2 = { type: "FloatVector", metricType: "L2", limit: 3 } as const;
const hit = (key: bigint, score: number) => ({ key, score });

describe("a vector finds itself", () => {
  const own = vector(1n, 1, 2);

  test.each([
    ["first", [hit(1n, 0), hit(2n, 1)], true],
    ["behind one that is as near: an equal vector", [hit(2n, 0), hit(1n, 0)], true],
    ["behind one that is as near but for rounding", [hit(2n, 1e-5), hit(1n, 2e-5)], true],
    ["not at all among equal ones that fill the answer", [hit(2n, 0), hit(3n, 0), hit(4n, 0)], true],
    ["behind one that is farther", [hit(2n, 0.5), hit(1n, 0.9)], false],
    ["not at all, and others are farther", [hit(2n, 0), hit(3n, 1), hit(4n, 2)], false],
    ["not at all, where the answer is not even full", [hit(2n, 0)], false],
    ["in an empty answer", [], false],
  ])("%s", (_, hits, expected) => {
    expect(foundItself(l2, own, hits)).toBe(expected);
  });

  test("by inner product, where longer ones score better, wherever it stands", () => {
    const ip = { ...l2, metricType: "IP" };

    expect(foundItself(ip, own, [hit(2n, 50), hit(1n, 5)])).toBe(true);
    expect(foundItself(ip, own, [hit(2n, 4), hit(3n, 3), hit(4n, 2)])).toBe(false);
  });

  test("by cosine and by bits", () => {
    expect(foundItself({ ...l2, metricType: "COSINE" }, own, [hit(1n, 0.99999994)])).toBe(true);
    const bits = { key: 1n, bytes: new Uint8Array([0b1010]) };
    const hamming = { type: "BinaryVector", metricType: "HAMMING", limit: 3 } as const;
    expect(foundItself(hamming, bits, [hit(1n, 0), hit(2n, 1)])).toBe(true);
    expect(foundItself(hamming, bits, [hit(2n, 1), hit(1n, 2)])).toBe(false);
  });
});

describe("recall", () => {
  const sample = [vector(1n, 0, 0), vector(2n, 1, 0), vector(3n, 5, 0), vector(4n, 9, 0)];
  const of = { ...l2, limit: 2 };

  test("is whole where each answer has the nearest ones", () => {
    const searches = [
      [hit(1n, 0), hit(2n, 1)],
      [hit(2n, 0), hit(1n, 1)],
      [hit(3n, 0), hit(2n, 16)],
      [hit(4n, 0), hit(3n, 16)],
    ];

    expect(recallOf(of, sample, searches)).toBe(1);
  });

  test("counts one of two that are as near, and not one that is farther", () => {
    const searches = [
      [hit(1n, 0), hit(4n, 81)],
      [hit(2n, 0), hit(1n, 1)],
      [hit(3n, 0), hit(4n, 16)],
      [hit(4n, 0), hit(3n, 16)],
    ];

    expect(recallOf(of, sample, searches)).toBe((0.5 + 1 + 1 + 1) / 4);
    expect(recallOf(of, sample, [])).toBe(0);
  });
});

test("segments are taken from every partition in turn, the same for one seed, never empty ones", () => {
  const segments = Array.from({ length: 40 }, (_, index) => ({
    id: String(index),
    partition: `p${index % 4}`,
    rows: index === 7 ? 0 : 10,
  }));

  const chosen = chooseSegments(segments, 4, "seed");
  expect(new Set(chosen.map(({ partition }) => partition)).size).toBe(4);
  expect(chooseSegments([...segments].reverse(), 4, "seed")).toEqual(chosen);
  expect(chooseSegments(segments, 100, "seed").map(({ id }) => id)).not.toContain("7");
  expect(chooseSegments([], 4, "seed")).toEqual([]);
});

test("parameters and thresholds go by the index", () => {
  expect(searchParams("HNSW", 10)).toEqual({ ef: 64 });
  expect(searchParams("IVF_FLAT", 10)).toEqual({ nprobe: 64 });
  expect(searchParams("AUTOINDEX", 10)).toEqual({});
  expect([requiredShare("FLAT"), requiredShare("HNSW"), requiredShare("IVF_PQ")]).toEqual([1, 0.9, 0.5]);
  expect(isSearchable("FloatVector", "L2")).toBe(true);
  expect(isSearchable("SparseFloatVector", "IP")).toBe(false);
  expect(hasLength("FloatVector", floats(0, 0))).toBe(false);
});
