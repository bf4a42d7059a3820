import { readBinlog } from "../../core/binlog/frame.ts";
import { BinlogJoin } from "../../core/binlog/join.ts";
import { timestampFieldId } from "../../core/binlog/row-fields.ts";
import { kindOfChecksum } from "../../core/execution/checksum.ts";
import { checksumOf } from "../../core/execution/content-hash.ts";
import type {
  CopiedLog,
  CopyBatch,
  CopyReceipt,
  CopySegment,
  ExpectedLog,
  MergedLog,
  SegmentReceipt,
} from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { compareLogNames } from "../../core/plan/segment-copies.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import { checkFound } from "../shared/check-merged.ts";
import { findProblem, type ListedPrefix, relativePath, selectObjects } from "../shared/check-segment.ts";
import { writePieces } from "../shared/write-pieces.ts";
import { type BatchStores, mismatch, receiptOf } from "./batch-stores.ts";
import { ContentComparison } from "./compare-content.ts";
import { objectSlots, type Pace } from "./in-flight.ts";
import { listPrefixes } from "./list-prefixes.ts";
import { segmentsApart } from "./segments-apart.ts";

/**
 * Puts the logs of the segments of a batch together, field by field (merges.ts), and leaves nothing else in its directories: one for all, and where
 * deletes must not meet rows of others (`apart`) one more for each segment whose deletes would. Every object is read once, whole and as it was listed, and
 * compared with the manifest on the way. Nothing is written of a batch in which something is wrong. Run again it writes the same once more.
 * @returns the receipt; `source-changed` where a segment is not what was backed up
 * @throws ClaimLost, CopyMismatch where somebody else changed what was written, and what the stores throw
 */
export async function mergeSegments(
  batch: CopyBatch,
  stores: BatchStores,
  { isCancelled, pace, payloads }: MergeOptions,
): Promise<CopyReceipt> {
  return new BatchMerger(batch, stores, { isCancelled, pace, payloads }).run();
}

interface MergeOptions {
  readonly isCancelled: () => Promise<boolean>;
  readonly pace: Pace;
  /** Asked for where deletes must not meet rows of others. */
  readonly payloads: () => Promise<PayloadReader>;
}

/**
 * The directories that a batch of merged segments may write into: the one of all, or with `apart` one of each segment, whichever of them it shares with
 * others.
 */
export function mergeDirectories({ segments, apart }: CopyBatch): string[] {
  const planned = [...new Set(segments.flatMap(({ prefixes }) => prefixes.map(({ to }) => to)))];
  if (apart === undefined) return planned;
  return planned.flatMap((to) => segments.map(({ segmentId }) => besides(to, segmentId)));
}

/** The directory of that name beside another one. */
function besides(directory: string, name: string): string {
  return `${directory.slice(0, directory.lastIndexOf("/", directory.length - 2) + 1)}${name}/`;
}

/** A log of a segment, to be put together with others. */
interface Member {
  readonly segment: CopySegment;
  readonly object: ObjectSummary;
  readonly expected: ExpectedLog | undefined;
}

/** Logs of one field, or of deletes, in their order: those of one directory become one. */
interface Merging {
  readonly kind: "insert" | "delta";
  /** "" of deletes. */
  readonly field: string;
  /** The directory of all. */
  readonly to: string;
  readonly members: readonly Member[];
}

/** A merging whose logs were read. */
interface ReadMerging extends Merging {
  readonly logs: readonly ReadLog[];
}

/** A log in memory. */
interface ReadLog {
  readonly member: Member;
  readonly bytes: Uint8Array;
  /** Of the kind that the manifest has. */
  readonly checksum: string;
}

class BatchMerger {
  readonly #batch: CopyBatch;
  readonly #stores: BatchStores;
  readonly #isCancelled: () => Promise<boolean>;
  readonly #comparison: ContentComparison;
  readonly #pace: Pace;
  readonly #payloads: () => Promise<PayloadReader>;
  readonly #slot: ReturnType<typeof objectSlots>;
  /** By segment, for people. */
  readonly #problems = new Map<CopySegment, string[]>();
  readonly #vanished = new Map<CopySegment, string>();
  readonly #logs = new Map<CopySegment, { insertLogs: CopiedLog[]; deltaLogs: CopiedLog[] }>();

  constructor(batch: CopyBatch, stores: BatchStores, { isCancelled, pace, payloads }: MergeOptions) {
    this.#pace = pace;
    this.#payloads = payloads;
    this.#slot = objectSlots({ ...pace, smallObjects: pace.mergedObjects });
    this.#batch = batch;
    this.#stores = stores;
    this.#isCancelled = isCancelled;
    this.#comparison = new ContentComparison(stores.source, batch.content);
  }

  async run(): Promise<CopyReceipt> {
    const { segments } = this.#batch;
    const listed = segments.map((segment) => segment.prefixes.map((prefix) => this.#select(prefix)));
    const broken = segments.flatMap((segment, index) => {
      const problem = findProblem(segment, listed[index] ?? [], this.#batch);
      return problem === undefined ? [] : [receiptOf(segment, problem)];
    });
    if (broken.length > 0) return this.#receipt("source-changed", broken);
    const mergings = this.#plan(listed);
    if (this.#isWrong) return this.#receipt("source-changed", this.#wrongSegments());

    const read = await settleEach(mergings, this.#pace.fields, (merging, isStopped) =>
      this.#readAll(merging, isStopped),
    );
    if (this.#isWrong) return this.#receipt("source-changed", this.#wrongSegments());
    const whole = read.filter((one) => one !== undefined);
    if (whole.length < mergings.length || (await this.#isCancelled())) return this.#receipt("cancelled", []);
    const apart = await this.#apart(whole);
    const joins = this.#isWrong ? [] : whole.flatMap((merging) => this.#joins(merging, apart));
    if (this.#isWrong) return this.#receipt("source-changed", this.#wrongSegments());

    await this.#deleteOthers(new Set(joins.map(({ key }) => key)));
    await settleEach(joins, this.#pace.fields, async ({ key, join }) => this.#write(key, join));
    const merged = await this.#look(joins.map(({ key, join }) => ({ key, size: join.size })));
    const receipts = segments.map((segment) =>
      receiptOf(segment, { outcome: "copied" }, this.#logs.get(segment) ?? { insertLogs: [], deltaLogs: [] }),
    );
    return { ...this.#receipt("copied", receipts), merged };
  }

  #select(prefix: CopySegment["prefixes"][number]): ListedPrefix {
    return selectObjects(prefix, this.#stores.listed.get(prefix.from) ?? []);
  }

  /** What becomes of the logs, field by field; every field must have the same logs of the same segments, or rows would mix. */
  #plan(listed: readonly (readonly ListedPrefix[])[]): Merging[] {
    const inserts = new Map<string, Member[]>();
    const deltas: Member[] = [];
    let [insertTo, deltaTo] = ["", ""];
    let fields: string | undefined;
    for (const [index, segment] of this.#batch.segments.entries()) {
      const counts = new Map<string, number>();
      for (const { prefix, objects } of listed[index] ?? []) {
        const expected = new Map(prefix.expect?.map((log) => [log.path, log]));
        const members = objects
          .map((object) => ({ path: relativePath(prefix, object.key), object }))
          .sort((one, other) => compareLogNames(nameOf(one.path), nameOf(other.path)))
          .map(({ path, object }) => ({ path, member: { segment, object, expected: expected.get(path) } }));
        if (prefix.kind === "delta") {
          deltaTo = prefix.to;
          deltas.push(...members.map(({ member }) => member));
          continue;
        }
        insertTo = prefix.to;
        for (const { path, member } of members) {
          const field = fieldOf(path);
          counts.set(field, (counts.get(field) ?? 0) + 1);
          const ofField = inserts.get(field) ?? [];
          ofField.push(member);
          inserts.set(field, ofField);
        }
      }
      const own = [...counts.keys()].sort().join();
      fields ??= own;
      if (new Set(counts.values()).size !== 1) {
        this.#note(segment, "its fields do not have the same number of logs, so that its rows cannot be told");
      } else if (own !== fields) {
        this.#note(
          segment,
          `it has logs of the fields ${own}, and segment ${this.#batch.segments[0]?.segmentId} of ${fields}`,
        );
      }
    }
    return [
      ...[...inserts].map(([field, members]): Merging => ({ kind: "insert", field, to: insertTo, members })),
      ...(deltas.length === 0 ? [] : [{ kind: "delta", field: "", to: deltaTo, members: deltas } as const]),
    ];
  }

  /** @returns undefined where it need not be written: something is wrong, or it was cancelled */
  async #readAll(merging: Merging, isStopped: () => boolean): Promise<ReadMerging | undefined> {
    const { members } = merging;
    const read = await settleEach(members, members.length, (member, isFaulty) =>
      this.#slot(member.object.size, async () =>
        isFaulty() || isStopped() || (await this.#isCancelled()) ? undefined : this.#read(member),
      ),
    );
    const logs = read.filter((log) => log !== undefined);
    return logs.length < members.length ? undefined : { ...merging, logs };
  }

  /** What each directory gets of a merging. */
  #joins(
    { kind, field, to, logs }: ReadMerging,
    apart: ReadonlySet<CopySegment>,
  ): { readonly key: string; readonly join: BinlogJoin }[] {
    const first = this.#batch.segments.find((segment) => !apart.has(segment));
    const shared = this.#batch.apart && first ? besides(to, first.segmentId) : to;
    const directories = Map.groupBy(logs, ({ member: { segment } }) =>
      apart.has(segment) ? besides(to, segment.segmentId) : shared,
    );
    return [...directories].map(([directory, members]) => {
      const key = `${directory}${kind === "insert" ? `${field}/` : ""}${idOf(directory)}`;
      for (const log of members) this.#noteLog(kind, key, log);
      return { key, join: this.#join(members) };
    });
  }

  /** Puts logs together; what cannot be is noted. */
  #join(logs: readonly ReadLog[]): BinlogJoin {
    const join = new BinlogJoin();
    for (const { member, bytes } of logs) this.#unlessCorrupt(member, () => join.add(bytes, member.object.key));
    return join;
  }

  /** The segments that share a directory with nobody. */
  async #apart(read: readonly ReadMerging[]): Promise<ReadonlySet<CopySegment>> {
    const { apart: rules, segments } = this.#batch;
    if (rules === undefined) return new Set();
    const logsOf = (segment: CopySegment, of: Pick<Merging, "kind" | "field">) =>
      read
        .filter(({ kind, field }) => kind === of.kind && field === of.field)
        .flatMap(({ logs }) => logs.filter(({ member }) => member.segment === segment))
        .flatMap(({ member, bytes }) => {
          const object = member.object.key;
          const binlog = this.#unlessCorrupt(member, () => readBinlog(bytes, object));
          return binlog ? [{ object, binlog }] : [];
        });
    const keyed = segments.map((segment) => ({
      keys: logsOf(segment, { kind: "insert", field: rules.primaryKey.id }),
      timestamps: logsOf(segment, { kind: "insert", field: timestampFieldId.toString() }),
      deletes: logsOf(segment, { kind: "delta", field: "" }),
    }));
    const positions = segmentsApart(keyed, rules, await this.#payloads());
    return new Set(segments.filter((_, index) => positions.has(index)));
  }

  /** @returns undefined where the log is broken, which is noted */
  #unlessCorrupt<T>({ segment }: Member, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!isNamed(error, "CorruptBackup")) throw error;
      this.#note(segment, error.message);
      return undefined;
    }
  }

  /** @returns undefined where it is not what was listed, or not what was backed up */
  async #read(member: Member): Promise<ReadLog | undefined> {
    const { object, expected, segment } = member;
    const { source } = this.#stores;
    try {
      const bytes = await source.readRange(object, { offset: 0, size: object.size });
      const checksum = checksumFor(bytes, expected);
      const problem = await this.#comparison.problemOf(object, expected, { checksum });
      if (problem === undefined) return { member, bytes, checksum };
      this.#note(segment, problem);
    } catch (error) {
      if (!isNamed(error, "ObjectNotFound")) throw error;
      this.#vanished.set(segment, `segment ${segment.segmentId}: ${error.message}`);
    }
    return undefined;
  }

  async #write(key: string, join: BinlogJoin): Promise<void> {
    await this.#stores.confirm();
    await writePieces(this.#stores.destination, key, join.pieces());
  }

  /** Removes what an earlier attempt left in the directories: Milvus imports whatever lies there. */
  async #deleteOthers(keys: ReadonlySet<string>): Promise<void> {
    const others = this.#directories
      .flatMap((directory) => this.#stores.present.get(directory) ?? [])
      .map(({ key }) => key)
      .filter((key) => !keys.has(key));
    if (others.length === 0) return;
    await this.#stores.confirm();
    await this.#stores.destination.deleteKeys(others);
  }

  /** Whether what was written is all that lies there. @throws CopyMismatch */
  async #look(written: readonly { readonly key: string; readonly size: number }[]): Promise<MergedLog[]> {
    const { destination } = this.#stores;
    const found = [...(await listPrefixes(destination, this.#directories)).values()].flat();
    checkFound(destination, written, found);
    return found;
  }

  get #directories(): string[] {
    return mergeDirectories(this.#batch);
  }

  get #isWrong(): boolean {
    return this.#problems.size + this.#vanished.size > 0;
  }

  #note(segment: CopySegment, problem: string): void {
    this.#problems.set(segment, [...(this.#problems.get(segment) ?? []), problem]);
  }

  #noteLog(kind: Merging["kind"], key: string, { member: { segment, object }, checksum }: ReadLog): void {
    const logs = this.#logs.get(segment) ?? { insertLogs: [], deltaLogs: [] };
    this.#logs.set(segment, logs);
    const { size, etag } = object;
    const log = { from: object.key, key, size, etag, checksum };
    (kind === "insert" ? logs.insertLogs : logs.deltaLogs).push(log);
  }

  #wrongSegments(): SegmentReceipt[] {
    return this.#batch.segments.flatMap((segment) => {
      const problems = this.#problems.get(segment);
      if (problems) return [mismatch(segment, problems)];
      const problem = this.#vanished.get(segment);
      return problem === undefined ? [] : [receiptOf(segment, { outcome: "source-changed", problem })];
    });
  }

  #receipt(outcome: CopyReceipt["outcome"], segments: readonly SegmentReceipt[]): CopyReceipt {
    const logs = segments.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs]);
    return {
      batch: this.#batch.batch,
      outcome,
      objects: logs.length,
      bytes: logs.reduce((sum, { size }) => sum + size, 0),
      skippedObjects: 0,
      bySize: this.#comparison.bySize,
      segments: [...segments],
    };
  }
}

/** Of the kind that is expected, where one is that can be computed. */
function checksumFor(bytes: Uint8Array, expected: ExpectedLog | undefined): string {
  const kind = expected?.checksum === undefined ? "md5" : kindOfChecksum(expected.checksum);
  return checksumOf(bytes, kind) ?? checksumOf(bytes, "md5");
}

/** `<field>/<log>` */
function fieldOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The last part of a directory: a log that is put together gets the ID of its directory. */
function idOf(directory: string): string {
  return nameOf(directory.slice(0, -1));
}

function isNamed(error: unknown, name: PipelineError["name"]): error is PipelineError {
  return error instanceof PipelineError && error.name === name;
}
