import fc from "fast-check";
import { expect, test } from "vitest";
import { largestPage } from "../../../src/adapters/parquet/page-sizes.ts";
import { payloadOf } from "../../support/binlog-writer.ts";

const texts = (count: number) =>
  payloadOf({ type: "text", values: Array.from({ length: count }, (_, index) => `text ${index}`) });

test("the largest page of a file is as large as its values, up to what a writer puts into one", () => {
  expect(largestPage(texts(1))).toBe(4 + "text 0".length);
  expect(largestPage(texts(1_000))).toBeGreaterThan(10_000);
  expect(largestPage(texts(20_000))).toBeGreaterThan(200_000);
  expect(
    largestPage(payloadOf({ type: { fixed: 4_000 }, values: Array.from({ length: 50 }, () => Buffer.alloc(4_000)) })),
  ).toBeGreaterThan(4_000);
});

test("10,000 broken files: each has a size, in no time", () => {
  const whole = texts(100);
  const damage = fc.tuple(
    fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
    fc.nat(whole.length),
  );

  fc.assert(
    fc.property(damage, ([changes, size]) => {
      const bytes = Uint8Array.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      return largestPage(size % 3 === 0 ? bytes.subarray(0, size) : bytes) >= 0;
    }),
    { numRuns: 10_000, seed: 16 },
  );
});

test("what is no Parquet has no pages", () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from("PAR1"), Buffer.alloc(100, 255), Buffer.alloc(100)]) {
    expect(largestPage(bytes)).toBe(0);
  }
});
