import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parquetPayloads } from "../../../../src/adapters/parquet/payload-reader.ts";
import { readBinlog } from "../../../../src/core/binlog/frame.ts";
import { contentHash } from "../../../../src/core/execution/content-hash.ts";
import { type CopyBatch, copyReceipt, type DeletesApart } from "../../../../src/core/execution/copy-plan.ts";
import { parseLogKey } from "../../../../src/core/format/layout.ts";
import { copySegments } from "../../../../src/steps/copy/copy-segments.ts";
import { binlogOf, type Column, payloadOf } from "../../../support/binlog-writer.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import { memoryContext } from "../../../support/memory-context.ts";
import type { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { type SeededDelete, tick } from "../../../support/row-backup.ts";

const refs = {
  source: { environment: "dr", side: "backup" },
  destination: { environment: "dr", side: "milvus" },
} as const;
const request = { execution: "restore", batchKey: "executions/restore/restore/batches/0-000000.json" };
const stage = "milvus-backup-staging/0123456789ab/t0-fedcba987654";
const insertParent = `${stage}/insert_log/1/2/`;
const deltaParent = `${stage}/delta_log/1/2/`;
const text = { id: "100", name: "id", dataType: 21 };
const int64 = { id: "100", name: "id", dataType: 5 };

type Row = readonly [key: number, at: number];
interface Segment {
  /** Each batch is one log a field. */
  readonly batches: readonly (readonly Row[])[];
  readonly deletes: readonly SeededDelete[];
}
const one = (rows: readonly Row[], deletes: readonly SeededDelete[] = []): Segment => ({ batches: [rows], deletes });

const idOf = (segment: number) => String(10 + segment);
const keyText = (key: number) => `key ${key}`;
/** Tells a row from all others: segment, position. */
const rowText = (segment: number, batch: number, row: number) => `${segment}/${batch}/${row}`;

class Staging {
  readonly context = memoryContext();
  readonly source: MemoryObjectStore;
  readonly destination: MemoryObjectStore;
  readonly #segments: readonly Segment[];
  readonly #apart: DeletesApart;

  constructor(segments: readonly Segment[], apart: Partial<DeletesApart> = {}) {
    this.source = this.context.store(refs.source);
    this.destination = this.context.store(refs.destination);
    this.#segments = segments;
    this.#apart = { primaryKey: int64, byTime: true, ...apart };
    for (const [index, segment] of segments.entries()) this.#seed(index, segment);
    this.plan();
  }

  async run(wrap: (store: string, of: MemoryObjectStore) => MemoryObjectStore = (_, of) => of) {
    const context = {
      ...this.context,
      payloads: async () => parquetPayloads,
      openStore: async (ref: { side: string }) =>
        ref.side === "backup" ? wrap("source", this.source) : wrap("destination", this.destination),
    };
    return copySegments(request, context);
  }

  /** The segments of each directory that has rows, by its name; each segment by its number. */
  directories(): Record<string, number[]> {
    const of = (directory: string) => [...new Set(this.#rowsIn(directory).map(({ segment }) => segment))];
    return Object.fromEntries(this.#names().map((name) => [name, of(name)]));
  }

  /** What a server imports of what lies there: deletes of a directory take rows of that directory. */
  restored({ byTime = this.#apart.byTime } = {}): string[] {
    return this.#names()
      .flatMap((name) => living(this.#rowsIn(name), this.#deletesIn(name), { ...this.#apart, byTime }))
      .sort();
  }

  /** The same of segments that have a directory each. */
  expected({ byTime = this.#apart.byTime } = {}): string[] {
    return this.#segments
      .flatMap((segment, index) => living(rowsOf(segment, index), segment.deletes, { ...this.#apart, byTime }))
      .sort();
  }

  receipt() {
    return copyReceipt.parse(JSON.parse(this.context.work.read("receipts/0-000000.json") ?? "null"));
  }

  plan(): void {
    const batch: CopyBatch = {
      batch: "0-000000",
      ...refs,
      receiptKey: "receipts/0-000000.json",
      cancelKey: "cancelled",
      checkLogCounts: false,
      content: "read",
      merged: true,
      apart: this.#apart,
      segments: this.#segments.map(({ batches, deletes }, index) => ({
        collectionId: "1",
        partitionId: "2",
        segmentId: idOf(index),
        rows: String(batches.flat().length),
        isL0: false,
        prefixes: [this.#prefix("insert", index), ...(deletes.length > 0 ? [this.#prefix("delta", index)] : [])],
      })),
    };
    this.context.work.seed(request.batchKey, JSON.stringify(batch));
  }

  #prefix(kind: "insert" | "delta", index: number) {
    const from = fromOf(kind, index);
    const expected = this.source.keys(from).map((key) => {
      const bytes = this.source.bytes(key) ?? expect.fail();
      const hash = contentHash("md5") ?? expect.fail();
      hash.update(bytes);
      return { path: key.slice(from.length), size: bytes.length, etag: "other", checksum: `md5:${hash.digest()}` };
    });
    return { kind, from, to: `${kind === "insert" ? insertParent : deltaParent}${idOf(0)}/`, expect: expected };
  }

  #seed(index: number, { batches, deletes }: Segment): void {
    const isText = this.#apart.primaryKey.dataType === text.dataType;
    for (const [batch, rows] of batches.entries()) {
      const keys: Column = isText
        ? { type: "text", values: rows.map(([key]) => keyText(key)) }
        : { type: "int64", values: rows.map(([key]) => BigInt(key)) };
      const columns: Record<number, [Column, number]> = {
        1: [{ type: "int64", values: rows.map(([, at]) => tick(at)) }, 5],
        100: [keys, this.#apart.primaryKey.dataType],
        101: [{ type: "text", values: rows.map((_, row) => rowText(index, batch, row)) }, 21],
      };
      for (const [field, [column, dataType]] of Object.entries(columns)) {
        const bytes = binlogOf([payloadOf(column)], { fieldId: BigInt(field), dataType });
        this.source.seed(`${fromOf("insert", index)}${field}/${900 + batch}`, bytes);
      }
    }
    for (const [log, entries] of [deletes.slice(0, 1), deletes.slice(1)].entries()) {
      if (entries.length === 0) continue;
      const line = ([key, at]: SeededDelete) =>
        `{"pk":${isText ? JSON.stringify(keyText(key)) : key},"ts":${tick(at)},"pkType":${isText ? 21 : 5}}`;
      const payload = payloadOf({ type: "text", values: entries.map(line) });
      const bytes = binlogOf([payload], { fieldId: -1n, dataType: 20, type: "delete" });
      this.source.seed(`${fromOf("delta", index)}${500 + log}`, bytes);
    }
  }

  #names(): string[] {
    const names = this.destination.keys(insertParent).map((key) => parseLogKey(key)?.segmentId ?? expect.fail(key));
    return [...new Set(names)].sort();
  }

  #rowsIn(name: string): LaidRow[] {
    const column = (field: string) => this.#column(`${insertParent}${name}/${field}/${name}`);
    const [keys, times, values] = [column("100"), column("1"), column("101")];
    expect([keys.length, times.length]).toEqual([values.length, values.length]);
    return keys.map((key, row) => {
      const value = String(values[row]);
      return { key: numberOf(key), at: BigInt(String(times[row])), value, segment: Number(value.split("/")[0]) };
    });
  }

  #deletesIn(name: string): SeededDelete[] {
    const key = `${deltaParent}${name}/${name}`;
    if (this.destination.bytes(key) === undefined) return [];
    return this.#column(key).map((line): SeededDelete => {
      const [, pk = "", ts = ""] = /^\{"pk":"?(?:key )?(\d+)"?,"ts":(\d+)/.exec(String(line)) ?? expect.fail();
      return [Number(pk), Number(BigInt(ts) - tick(0))];
    });
  }

  #column(key: string): unknown[] {
    const bytes = this.destination.bytes(key) ?? expect.fail(`${key} is not there`);
    return [...parquetRows(bytes)];
  }
}

interface LaidRow {
  readonly key: number;
  readonly at: bigint;
  readonly value: string;
  readonly segment: number;
}

function* parquetRows(bytes: Uint8Array): Generator<unknown> {
  for (const { payload } of readBinlog(bytes, "log").events) {
    const [column] = parquetPayloads.read(payload, { offset: 0, rows: 1_000 }).columns;
    for (let row = 0; row < (column?.length ?? 0); row += 1) yield column?.at(row);
  }
}

function numberOf(key: unknown): number {
  return typeof key === "string" ? Number(key.slice("key ".length)) : Number(key);
}

function rowsOf({ batches }: Segment, segment: number): LaidRow[] {
  return batches.flatMap((rows, batch) =>
    rows.map(([key, at], row) => ({ key, at: tick(at), value: rowText(segment, batch, row), segment })),
  );
}

/** What Milvus 2.3.5 leaves of the rows of a directory (measured), or one before it. */
function living(rows: readonly LaidRow[], deletes: readonly SeededDelete[], { byTime, until }: DeletesApart): string[] {
  const end = until === undefined ? undefined : BigInt(until);
  const isSeen = (at: bigint) => end === undefined || at <= end;
  const takes = (row: LaidRow) =>
    deletes.some(([key, at]) => key === row.key && isSeen(tick(at)) && (!byTime || tick(at) > row.at));
  return rows.filter((row) => isSeen(row.at) && !takes(row)).map(({ value }) => value);
}

function fromOf(kind: "insert" | "delta", segment: number): string {
  const id = idOf(segment);
  return `backup/b/binlogs/${kind}_log/1/2/${id}/${id}/`;
}

/** The directories that segments came into, after a run that went well. */
async function staged(segments: readonly Segment[], apart: Partial<DeletesApart> = {}) {
  const staging = new Staging(segments, apart);

  expect(await staging.run()).toMatchObject({ outcome: "copied" });
  expect(staging.restored()).toEqual(staging.expected());
  return staging.directories();
}

describe.each([["Int64", int64] as const, ["VarChar", text] as const])(
  "segments with deletes, keys of %s",
  (_, primaryKey) => {
    test("share a directory where each deletes its own rows", async () => {
      const segments = [
        one(
          [
            [1, 1],
            [2, 2],
          ],
          [[1, 5]],
        ),
        one([[3, 3]]),
        one([[4, 4]], [[4, 5]]),
      ];

      expect(await staged(segments, { primaryKey })).toEqual({ 10: [0, 1, 2] });
    });

    test("keep one of their own where a delete would take a row of another: it was written again there, and the delete of that is not in the backup", async () => {
      const segments = [one([[1, 1]], [[1, 9]]), one([[1, 3]]), one([[2, 1]], [[2, 2]])];

      expect(await staged(segments, { primaryKey })).toEqual({ 10: [0], 11: [1, 2] });
    });

    test("share it where the other row is newer, or as old as the delete: it was written again", async () => {
      expect(await staged([one([[1, 1]], [[1, 3]]), one([[1, 3]]), one([[1, 4]])], { primaryKey })).toEqual({
        10: [0, 1, 2],
      });
    });

    test("share it where the other one has deleted that row itself", async () => {
      expect(await staged([one([[1, 1]], [[1, 9]]), one([[1, 3]], [[1, 5]])], { primaryKey })).toEqual({ 10: [0, 1] });
    });

    test("keep their own where a server holds no time against the row's, unless the other one deletes that key too", async () => {
      const rules = { primaryKey, byTime: false };
      expect(await staged([one([[1, 1]], [[1, 3]]), one([[1, 4]])], rules)).toEqual({ 10: [0], 11: [1] });
      expect(await staged([one([[1, 1]], [[1, 3]]), one([[1, 4]], [[1, 9]])], rules)).toEqual({ 10: [0, 1] });
      const cut = { ...rules, until: tick(5).toString() };
      expect(await staged([one([[1, 1]], [[1, 3]]), one([[1, 4]], [[1, 9]])], cut)).toEqual({ 10: [0], 11: [1] });
    });

    test("keep their own too where a server that may hold no time against the row's does: 2.3.4 has the correction, and whatever was built of 2.2 since", async () => {
      const segments = [one([[1, 1]], [[1, 9]]), one([[1, 4]], [[1, 3]])];
      const staging = new Staging(segments, { primaryKey, byTime: false });

      expect(await staging.run()).toMatchObject({ outcome: "copied" });

      expect(staging.restored({ byTime: true })).toEqual(staging.expected({ byTime: true }));
      expect(staging.directories()).toEqual({ 10: [0], 11: [1] });
    });

    test("of which all rows are deleted, once or several times, share it", async () => {
      const segments = [
        one(
          [
            [1, 1],
            [1, 4],
          ],
          [
            [1, 2],
            [1, 9],
            [1, 5],
          ],
        ),
        one([[2, 1]], [[2, 9]]),
      ];

      expect(await staged(segments, { primaryKey })).toEqual({ 10: [0, 1] });
    });
  },
);

const rows = fc.array(fc.tuple(fc.nat(4), fc.nat(8)), { minLength: 1, maxLength: 4 });
const segmentsArbitrary = fc.array(
  fc.record({
    batches: fc.integer({ min: 1, max: 2 }).chain((count) => fc.array(rows, { minLength: count, maxLength: count })),
    deletes: fc.array(fc.tuple(fc.nat(4), fc.nat(9)), { maxLength: 3 }),
  }),
  { minLength: 2, maxLength: 4 },
);
const rulesArbitrary = fc.record({
  primaryKey: fc.constantFrom(int64, text),
  byTime: fc.boolean(),
  until: fc.option(fc.nat(9), { nil: undefined }),
});

test("whatever rows and deletes there are, a server is left with the rows that single directories leave", async () => {
  await fc.assert(
    fc.asyncProperty(segmentsArbitrary, rulesArbitrary, async (segments, { until, ...rules }) => {
      // a cut into a server that goes by time is not looked at
      const end = until === undefined || rules.byTime ? {} : { until: tick(until).toString() };
      const staging = new Staging(segments, { ...rules, ...end });

      expect(await staging.run()).toMatchObject({ outcome: "copied" });

      expect(staging.restored()).toEqual(staging.expected());
      const apart = offenders(segments, { primaryKey: rules.primaryKey, byTime: rules.byTime, ...end });
      const together = segments.length - apart.length;
      const sizes = Object.values(staging.directories()).map((of) => of.length);
      expect(sizes.sort()).toEqual([...apart.map(() => 1), ...(together > 0 ? [together] : [])].sort());
      // told that it may hold no time against the row's, it may all the same
      expect(staging.restored({ byTime: true })).toEqual(staging.expected({ byTime: true }));
    }),
    { numRuns: 100 },
  );
});

/** The segments with a delete that takes a row of another one which that one keeps. */
function offenders(segments: readonly Segment[], rules: DeletesApart): number[] {
  const { until: _, ...always } = rules;
  const kept = (segment: number, deletes: readonly SeededDelete[], by: DeletesApart) =>
    living(rowsOf(segments[segment] ?? expect.fail(), segment), deletes, by);
  return [...segments.keys()].filter((segment) =>
    [...segments.keys()].some((other) => {
      if (other === segment) return false;
      // rows of later than the end count, too: whether a server leaves them out is its own affair
      const own = (segments[other]?.deletes ?? []).filter(([, at]) => !rules.until || tick(at) <= BigInt(rules.until));
      // which its own deletes take for certain: whether a server holds times against each other is not always known
      const alive = new Set(kept(other, own, { ...always, byTime: true }));
      const left = new Set(kept(other, segments[segment]?.deletes ?? [], always));
      return [...alive].some((row) => !left.has(row));
    }),
  );
}

describe("what is written", () => {
  /** The first and the third have directories of their own. */
  const segments = [
    one(
      [[1, 1]],
      [
        [1, 9],
        [7, 2],
      ],
    ),
    one([
      [1, 3],
      [2, 3],
    ]),
    one([[3, 1]], [[2, 9]]),
    one([[4, 1]], [[4, 2]]),
  ];
  const apart = { 10: [0], 11: [1, 3], 12: [2] };

  test("is told by the receipt: every log that lies there, and what went into it", async () => {
    const staging = new Staging(segments);
    await staging.run();

    const { merged, segments: receipts, objects } = staging.receipt();
    expect(staging.directories()).toEqual(apart);
    expect(merged?.map(({ key }) => key).sort()).toEqual(staging.destination.keys());
    expect(objects).toBe(staging.source.keys().length);
    expect(receipts[2]?.insertLogs.map(({ key }) => key)).toEqual(
      ["1", "100", "101"].map((field) => `${insertParent}12/${field}/12`),
    );
    expect(receipts[3]?.deltaLogs.map(({ key }) => key)).toEqual([`${deltaParent}11/11`]);
  });

  test("is the same when it is written again, and what another attempt left in any of the directories goes", async () => {
    const staging = new Staging(segments);
    await staging.run();
    const first = staging.destination.keys();
    staging.context.work.remove("receipts/0-000000.json");
    for (const id of ["10", "11", "12", "13"]) {
      staging.destination.seed(`${insertParent}${id}/102/9`, "a field that is none");
      staging.destination.seed(`${deltaParent}${id}/9`, "deletes that are none");
    }
    staging.destination.seed(`${insertParent}14/100/9`, "a neighbour's");

    await staging.run();

    expect(staging.destination.keys()).toEqual([...first, `${insertParent}14/100/9`].sort());
  });

  test.each<FaultMoment>(["before", "after"])("comes out right when the function dies %s any call", async (moment) => {
    const undisturbed = new FaultInjector();
    await new Staging(segments).run((name, store) => undisturbed.wrap(name, store));
    expect(undisturbed.calls.length).toBeGreaterThan(20);
    for (const [call, name] of undisturbed.calls.entries()) {
      const staging = new Staging(segments);
      const faults = new FaultInjector(call, moment);
      await staging.run((store, of) => faults.wrap(store, of)).catch(() => undefined);

      expect(await staging.run(), name).toMatchObject({ outcome: "copied" });

      expect(staging.directories(), name).toEqual(apart);
      expect(staging.restored(), name).toEqual(staging.expected());
    }
  });
});

describe("what cannot be known", () => {
  const segments = [one([[1, 1]], [[1, 2]]), one([[2, 1]]), one([[3, 1]], [[3, 2]]), one([[4, 1]])];
  const noParquet = (fieldId: bigint, type: "insert" | "delete", dataType = 5) =>
    binlogOf([Buffer.from("no Parquet")], { fieldId, type, dataType });

  test.each<[string, string, Buffer, Record<string, number[]>]>([
    [
      "deletes that nobody can read keep their rows' directory",
      `${fromOf("delta", 0)}500`,
      noParquet(-1n, "delete", 20),
      { 10: [0], 11: [1, 2, 3] },
    ],
    [
      "rows without deletes whose keys nobody can read: all with deletes keep theirs",
      `${fromOf("insert", 1)}1/900`,
      noParquet(1n, "insert"),
      { 10: [0], 12: [2] },
    ],
  ])("%s", async (_, key, bytes, directories) => {
    const staging = new Staging(segments);
    staging.source.seed(key, bytes);
    staging.plan();

    expect(await staging.run()).toMatchObject({ outcome: "copied" });

    const names = [...new Set(staging.destination.keys(insertParent).map((one) => parseLogKey(one)?.segmentId))];
    for (const [name, of] of Object.entries(directories)) {
      expect(names).toContain(name);
      const receipts = staging.receipt().segments;
      for (const segment of of) expect(receipts[segment]?.insertLogs[0]?.key).toContain(`${insertParent}${name}/`);
    }
    expect(names).toContain("11");
    expect(staging.destination.keys(deltaParent)).toHaveLength(2);
  });
});
