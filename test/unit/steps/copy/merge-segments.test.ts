import { createHash } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { readBinlog } from "../../../../src/core/binlog/frame.ts";
import { contentHash } from "../../../../src/core/execution/content-hash.ts";
import { type CopyBatch, type CopySegment, copyReceipt } from "../../../../src/core/execution/copy-plan.ts";
import type { CopyContext } from "../../../../src/steps/copy/copy-segments.ts";
import { copySegments } from "../../../../src/steps/copy/copy-segments.ts";
import { binlogOf } from "../../../support/binlog-writer.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import { memoryContext } from "../../../support/memory-context.ts";
import type { MemoryObjectStore } from "../../../support/memory-object-store.ts";

const sourceRef = { environment: "dr", side: "backup" } as const;
const destinationRef = { environment: "dr", side: "milvus" } as const;
const request = { execution: "restore", batchKey: "executions/restore/restore/batches/0-000000.json" };
const stage = "milvus-backup-staging/0123456789ab/t0-fedcba987654";
const insertTo = `${stage}/insert_log/1/2/10/`;
const deltaTo = `${stage}/delta_log/1/2/10/`;
const fields = ["0", "1", "100", "101"];
const ids = ["10", "11", "12"];
/** Logs of each field; those of a flush have neighbouring IDs, and the IDs get one digit more in between. */
const logIds = ["99", "100"];

let context: ReturnType<typeof memoryContext>;
let source: MemoryObjectStore;
let destination: MemoryObjectStore;

beforeEach(() => {
  context = memoryContext();
  source = context.store(sourceRef);
  destination = context.store(destinationRef);
  for (const id of ids) seedSegment(id);
});

const insertFrom = (id: string) => `backup/b/binlogs/insert_log/1/2/${id}/${id}/`;
const deltaFrom = (id: string) => `backup/b/binlogs/delta_log/1/2/${id}/${id}/`;
const deltaOf = (id: string) => ({ "12": [] as string[] })[id] ?? ["7"];

/** Two logs of each field, and deletes in the first two segments. */
function seedSegment(id: string): void {
  for (const field of fields) {
    for (const log of logIds) source.seed(`${insertFrom(id)}${field}/${log}`, insertLog(id, field, log));
  }
  for (const log of deltaOf(id)) source.seed(deltaFrom(id) + log, deltaLog(id));
}

function insertLog(id: string, field: string, log: string): Buffer {
  return binlogOf([Buffer.from(`${id}/${log} of field ${field}`)], { fieldId: BigInt(field) });
}

function deltaLog(id: string): Buffer {
  return binlogOf([Buffer.from(`deletes of ${id}`)], { fieldId: -1n, dataType: 20, type: "delete" });
}

interface Sums {
  readonly kind?: "md5" | "crc64nvme";
}

function segment(id: string, { kind }: Sums = {}): CopySegment {
  const expected = (path: string, from: string) => {
    const bytes = source.bytes(from + path) ?? expect.fail();
    const hash = contentHash(kind ?? "md5") ?? expect.fail();
    hash.update(bytes);
    return { path, size: bytes.length, etag: "another store's", checksum: `${kind ?? "md5"}:${hash.digest()}` };
  };
  const from = insertFrom(id);
  const expect_ = fields.flatMap((field) => logIds.map((log) => expected(`${field}/${log}`, from)));
  const deletes = deltaOf(id).map((log) => expected(log, deltaFrom(id)));
  return {
    collectionId: "1",
    partitionId: "2",
    segmentId: id,
    rows: "500",
    isL0: false,
    prefixes: [
      { kind: "insert", from, to: insertTo, expect: expect_ },
      ...(deletes.length > 0 ? [{ kind: "delta" as const, from: deltaFrom(id), to: deltaTo, expect: deletes }] : []),
    ],
  };
}

function plan(more: Partial<CopyBatch> = {}, sums: Sums = {}): void {
  const { segments = ids.map((id) => segment(id, sums)) } = more;
  const batch: CopyBatch = {
    batch: "0-000000",
    source: sourceRef,
    destination: destinationRef,
    receiptKey: "receipts/0-000000.json",
    cancelKey: "cancelled",
    checkLogCounts: false,
    content: "read",
    merged: true,
    ...more,
    segments,
  };
  context.work.seed(request.batchKey, JSON.stringify(batch));
}

function receipt() {
  return copyReceipt.parse(JSON.parse(context.work.read("receipts/0-000000.json") ?? "null"));
}

function payloads(key: string): string[] {
  const bytes = destination.bytes(key) ?? expect.fail(`${key} is not there`);
  return readBinlog(bytes, key).events.map(({ payload }) => Buffer.from(payload).toString());
}

/** The keys and contents of everything at the destination. */
function lying(): Record<string, string> {
  return Object.fromEntries(
    destination.keys().map((key) => [
      key,
      createHash("md5")
        .update(destination.bytes(key) ?? "")
        .digest("hex"),
    ]),
  );
}

const reads = () => source.calls.filter((call) => call.startsWith("readRange"));

describe("segments whose logs are put together", () => {
  test("become one log a field, with the same segments and logs in the same order in each, and one of deletes", async () => {
    plan();

    expect(await copySegments(request, context)).toMatchObject({ outcome: "copied" });

    expect(destination.keys()).toEqual([`${deltaTo}10`, ...fields.map((field) => `${insertTo}${field}/10`)]);
    for (const field of fields) {
      expect(payloads(`${insertTo}${field}/10`)).toEqual(
        ids.flatMap((id) => logIds.map((log) => `${id}/${log} of field ${field}`)),
      );
    }
    expect(payloads(`${deltaTo}10`)).toEqual(["deletes of 10", "deletes of 11"]);
  });

  test("are told each by itself, with what they were put into", async () => {
    plan();
    await copySegments(request, context);

    const { segments, objects, bytes, merged, bySize } = receipt();
    expect({ objects, bySize }).toEqual({ objects: 26, bySize: 0 });
    expect(segments.map(({ segmentId, outcome }) => [segmentId, outcome])).toEqual(ids.map((id) => [id, "copied"]));
    const logs = segments.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs]);
    expect(logs.map(({ from }) => from).sort()).toEqual(source.keys());
    expect(bytes).toBe(logs.reduce((sum, { size }) => sum + size, 0));
    expect(merged?.map(({ key, size }) => [key, size]).sort()).toEqual(
      destination.keys().map((key) => [key, destination.bytes(key)?.length]),
    );
  });

  test.each(["md5", "crc64nvme"] as const)(
    "each object is read once, and no other request tells its content (%s)",
    async (kind) => {
      plan({}, { kind });

      await copySegments(request, context);

      expect(receipt().outcome).toBe("copied");
      expect(reads()).toHaveLength(26);
      expect(new Set(reads()).size).toBe(26);
      expect(source.calls.filter((call) => call.startsWith("hasContent"))).toEqual([]);
    },
  );

  test("run again write the same", async () => {
    plan();
    await copySegments(request, context);
    const first = lying();
    context.work.remove("receipts/0-000000.json");

    await copySegments(request, context);

    expect(lying()).toEqual(first);
    expect(receipt().outcome).toBe("copied");
  });

  test("leave nothing beside themselves: what another attempt left there goes, what is not theirs stays", async () => {
    destination.seed(`${insertTo}102/10`, "a field that is none");
    destination.seed(`${insertTo}100/9`, "an older name");
    destination.seed(`${stage}/insert_log/1/2/100/100/9`, "a neighbour's");
    plan();

    await copySegments(request, context);

    expect(destination.keys(insertTo)).toEqual(fields.map((field) => `${insertTo}${field}/10`));
    expect(destination.keys(`${stage}/insert_log/1/2/100/`)).toHaveLength(1);
  });

  test("without deletes have no log of them", async () => {
    plan({ segments: [segment("12")] });

    await copySegments(request, context);

    expect(destination.keys()).toEqual(fields.map((field) => `${insertTo}${field}/10`));
  });

  test("compared with nothing are the objects that the plan names", async () => {
    source.seed(`${insertFrom("11")}100/777`, "nobody's");
    const segments = ids.map((id) => {
      const { prefixes, ...rest } = segment(id);
      return {
        ...rest,
        prefixes: prefixes.map(({ expect: logs = [], ...prefix }) => ({
          ...prefix,
          only: logs.map(({ path }) => path),
        })),
      };
    });
    plan({ segments });
    const { content: _, ...batch } = JSON.parse(context.work.read(request.batchKey) ?? "");
    context.work.seed(request.batchKey, JSON.stringify(batch));

    await copySegments(request, context);

    expect(receipt().outcome).toBe("copied");
    expect(payloads(`${insertTo}100/10`)).toHaveLength(6);
  });
});

describe("nothing is written where", () => {
  const key = `${insertFrom("11")}100/99`;

  test.each<[string, () => void, string, RegExp]>([
    ["a log is missing", () => source.remove(key), "mismatch", /100\/99 is missing/],
    ["a log is shorter", () => source.seed(key, "x"), "mismatch", /100\/99 has 1 bytes instead of \d+/],
    [
      "a log was altered at the same size",
      () => source.seed(key, Buffer.from(source.bytes(key) ?? "").fill("z", 120)),
      "mismatch",
      /insert_log\/1\/2\/11\/11\/100\/99 was altered: its content is not that of the manifest \(md5:/,
    ],
    ["a log is there that nobody knows", () => source.seed(`${key}9`, "x"), "mismatch", /is not in the meta/],
  ])("%s: the segment is named", async (_, damage, outcome, problem) => {
    plan();
    damage();

    expect(await copySegments(request, context)).toMatchObject({ outcome: "source-changed" });

    const broken = receipt().segments.filter((one) => one.outcome !== "copied");
    expect(broken).toEqual([expect.objectContaining({ segmentId: "11", outcome })]);
    expect(broken[0]?.problem).toMatch(problem);
    expect(destination.keys()).toEqual([]);
  });

  test.each<[string, Buffer, RegExp]>([
    ["is no binlog", Buffer.from("nothing that is one"), /offset 0: no binlog begins with/],
    ["is cut", insertLog("11", "100", "99").subarray(0, 130), /offset \d+: cut off: the event takes/],
    ["is of another field", insertLog("11", "101", "99"), /it is of field 101, and .*10\/10\/100\/99 of 100/],
  ])("a log %s as it was backed up: object and offset are named", async (_, bytes, problem) => {
    source.seed(key, bytes);
    plan();

    expect(await copySegments(request, context)).toMatchObject({ outcome: "source-changed" });

    const [broken, more] = receipt().segments;
    expect(more).toBeUndefined();
    expect(broken).toMatchObject({ segmentId: "11", outcome: "mismatch" });
    expect(broken?.problem).toContain(key);
    expect(broken?.problem).toMatch(problem);
    expect(destination.keys()).toEqual([]);
  });

  test.each<[string, string, string | undefined]>([
    ["a field has fewer logs than the others", `${insertFrom("11")}100/99`, undefined],
    ["a field is only in one segment", "", `${insertFrom("11")}102/1`],
  ])("%s: rows would mix", async (_, removed, added) => {
    source.remove(removed);
    if (added !== undefined) source.seed(added, insertLog("11", "102", "1"));
    const odd = segment("10");
    plan({
      segments: [
        odd,
        { ...odd, segmentId: "11", prefixes: [{ kind: "insert", from: insertFrom("11"), to: insertTo }] },
      ],
    });

    expect(await copySegments(request, context)).toMatchObject({ outcome: "source-changed" });

    expect(receipt().segments).toEqual([
      expect.objectContaining({ segmentId: "11", outcome: "mismatch", problem: expect.stringMatching(/fields/) }),
    ]);
    expect(destination.keys()).toEqual([]);
  });

  test("a log is replaced after it was listed: it is not taken for the one that was", async () => {
    plan();
    const list = source.list.bind(source);
    source.list = async function* (...of: Parameters<typeof list>) {
      yield* list(...of);
      source.seed(key, insertLog("12", "100", "99"));
    };

    expect(await copySegments(request, context)).toMatchObject({ outcome: "source-changed" });

    expect(receipt().segments).toMatchObject([{ segmentId: "11", outcome: "source-changed" }]);
    expect(destination.keys()).toEqual([]);
  });

  test("the execution is cancelled", async () => {
    plan();
    context.work.seed("cancelled", "{}");

    expect(await copySegments(request, context)).toMatchObject({ outcome: "cancelled" });

    expect(destination.keys()).toEqual([]);
    expect(reads()).toEqual([]);
  });
});

test("what somebody takes away right after it was written is missed at once", async () => {
  plan();
  const open = destination.openText.bind(destination);
  destination.openText = (key) => {
    const upload = open(key);
    const finish = upload.finish.bind(upload);
    upload.finish = async (...of) => {
      const written = await finish(...of);
      if (key.includes("/101/")) destination.remove(key);
      return written;
    };
    return upload;
  };

  await expect(copySegments(request, context)).rejects.toMatchObject({
    name: "CopyMismatch",
    message: expect.stringContaining(`${insertTo}101/10 is missing`),
  });
  expect(context.work.read("receipts/0-000000.json")).toBeUndefined();
});

describe.each<FaultMoment>(["before", "after"])("a fault %s any call", (moment) => {
  const wrapped = (faults: FaultInjector): CopyContext => ({
    ...context,
    work: faults.wrap("work", context.work),
    openStore: async (ref) => faults.wrap(ref.side, await context.openStore(ref)),
  });

  test("leaves no receipt or a right one, and the same batch run again ends as if nothing had been", async () => {
    plan();
    const undisturbed = new FaultInjector();
    await copySegments(request, wrapped(undisturbed));
    const [whole, wholeReceipt] = [lying(), receipt()];
    expect(undisturbed.calls.length).toBeGreaterThan(40);

    for (const at of undisturbed.calls.keys()) {
      for (const key of destination.keys()) destination.remove(key);
      context.work.remove("receipts/0-000000.json");
      const faults = new FaultInjector(at, moment);
      await copySegments(request, wrapped(faults)).catch(() => undefined);
      const left = context.work.read("receipts/0-000000.json");
      if (left !== undefined) expect(lying(), faults.calls[at]).toEqual(whole);

      await copySegments(request, wrapped(new FaultInjector()));

      expect(lying(), faults.calls[at]).toEqual(whole);
      expect(receipt()).toEqual(wholeReceipt);
    }
  });
});
