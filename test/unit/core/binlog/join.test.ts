import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readBinlog } from "../../../../src/core/binlog/frame.ts";
import { BinlogJoin } from "../../../../src/core/binlog/join.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { parseLogHead } from "../../../../src/core/format/log-head.ts";
import { binlogOf } from "../../../support/binlog-writer.ts";

/** A log with a payload for each text, from and to these times. */
function logOf(texts: readonly string[], options: Parameters<typeof binlogOf>[1] = {}, times = [7n, 9n]): Buffer {
  const bytes = binlogOf(
    texts.map((text) => Buffer.from(text)),
    options,
  );
  bytes.writeBigUInt64LE(times[0] ?? 0n, 53);
  bytes.writeBigUInt64LE(times[1] ?? 0n, 61);
  return bytes;
}

function joined(logs: readonly Uint8Array[]): { bytes: Buffer; size: number } {
  const join = new BinlogJoin();
  for (const [index, bytes] of logs.entries()) join.add(bytes, `log ${index}`);
  return { bytes: Buffer.concat([...join.pieces()]), size: join.size };
}

function refused(logs: readonly Uint8Array[]): PipelineError {
  try {
    joined(logs);
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
  throw new Error("they were joined");
}

/** The payloads of a log, and where each event says that the next one begins. */
function contentOf(bytes: Buffer): { payloads: string[]; next: number[]; ends: number[] } {
  const { events } = readBinlog(bytes, "joined");
  return {
    payloads: events.map(({ payload }) => Buffer.from(payload).toString()),
    next: events.map(({ offset }) => bytes.readInt32LE(offset + 13)),
    ends: events.map((_, index) => events[index + 1]?.offset ?? bytes.length),
  };
}

describe("binlogs put together", () => {
  test("are the events of all behind one descriptor, each saying where the next begins", () => {
    const { bytes, size } = joined([logOf(["a", "bb"]), logOf([]), logOf(["ccc"])]);

    const { payloads, next, ends } = contentOf(bytes);
    expect(payloads).toEqual(["a", "bb", "ccc"]);
    expect(next).toEqual(ends);
    expect(bytes.readInt32LE(4 + 13)).toBe(readBinlog(bytes, "joined").events[0]?.offset);
    expect(size).toBe(bytes.length);
  });

  test("say of themselves from when to when their rows are, and what all of them have uncompressed", () => {
    const extra = (original_size: string) => ({ extra: { original_size, nullable: true } });

    const { bytes } = joined([
      logOf(["a"], extra("999999"), [20n, 30n]),
      logOf(["b"], extra("2"), [10n, 25n]),
      logOf(["c"], extra("3"), [40n, 50n]),
    ]);

    expect(parseLogHead(bytes)).toEqual({ from: 10n, to: 50n, originalSize: 1_000_004n });
    const { events } = readBinlog(bytes, "joined");
    expect(bytes.subarray(85, events[0]?.offset).toString()).toBe('{"original_size":"1000004","nullable":true}');
  });

  test("one alone stays as it is, byte for byte", () => {
    const log = logOf(["a", "b"], { fieldId: 101n, dataType: 21, extra: { original_size: "17" } });

    expect(joined([log]).bytes.equals(log)).toBe(true);
  });

  test("what was put in is left as it was", () => {
    const logs = [logOf(["a"]), logOf(["b"])];
    const before = logs.map((log) => Buffer.from(log));

    joined(logs);

    expect(logs).toEqual(before);
  });

  test("any number of logs, however they were put together before: the same events in the same order", () => {
    const text = fc.string({ maxLength: 40 });
    const some = fc.array(fc.array(text, { maxLength: 4 }), { minLength: 1, maxLength: 12 });
    const size = fc.nat(2 ** 31);

    fc.assert(
      fc.property(some, fc.nat(11), size, (logs, cut, original) => {
        const each = logs.map((texts) => logOf(texts, { extra: { original_size: String(original) } }));
        const all = joined(each);
        const [first, rest] = [each.slice(0, 1 + (cut % each.length)), each.slice(1 + (cut % each.length))];
        const inSteps = joined([joined(first).bytes, ...rest]);

        const { payloads, next, ends } = contentOf(all.bytes);
        expect(payloads).toEqual(logs.flat());
        expect(next).toEqual(ends);
        expect(all.size).toBe(all.bytes.length);
        expect(inSteps.bytes.equals(all.bytes)).toBe(true);
        expect(parseLogHead(all.bytes)?.originalSize).toBe(BigInt(original) * BigInt(each.length));
      }),
      { numRuns: 500, seed: 20_261_128 },
    );
  });

  test("cut anywhere, one of them is refused with its name and the offset, or has fewer events", () => {
    const [first, second] = [logOf(["a"]), logOf(["bb", "ccc"])];
    const whole = [logOf([]).length, logOf(["bb"]).length];

    for (let size = 0; size < second.length; size += 1) {
      if (whole.includes(size)) continue;
      const error = refused([first, second.subarray(0, size)]);
      expect(error.name).toBe("CorruptBackup");
      expect(error.message).toMatch(/^log 1, offset \d+: /);
    }
  });

  test.each([
    ["of another field", { fieldId: 101n }, /^log 1, offset 4: it is of field 101, and log 0 of 100/],
    ["of another type", { dataType: 21 }, /^log 1, offset 4: it is of data type 21, and log 0 of 5/],
    ["of deletes", { type: "delete" }, /^log 1, offset \d+: an event of kind delete behind those of kind insert/],
    [
      "in columns",
      { extra: { original_size: "1", version: "MULTI_FIELD" } },
      /a layout in columns, and log 0 of lines/,
    ],
    ["that is encrypted", { extra: { edek: "key" } }, /encrypted/],
  ] as const)("one %s is refused", (_, options, message) => {
    expect(refused([logOf(["a"]), logOf(["b"], options)])).toMatchObject({
      name: "CorruptBackup",
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ["no binlog", Buffer.from("nothing that is one"), /^log 1, offset 0: no binlog begins with 0x/],
    ["Parquet without a frame", Buffer.from("PAR1...PAR1"), /storage version 2/],
  ])("%s is refused", (_, bytes, message) => {
    expect(refused([logOf(["a"]), bytes]).message).toMatch(message);
  });

  test("texts of old releases go with those of new ones", () => {
    expect(contentOf(joined([logOf(["a"], { dataType: 20 }), logOf(["b"], { dataType: 21 })]).bytes).payloads).toEqual([
      "a",
      "b",
    ]);
  });

  test("of a size that one of them does not tell nothing is made up", () => {
    const { bytes } = joined([logOf(["a"]), logOf(["b"], { extra: {} })]);

    expect(readBinlog(bytes, "joined").events).toHaveLength(2);
    expect(parseLogHead(bytes)?.originalSize).toBe(1n);
  });
});
