import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { batchLimits } from "../../../../src/core/execution/copy-plan.ts";
import {
  CopyLoads,
  copyingCost,
  prices,
  rates,
  readingCost,
  requestsInParts,
} from "../../../../src/core/plan/estimate.ts";

test("1 TB in objects of 8 MiB is what the README says", () => {
  const { objects, minutes, dollars } = readingCost({ objects: 125_000, bytes: 1e12 }, { percent: 100 });

  expect(objects).toBe(125_000);
  expect(Math.round(minutes)).toBe(22);
  expect(dollars.toFixed(2)).toBe("0.56");
});

test("a sample costs its share of the bytes, and a request for each object", () => {
  const whole = readingCost({ objects: 125_000, bytes: 1e12 }, { percent: 100 });
  const tenth = readingCost({ objects: 125_000, bytes: 1e12 }, { percent: 10 });

  expect(tenth).toMatchObject({ objects: 12_500, bytes: 1e11 });
  expect(tenth.dollars).toBeLessThan(whole.dollars / 4);
  expect(tenth.dollars).toBeGreaterThan(whole.dollars / 10);
});

test("nothing costs next to nothing", () => {
  expect(readingCost({ objects: 0, bytes: 0 }, { percent: 100 })).toMatchObject({ objects: 0, bytes: 0, minutes: 0 });
});

describe("copies", () => {
  const terabyte = { segments: 7_813, objects: 125_000, bytes: 1e12, partRequests: 0 };

  test("of 1 TB in objects of 8 MiB are what the README says", () => {
    const { requests, dollars, dollarsAMonth, minutes, batches } = copyingCost(terabyte, { streamed: false });

    expect(batches).toBe(117);
    expect(dollars.toFixed(2)).toBe("0.71");
    expect(dollarsAMonth).toBeCloseTo(23);
    expect(requests).toBe(125_000 * 2 + 250);
    // 1,250 seconds of requests in 16 Lambdas
    expect(minutes).toBeCloseTo(1_250 / 16 / 60);
  });

  test("that are streamed take the bytes through the Lambdas", () => {
    const streamed = copyingCost(terabyte, { streamed: true });

    expect(streamed.minutes).toBeCloseTo((1_250 + 20_000) / 16 / 60);
    expect(streamed.dollars).toBeGreaterThan(copyingCost(terabyte, { streamed: false }).dollars + 0.4);
  });

  test("are as quick as one partition of a prefix lets them be, however many Lambdas there are", () => {
    const many = { streamed: false, batchesAtOnce: 1_000 };
    const load = { segments: 200_000, objects: 10_000_000, bytes: 1e13, partRequests: 0 };

    expect(copyingCost(load, many).minutes).toBeCloseTo(10 / 60 + 10_000_000 / rates.writesPerSecondOfPartition / 60);
    expect(copyingCost(load, { ...many, partitions: 4 }).minutes).toBeLessThan(copyingCost(load, many).minutes / 3);
  });

  test("of large objects take a request for each part", () => {
    expect(requestsInParts(500 * 2 ** 20)).toBe(0);
    expect(requestsInParts(2 ** 30)).toBe(9);
  });

  test("of nothing cost the execution", () => {
    const nothing = { segments: 0, objects: 0, bytes: 0, partRequests: 0 };
    expect(copyingCost(nothing, { streamed: false })).toMatchObject({ batches: 0, requests: 0, minutes: 0 });
  });
});

/** The cells of a table of docs/scale.md, by its first column. */
const page = readFileSync(new URL("../../../../docs/scale.md", import.meta.url), "utf8");
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.split("|").map((cell) => cell.trim()));
const row = (first: string) => rows.find(([, cell]) => cell === first)?.slice(2, -1) ?? [];
const minutesOf = (minutes: number) => (minutes < 90 ? `${Math.round(minutes)} min` : `${(minutes / 60).toFixed(1)} h`);

describe("the copies of a plan", () => {
  const copy = (to: string, sizes: readonly number[], merged = false) => {
    const expect = sizes.map((size, index) => ({ path: `${index}`, size }));
    const prefixes = [{ kind: "insert", from: "a/", to, expect } as const];
    const segment = { collectionId: "1", partitionId: "2", segmentId: "3", rows: "1", isL0: false, prefixes };
    return { segment, ...(merged && { merge: { into: to, segments: 2 } }) };
  };
  const large = 1000 * 2 ** 20;

  test("are those that have somewhere to go", () => {
    const loads = new CopyLoads();
    loads.add(copy("", [1, 2]));
    expect(loads.cost(true)).toMatchObject({ copies: "in-place", objects: 0, bytes: 0, batches: 0 });

    loads.add(copy("b/", [10, large]));
    const partRequests = requestsInParts(large);
    const load = { segments: 1, objects: 2, bytes: 10 + large, partRequests };
    expect(loads.cost(false)).toEqual({ ...copyingCost(load, { streamed: false }), ...load, copies: "server-side" });
    expect(loads.cost(true)).toMatchObject({ ...copyingCost(load, { streamed: true }), copies: "streamed" });
  });

  test("that are put together are streamed, whoever copies the others", () => {
    const loads = new CopyLoads();
    loads.add(copy("b/", [10]));
    loads.add(copy("c/", [1e9, 1e9], true));

    const kept = copyingCost({ segments: 1, objects: 1, bytes: 10, partRequests: 0 }, { streamed: false });
    const of = { segments: 1, objects: 2, bytes: 2e9, partRequests: 2 * requestsInParts(1e9) };
    const merged = copyingCost(of, { streamed: true });
    expect(loads.cost(false)).toMatchObject({ copies: "streamed", segments: 2, objects: 3, bytes: 2e9 + 10 });
    expect(loads.cost(false).dollars).toBeCloseTo(kept.dollars + merged.dollars, 10);
  });
});

describe("docs/scale.md is computed: it has", () => {
  test.each([
    ["1 TB", 1e12],
    ["10 TB", 1e13],
    ["100 TB", 1e14],
  ])("the copies of %s", (name, bytes) => {
    const mebibytes8 = {
      objects: Math.round(bytes / 8e6),
      bytes,
      segments: Math.round(bytes / 128e6),
      partRequests: 0,
    };
    const least = copyingCost(mebibytes8, { streamed: false });
    const wide = copyingCost(mebibytes8, { streamed: false, batchesAtOnce: 64 });
    const streamed = copyingCost(mebibytes8, { streamed: true });
    const broad = copyingCost(mebibytes8, { streamed: true, batchesAtOnce: 500 });
    const count = (value: number) => value.toLocaleString("en-US");

    expect(row(name)).toEqual([
      count(mebibytes8.objects),
      count(least.batches),
      minutesOf(least.minutes),
      minutesOf(wide.minutes),
      `$${least.dollars.toFixed(2)}`,
      minutesOf(streamed.minutes),
      minutesOf(broad.minutes),
      `$${streamed.dollars.toFixed(2)}`,
      `$${count(Math.round(least.dollarsAMonth))}`,
    ]);
  });

  test("the prices and the limits", () => {
    expect(row("COPY, PUT, LIST, a thousand")).toEqual([`$${prices.thousandWrites}`]);
    expect(row("GET, HEAD, a thousand")).toEqual([`$${prices.thousandReads}`]);
    expect(row("Lambda on ARM, a GB-second")).toEqual([`$${prices.lambdaGbSecond}`]);
    expect(row("state transitions, a thousand")).toEqual([`$${prices.thousandTransitions}`]);
    expect(row("S3 Standard, a GB-month")).toEqual([`$${prices.storageGbMonth}`]);
    expect(page).toContain(`${prices.region}, ${prices.date}`);
    expect(row("segments, bytes of a batch")[0]).toBe(`${batchLimits.segments}, 8 GiB`);
  });
});
