import { parseJson } from "./lossless-json.ts";
import { type BackupInfo, backupInfo, type SegmentBackup, segmentBackup, segmentLevelInfo } from "./meta.ts";
import { type Codec, type Parsed, Reader } from "./meta-codec.ts";
import { RecordSplitter, type SplitRecord } from "./record-splitter.ts";

/** A segment's record as it passes by, with where it stands. */
export interface StreamedSegment {
  readonly segment: SegmentBackup;
  /** Index of its collection in the backup. */
  readonly collection: number;
  /** Index of its partition in the collection; undefined for an L0 segment of all partitions. */
  readonly partition: number | undefined;
}

const segmentLists = ["collection_backups[].partition_backups[].segment_backups", "collection_backups[].l0_segments"];

/**
 * Reads `full_meta.json` as it comes, one segment in memory at a time: the segments in the order of the file, then the backup with all
 * lists of segments empty. Together they are what `parseFullMeta` answers.
 * @param chunks the text, cut anywhere
 * @throws CorruptBackup as `parseFullMeta` does, once what is wrong has been reached
 */
export async function* streamFullMeta(
  chunks: AsyncIterable<string>,
): AsyncGenerator<StreamedSegment, Parsed<BackupInfo>, undefined> {
  const stream = new RecordStream("full_meta.json", segmentLists);
  for await (const chunk of chunks) {
    for (const record of stream.push(chunk)) yield placed(record, stream.parse(segmentBackup, record));
  }
  return stream.end(backupInfo);
}

/**
 * Reads `segment_meta.json` as it comes; answers warnings at its end.
 * @throws CorruptBackup where it is none
 */
export async function* streamSegmentMeta(
  chunks: AsyncIterable<string>,
): AsyncGenerator<SegmentBackup, readonly string[], undefined> {
  const stream = new RecordStream("segment_meta.json", ["infos"]);
  for await (const chunk of chunks) {
    for (const record of stream.push(chunk)) yield stream.parse(segmentBackup, record);
  }
  return stream.end(segmentLevelInfo).warnings;
}

/** The codec's work on a file that comes in pieces: one reader notes what is not known in all of them. */
class RecordStream {
  readonly #splitter: RecordSplitter;
  readonly #reader: Reader;

  constructor(file: string, lists: readonly string[]) {
    this.#splitter = new RecordSplitter(file, lists);
    this.#reader = new Reader(file);
  }

  push(chunk: string): SplitRecord[] {
    return this.#splitter.push(chunk);
  }

  parse<T>(codec: Codec<T>, { text, path, locate }: SplitRecord): T {
    const json = parseJson(text, this.#reader.file, locate);
    this.#reader.path = [...path];
    const value = codec.parse(json, this.#reader);
    this.#reader.path = [];
    return value;
  }

  end<T>(codec: Codec<T>): Parsed<T> {
    const { rest, cutOff } = this.#splitter.end();
    if (cutOff) parseJson(cutOff.text, this.#reader.file, cutOff.locate);
    const json = parseJson(rest.text, this.#reader.file, rest.locate);
    if (json === null) this.#reader.fail("an object", json);
    const value = codec.parse(json, this.#reader);
    return { value, warnings: this.#reader.warnings };
  }
}

function placed({ path }: SplitRecord, segment: SegmentBackup): StreamedSegment {
  const [, collection, list, partition] = path;
  return {
    segment,
    collection: Number(collection),
    partition: list === "partition_backups" ? Number(partition) : undefined,
  };
}
