import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { type BackupInfo, backupInfo, type SegmentBackup, segmentLevelInfo } from "../../../../src/core/format/meta.ts";
import { type Parsed, parseFile } from "../../../../src/core/format/meta-codec.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { streamFullMeta, streamSegmentMeta } from "../../../../src/core/format/meta-stream.ts";
import { anyOf } from "../../../support/any-record.ts";
import { collected } from "../../../support/collected.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { chunksOf } from "../../../support/text-chunks.ts";

/** What the stream answers, put together again. */
async function assembled(text: string, size: number): Promise<Parsed<BackupInfo>> {
  const stream = streamFullMeta(chunksOf(text, size));
  const lists = new Map<string, SegmentBackup[]>();
  for (;;) {
    const { done, value } = await stream.next();
    if (done) {
      const collection_backups = value.value.collection_backups.map((collection, index) => ({
        ...collection,
        l0_segments: lists.get(`${index}/undefined`) ?? [],
        partition_backups: collection.partition_backups.map((partition, at) => ({
          ...partition,
          segment_backups: lists.get(`${index}/${at}`) ?? [],
        })),
      }));
      return { value: { ...value.value, collection_backups }, warnings: [...value.warnings].sort() };
    }
    const key = `${value.collection}/${value.partition}`;
    lists.set(key, [...(lists.get(key) ?? []), value.segment]);
  }
}

function whole(text: string): Parsed<BackupInfo> {
  const { value, warnings } = parseFullMeta(text);
  return { value, warnings: [...warnings].sort() };
}

/** What a reader answers, or what it throws: of a text that is no JSON, where (each reader has its own words for why). */
async function outcome(read: () => Parsed<BackupInfo> | Promise<Parsed<BackupInfo>>) {
  try {
    return { parsed: await read() };
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    const { name, details, message } = error;
    return { error: { name, details, message: message.replace(/(line \d+, column \d+): .*/, "$1") } };
  }
}

const chunkSize = fc.oneof(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 8, max: 5000 }));
const spacings = [undefined, 2] as const;

describe("full_meta.json in pieces", () => {
  test.each([1, 2, 3, 64, 1000, 10_000_000])(
    "the golden one, cut every %i characters, reads as it does whole",
    async (size) => {
      expect(await assembled(goldenFiles.full_meta, size)).toEqual(whole(goldenFiles.full_meta));
    },
  );

  test("any backup reads as it does whole, printed by anybody, however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(anyOf(backupInfo), chunkSize, fc.constantFrom(...spacings), async (value, size, spacing) => {
        const compact = backupInfo.print(value);
        // JSON.parse would lose digits: only the texts that survive it are printed with line breaks.
        const text =
          spacing && JSON.stringify(JSON.parse(compact)) === compact
            ? JSON.stringify(JSON.parse(compact), null, spacing)
            : compact;
        expect(await assembled(text, size)).toEqual(whole(text));
      }),
      { numRuns: 80 },
    );
  });

  test("line breaks, lists of nothing, null and escaped keys", async () => {
    const text = `{
      "collection_backups": [
        { "schema": {}, "partition_backups": [ { "segment_backups": [ ] }, { "segment_backups": null } ], "l0_segments": [
          { "segment_id": 470615367219551014 , "v_channel": "a\\"b\\\\" } , { "segment_id": -1 }
        ] },
        { "schema": {}, "\\u0070artition_backups": [ { "segment\\u005fbackups": [ {"segment_id": 3} ] } ] }
      ]
    }`;
    for (const size of [1, 5, 10_000]) expect(await assembled(text, size)).toEqual(whole(text));
  });

  test("unknown keys are told as often as they are there, and legacy ones not", async () => {
    const segment = '{"segment_id":1,"later":{"a":[1,{"b":"}"}]}}';
    const text = `{"state_code":2,"new":1,"progress":1,"collection_backups":[{"schema":{},"partition_backups":[{"segment_backups":[${segment},${segment}]}],"l0_segments":[${segment}]}]}`;

    const { warnings } = await assembled(text, 9);

    expect(warnings).toHaveLength(3);
    expect(warnings).toEqual(whole(text).warnings);
  });
});

describe("a full_meta.json that is none", () => {
  test.each([
    ["a number in quotes", '"segment_id":470615367219350906', '"segment_id":"470615367219350906"'],
    ["a number too large", '"segment_id":470615367219350906', '"segment_id":99470615367219350906'],
    ["a segment that is no object", '"segment_backups":[{', '"segment_backups":[7,{'],
    ["no segment between two commas", '"segment_backups":[{', '"segment_backups":[,{'],
    ["segments in no list", '"segment_backups":[', '"segment_backups":{"a":1},"size":['],
    ["two segments without a comma", '},{"segment_id"', '}{"segment_id"'],
    ["a partition without its quotes", '"partition_id":', "partition_id:"],
  ])("%s is told as by the reader of the whole file", async (_, from, to) => {
    const text = goldenFiles.full_meta.replace(from, to);
    expect(text).not.toBe(goldenFiles.full_meta);
    const expected = await outcome(() => whole(text));

    expect(expected).toHaveProperty("error.name", "CorruptBackup");
    expect(await outcome(() => assembled(text, 100))).toEqual(expected);
  });

  test("cut off anywhere, it says where", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: goldenFiles.full_meta.length - 1 }), chunkSize, async (length, size) => {
        const text = goldenFiles.full_meta.slice(0, length);
        expect(await outcome(() => assembled(text, size))).toEqual(await outcome(() => whole(text)));
      }),
      { numRuns: 150 },
    );
  });

  test("a broken character is noticed wherever the reader of the whole file notices it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: goldenFiles.full_meta.length - 1 }),
        fc.constantFrom("\0", "{", "]", '"', ",", "x", "-", ".", "\\", "}", "[", ":", "\n"),
        async (at, broken) => {
          const text = goldenFiles.full_meta.slice(0, at) + broken + goldenFiles.full_meta.slice(at + 1);
          const expected = await outcome(() => whole(text));
          const found = await outcome(() => assembled(text, 1000));
          if ("error" in expected) expect(found).toHaveProperty("error.name", "CorruptBackup");
          else expect(found).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("a list that is there twice is refused: the items of the first have been told already", async () => {
    const text = '{"collection_backups":[{"l0_segments":[{"segment_id":1}],"l0_segments":[{"segment_id":2}]}]}';

    await expect(assembled(text, 1000)).rejects.toMatchObject({
      name: "CorruptBackup",
      message: "full_meta.json: collection_backups[0].l0_segments is there twice",
    });
  });

  test("a quote that is missing does not fill the memory with the rest of the file", async () => {
    let read = 0;
    async function* endless() {
      yield '{"collection_backups":[{"l0_segments":[{"v_channel":"';
      for (; ; read += 1) yield "x".repeat(2 ** 20);
    }

    await expect(streamFullMeta(endless()).next()).rejects.toMatchObject({
      name: "CorruptBackup",
      message: expect.stringContaining("line 1, column 40: an item has no end"),
    });
    expect(read).toBeLessThan(200);
  });
});

test("segment_meta.json in pieces reads as it does whole", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(anyOf(segmentLevelInfo).map(segmentLevelInfo.print), fc.constant(goldenFiles.segment_meta)),
      chunkSize,
      async (text, size) => {
        const segments = await collected(streamSegmentMeta(chunksOf(text, size)));
        expect(segments).toEqual(parseFile(segmentLevelInfo, text, "segment_meta.json").value.infos);
      },
    ),
    { numRuns: 60 },
  );
});
