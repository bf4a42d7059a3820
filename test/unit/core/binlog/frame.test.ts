import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readBinlog } from "../../../../src/core/binlog/frame.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { binlogOf, eventOf } from "../../../support/binlog-writer.ts";

const payloads = [Buffer.from("PAR1 one PAR1"), Buffer.from("PAR1 and another PAR1")];
const whole = binlogOf(payloads, { fieldId: 101n, dataType: 21, extra: { original_size: "7", nullable: true } });
const key = "backup/b/binlogs/insert_log/1/2/3/3/101/9";

const script = fileURLToPath(new URL("../../../support/many-events-process.ts", import.meta.url));

/** What reading throws. */
function refused(bytes: Uint8Array): PipelineError {
  try {
    readBinlog(bytes, key);
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
  throw new Error("it was read");
}

describe("the frame of a binlog", () => {
  test("tells what it is of, and where its payloads lie, without copying them", () => {
    const { descriptor, events } = readBinlog(whole, key);

    expect(descriptor).toEqual({
      collectionId: 1n,
      partitionId: 2n,
      segmentId: 3n,
      fieldId: 101n,
      dataType: 21,
      multiField: false,
    });
    expect(events.map(({ type, payload }) => [type, Buffer.from(payload)])).toEqual(
      payloads.map((payload) => ["insert", payload]),
    );
    expect(events.every(({ payload }) => payload.buffer === whole.buffer)).toBe(true);
  });

  test("a delta log of 2.5 with a column of keys and one of timestamps is told from one of lines", () => {
    const bytes = binlogOf([], { extra: { original_size: "1", version: "MULTI_FIELD" } });

    expect(readBinlog(bytes, key).descriptor.multiField).toBe(true);
  });

  test("cut off anywhere it is refused with object and offset, or is a whole file with fewer events", () => {
    const ends = [1, 2].map(
      (count) => binlogOf(payloads.slice(0, count - 1), { extra: { original_size: "7", nullable: true } }).length,
    );

    for (let size = 0; size < whole.length; size += 1) {
      if (ends.includes(size)) continue;
      const error = refused(whole.subarray(0, size));
      expect(error.name).toBe("CorruptBackup");
      expect(error.message).toMatch(/^backup\/b\/binlogs\/\S+, offset \d+: cut off/);
      expect(Number(error.details.offset)).toBeLessThanOrEqual(size);
    }
  });

  test.each([
    ["an event longer than its file", 9, 0x7fffffff, /offset 4: cut off: the event takes 2147483647 bytes/],
    ["an event shorter than its header", 9, 16, /offset 4: an event of 16 bytes, less than its header/],
    ["a negative length", 9, -1, /offset 4: an event of -1 bytes/],
    [
      "more JSON than the descriptor has room for",
      17 + 60,
      5_000,
      /offset \d+: cut off: the descriptor's JSON takes 5000/,
    ],
    ["negative JSON", 17 + 60, -7, /a descriptor with -7 bytes of JSON/],
  ])("%s", (_, offset, value, message) => {
    const bytes = Buffer.from(whole);
    bytes.writeInt32LE(value, 4 + offset);

    expect(refused(bytes).message).toMatch(message);
  });

  test.each([
    ["another magic number", Buffer.from("nothing"), /offset 0: no binlog begins with 0x/],
    ["Parquet without a frame", Buffer.from("PAR1...PAR1"), /storage version 2, which is not read yet/],
    [
      "no descriptor",
      Buffer.concat([whole.subarray(0, 4), eventOf(1, Buffer.alloc(16), 4)]),
      /the first event is of type 1/,
    ],
    ["an event of an index", Buffer.concat([whole, eventOf(7, Buffer.alloc(16), whole.length)]), /an event of type 7/],
    [
      "an event without timestamps",
      Buffer.concat([whole, eventOf(1, Buffer.alloc(3), 0)]),
      /has no room for its timestamps/,
    ],
    ["encrypted payloads", binlogOf([], { extra: { edek: "key" } }), /encrypted/],
  ])("%s is refused", (_, bytes, message) => {
    expect(refused(bytes)).toMatchObject({ name: "CorruptBackup", message: expect.stringMatching(message) });
  });

  test.each([
    [
      "megabytes of JSON",
      binlogOf([], { extra: { original_size: "1", more: "x".repeat(2 ** 20) } }),
      /a descriptor with 10\d+ bytes of JSON/,
    ],
    ["JSON nested beyond any stack", withJson("[".repeat(500_000)), /the descriptor's JSON cannot be read/],
  ])("%s is refused, whatever memory it would take", (_, bytes, message) => {
    expect(refused(bytes)).toMatchObject({ name: "CorruptBackup", message: expect.stringMatching(message) });
  });

  test("10,000 broken ones: each is read within its bounds and without a copy, or refused with object and an offset in it", () => {
    const byte = fc.nat(255);
    const damaged = fc
      .tuple(fc.array(fc.tuple(fc.nat(whole.length - 1), byte), { maxLength: 6 }), fc.nat(whole.length))
      .map(([changes, size]) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        return size % 3 === 0 ? bytes.subarray(0, size) : bytes;
      });
    const event = fc.record({
      type: fc.integer({ min: -2, max: 8 }),
      data: fc.uint8Array({ maxLength: 80 }),
      length: fc.option(fc.integer()),
    });
    const built = fc
      .tuple(fc.array(event, { maxLength: 8 }), fc.uint8Array({ maxLength: 20 }))
      .map(([events, rest]) => {
        const append = (file: Buffer, { type, data, length }: (typeof events)[number]) =>
          appended(file, type, data, length);
        return Buffer.concat([events.reduce(append, binlogOf([])), rest]);
      });
    const anything = fc
      .uint8Array({ maxLength: 400 })
      .map((bytes) => Buffer.concat([whole.subarray(0, bytes.length % 5), bytes]));
    const outcomes = { read: 0, refused: 0 };

    fc.assert(
      fc.property(fc.oneof(damaged, built, anything), (bytes) => {
        try {
          const { events } = readBinlog(bytes, key);
          outcomes.read += 1;
          const payload = events.reduce((sum, one) => sum + one.payload.length, 0);
          const isView = events.every((one) => one.payload.buffer === bytes.buffer);
          return isView && payload <= bytes.length && events.length <= bytes.length / 33;
        } catch (error) {
          outcomes.refused += 1;
          if (!(error instanceof PipelineError) || error.name !== "CorruptBackup") return false;
          const { offset, object } = error.details;
          const isInside = typeof offset === "number" && offset >= 0 && offset <= bytes.length;
          return isInside && object === key && error.message.startsWith(`${key}, offset ${offset}: `);
        }
      }),
      { numRuns: 10_000, seed: 20_261_124 },
    );
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(500);
  });

  test("a file of nothing but the smallest events takes no more memory than three times itself", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--max-old-space-size=96", script], {
      timeout: 60_000,
    });

    expect(JSON.parse(stdout)).toMatchObject({ fileBytes: 24 * 2 ** 20, events: Math.floor((24 * 2 ** 20) / 33) - 3 });
  });
});

/** A whole binlog with other JSON in its descriptor. */
function withJson(json: string): Buffer {
  const none = binlogOf([], { extra: {} });
  const bytes = Buffer.concat([none.subarray(0, none.length - 2), Buffer.from(json)]);
  bytes.writeInt32LE(bytes.length - 4, 4 + 9);
  bytes.writeInt32LE(json.length, 4 + 17 + 60);
  return bytes;
}

/** @param length what the event says of itself, where that is something else */
function appended(file: Buffer, type: number, data: Uint8Array, length: number | null): Buffer {
  const next = eventOf(type, data, file.length);
  if (length !== null) next.writeInt32LE(length, 9);
  return Buffer.concat([file, next]);
}
