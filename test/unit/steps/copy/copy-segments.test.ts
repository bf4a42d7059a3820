import { beforeEach, describe, expect, test } from "vitest";
import {
  type CopyBatch,
  type CopyPrefix,
  type CopySegment,
  copyReceipt,
} from "../../../../src/core/execution/copy-plan.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { copySegments } from "../../../../src/steps/copy/copy-segments.ts";
import { memoryContext } from "../../../support/memory-context.ts";
import type { MemoryObjectStore } from "../../../support/memory-object-store.ts";

const sourceRef = { environment: "prod", side: "milvus" } as const;
const destinationRef = { environment: "prod", side: "backup" } as const;
const request = { execution: "nightly", batchKey: "executions/backup/nightly/batches/0-000000.json" };

let context: ReturnType<typeof memoryContext>;
let source: MemoryObjectStore;
let destination: MemoryObjectStore;

beforeEach(() => {
  context = memoryContext();
  source = context.store(sourceRef);
  destination = context.store(destinationRef);
});

function insertPrefix(id: string, more: Partial<CopyPrefix> = {}): CopyPrefix {
  return { from: `files/insert_log/1/2/${id}/`, to: `backup/n/insert_log/1/2/${id}/${id}/`, kind: "insert", ...more };
}

function deltaPrefix(id: string): CopyPrefix {
  return { from: `files/delta_log/1/2/${id}/`, to: `backup/n/delta_log/1/2/${id}/${id}/`, kind: "delta" };
}

function segment(id: string, more: Partial<CopySegment> = {}): CopySegment {
  const prefixes = [insertPrefix(id), deltaPrefix(id)];
  return { collectionId: "1", partitionId: "2", segmentId: id, rows: "500", isL0: false, prefixes, ...more };
}

function plan(segments: CopySegment[], more: Partial<CopyBatch> = {}): void {
  const batch: CopyBatch = {
    batch: "0-000000",
    source: sourceRef,
    destination: destinationRef,
    receiptKey: "receipts/0-000000.json",
    cancelKey: "cancelled",
    checkLogCounts: true,
    segments,
    ...more,
  };
  context.work.seed(request.batchKey, JSON.stringify(batch));
}

/** Three fields with one log each, and one delta log: what a small flushed segment looks like. */
function seedSegment(id: string): void {
  for (const field of ["0", "1", "100"])
    source.seed(`files/insert_log/1/2/${id}/${field}/9`, `log of ${field} of ${id}`);
  source.seed(`files/delta_log/1/2/${id}/7`, `deletes of ${id}`);
}

function receipt() {
  return copyReceipt.parse(JSON.parse(context.work.read("receipts/0-000000.json") ?? "null"));
}

function copies(): string[] {
  return destination.calls.filter((call) => call.startsWith("copyFrom"));
}

describe("copying", () => {
  test("copies every object of every segment and says what lies where", async () => {
    for (const id of ["470615367219551002", "470615367219551003"]) seedSegment(id);
    plan([segment("470615367219551002"), segment("470615367219551003")]);

    const result = await copySegments(request, context);

    expect(result).toEqual({ outcome: "copied", receiptKey: "receipts/0-000000.json" });
    const id = "470615367219551003";
    expect(destination.keys(`backup/n/insert_log/1/2/${id}/`)).toEqual(
      ["0", "1", "100"].map((field) => `backup/n/insert_log/1/2/${id}/${id}/${field}/9`),
    );
    expect(destination.read(`backup/n/delta_log/1/2/${id}/${id}/7`)).toBe(`deletes of ${id}`);
    expect(receipt()).toMatchObject({ batch: "0-000000", outcome: "copied", objects: 8, skippedObjects: 0 });
    expect(receipt().segments[1]).toMatchObject({ segmentId: id, outcome: "copied" });
    expect(receipt().segments[1]?.deltaLogs).toEqual([
      expect.objectContaining({
        from: `files/delta_log/1/2/${id}/7`,
        key: `backup/n/delta_log/1/2/${id}/${id}/7`,
        size: `deletes of ${id}`.length,
      }),
    ]);
    const sizes = receipt().segments.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs]);
    expect(receipt().bytes).toBe(sizes.reduce((sum, { size }) => sum + size, 0));
  });

  test("copies nothing of a neighbour whose ID begins the same", async () => {
    seedSegment("10");
    seedSegment("100");
    plan([segment("10")]);

    await copySegments(request, context);

    expect(destination.keys().every((key) => key.includes("/10/10/"))).toBe(true);
    expect(receipt().objects).toBe(4);
  });

  test("copies only the named logs where the plan names them", async () => {
    seedSegment("10");
    source.seed("files/insert_log/1/2/10/100/orphan", "left by a failed flush");
    plan([segment("10", { prefixes: [insertPrefix("10", { only: ["0/9", "1/9", "100/9"] })] })]);

    const { outcome } = await copySegments(request, context);

    expect(outcome).toBe("copied");
    expect(destination.keys()).not.toContain("backup/n/insert_log/1/2/10/10/100/orphan");
  });

  test("takes a segment without rows, and an L0 segment, without insert logs", async () => {
    source.seed("files/delta_log/1/-1/11/7", "deletes");
    const l0 = { from: "files/delta_log/1/-1/11/", to: "backup/n/delta_log/1/-1/11/", kind: "delta" } as const;
    plan([segment("10", { rows: "0" }), segment("11", { rows: "3", isL0: true, partitionId: "-1", prefixes: [l0] })]);

    expect((await copySegments(request, context)).outcome).toBe("copied");
    expect(destination.keys()).toEqual(["backup/n/delta_log/1/-1/11/7"]);
  });
});

describe("running again", () => {
  test("looks at nothing where the receipt says copied", async () => {
    seedSegment("10");
    plan([segment("10")]);
    await copySegments(request, context);
    const callsBefore = source.calls.length + destination.calls.length;

    const again = await copySegments(request, context);

    expect(again.outcome).toBe("copied");
    expect(source.calls.length + destination.calls.length).toBe(callsBefore);
  });

  test("skips what an earlier attempt copied, replaces what is wrong, deletes what is too much", async () => {
    seedSegment("10");
    destination.seed("backup/n/insert_log/1/2/10/10/0/9", "log of 0 of 10");
    destination.seed("backup/n/insert_log/1/2/10/10/1/9", "gol of 1 of 10");
    destination.seed("backup/n/insert_log/1/2/10/10/1/8", "of a compaction's input");
    destination.seed("backup/n/insert_log/1/2/100/100/1/8", "of another segment");
    plan([segment("10")]);

    await copySegments(request, context);

    expect(receipt()).toMatchObject({ outcome: "copied", objects: 4, skippedObjects: 1 });
    expect(destination.read("backup/n/insert_log/1/2/10/10/1/9")).toBe("log of 1 of 10");
    expect(destination.keys()).not.toContain("backup/n/insert_log/1/2/10/10/1/8");
    expect(destination.keys()).toContain("backup/n/insert_log/1/2/100/100/1/8");
  });

  test("keeps what another segment of the batch has below the same destination", async () => {
    const to = "stage/insert_log/1/2/shared/";
    source.seed("a/0/1", "one");
    source.seed("b/0/2", "two");
    destination.seed(`${to}0/1`, "one");
    plan([
      segment("10", { prefixes: [{ from: "a/", to, kind: "insert" }] }),
      segment("11", { prefixes: [{ from: "b/", to, kind: "insert" }] }),
    ]);

    await copySegments(request, context);

    expect(destination.keys()).toEqual([`${to}0/1`, `${to}0/2`]);
  });

  test("throws a transient fault without a receipt, and goes on from there the next time", async () => {
    seedSegment("10");
    plan([segment("10")]);
    destination.failOn(
      (call) => call === "copyFrom files/insert_log/1/2/10/100/9",
      () => new PipelineError("StoreBusy", "SlowDown"),
    );

    await expect(copySegments(request, context)).rejects.toMatchObject({ name: "StoreBusy" });
    expect(context.work.read("receipts/0-000000.json")).toBeUndefined();
    const before = copies().length;
    const { outcome } = await copySegments(request, context);

    expect(outcome).toBe("copied");
    expect(copies().length).toBe(before + 4);
    expect(receipt()).toMatchObject({ objects: 4, skippedObjects: 3 });
  });
});

describe("sources that change", () => {
  test("a segment whose logs are gone is told from the others, which are copied", async () => {
    seedSegment("11");
    plan([segment("10"), segment("11")]);

    const { outcome } = await copySegments(request, context);

    expect(outcome).toBe("source-changed");
    expect(receipt().segments.map((entry) => entry.outcome)).toEqual(["source-changed", "copied"]);
    expect(receipt().segments[0]?.problem).toContain("segment 10 has 500 rows but no insert logs");
  });

  test("a log that vanishes between listing and copying changes the source, and is named", async () => {
    seedSegment("10");
    plan([segment("10")]);
    destination.failOn(
      (call) => call === "copyFrom files/insert_log/1/2/10/1/9",
      () => new PipelineError("ObjectNotFound", "files/insert_log/1/2/10/1/9 does not exist"),
    );

    const { outcome } = await copySegments(request, context);

    expect(outcome).toBe("source-changed");
    expect(receipt().segments[0]).toMatchObject({ outcome: "source-changed", insertLogs: [] });
    expect(receipt().segments[0]?.problem).toContain("files/insert_log/1/2/10/1/9");
  });

  test("a batch that ended source-changed is copied when it is run again", async () => {
    plan([segment("10")]);
    await copySegments(request, context);
    seedSegment("10");

    expect((await copySegments(request, context)).outcome).toBe("copied");
  });

  test("a named log that is missing changes the source", async () => {
    seedSegment("10");
    plan([segment("10", { prefixes: [insertPrefix("10", { only: ["0/9", "0/10"] })] })]);

    expect((await copySegments(request, context)).outcome).toBe("source-changed");
    expect(receipt().segments[0]?.problem).toContain("files/insert_log/1/2/10/0/10");
    expect(destination.keys()).toEqual([]);
  });

  test("fields without the same number of logs are reported, and nothing of the segment is copied", async () => {
    seedSegment("10");
    source.seed("files/insert_log/1/2/10/100/orphan", "left by a failed flush");
    plan([segment("10")]);

    const { outcome } = await copySegments(request, context);

    expect(outcome).toBe("source-changed");
    expect(receipt().segments[0]?.outcome).toBe("inconsistent-logs");
    expect(receipt().segments[0]?.problem).toContain("field 0 1, field 1 1, field 100 2");
    expect(destination.keys()).toEqual([]);
  });

  test("log counts do not matter where the plan does not ask for them", async () => {
    seedSegment("10");
    source.seed("files/insert_log/1/2/10/100/10", "another log");
    plan([segment("10")], { checkLogCounts: false });

    expect((await copySegments(request, context)).outcome).toBe("copied");
  });
});

describe("what a meta says", () => {
  const expected = [
    { path: "0/9", size: "log of 0 of 10".length },
    { path: "1/9", size: "log of 1 of 10".length },
    { path: "100/9", size: "log of 100 of 10".length },
  ];

  test.each([
    ["a missing log", [...expected, { path: "101/9", size: 4 }], "101/9 is missing"],
    ["another size", [{ path: "0/9", size: 3 }, ...expected.slice(1)], "0/9 has 14 bytes instead of 3"],
    ["a log too much", expected.slice(1), "0/9 is not in the meta"],
  ])("%s is a mismatch, and nothing is copied", async (_, expect_, problem) => {
    seedSegment("10");
    plan([segment("10", { prefixes: [insertPrefix("10", { expect: expect_ })] })]);

    const { outcome } = await copySegments(request, context);

    expect(outcome).toBe("source-changed");
    expect(receipt().segments[0]).toMatchObject({ outcome: "mismatch" });
    expect(receipt().segments[0]?.problem).toContain(problem);
    expect(destination.keys()).toEqual([]);
  });

  test("only the first differences are named, the rest is counted", async () => {
    seedSegment("10");
    const many = Array.from({ length: 10 }, (_, index) => ({ path: `200/${index}`, size: 1 }));
    plan([segment("10", { prefixes: [insertPrefix("10", { expect: many })] })]);

    await copySegments(request, context);

    expect(receipt().segments[0]?.problem).toContain(
      "200/0 is missing; 200/1 is missing; 200/2 is missing; and 10 more",
    );
  });

  test("is verified where it lies when there is no destination, and nothing is deleted", async () => {
    seedSegment("10");
    destination.seed("backup/other/full_meta.json", "of somebody else");
    plan([segment("10", { prefixes: [insertPrefix("10", { expect: expected, to: "" })] })]);

    const { outcome } = await copySegments(request, context);

    expect(outcome).toBe("copied");
    expect(destination.calls).toEqual([]);
    expect(destination.keys()).toEqual(["backup/other/full_meta.json"]);
    expect(receipt().segments[0]?.insertLogs.map(({ from, key }) => [from, key])).toEqual(
      expected.map(({ path }) => [`files/insert_log/1/2/10/${path}`, `files/insert_log/1/2/10/${path}`]),
    );
  });
});

describe("being cancelled", () => {
  test("copies nothing where the mark is there already, and says so", async () => {
    seedSegment("10");
    context.work.seed("cancelled", "");
    plan([segment("10")]);

    expect((await copySegments(request, context)).outcome).toBe("cancelled");
    expect(copies()).toEqual([]);
    expect(receipt()).toMatchObject({ outcome: "cancelled", segments: [] });
  });

  test("stops before the segments that come after the mark", async () => {
    const ids = Array.from({ length: 40 }, (_, index) => String(1_000 + index));
    for (const id of ids) seedSegment(id);
    plan(ids.map((id) => segment(id)));
    // the mark appears with the first copy; time passes with each one
    destination.failOn(
      (call) => {
        if (call.startsWith("copyFrom")) {
          context.work.seed("cancelled", "");
          void context.clock.sleep(1_000);
        }
        return false;
      },
      () => new Error("never thrown"),
    );

    const { outcome } = await copySegments(request, context);

    expect(outcome).toBe("cancelled");
    expect(receipt().segments.length).toBeGreaterThan(0);
    expect(receipt().segments.length).toBeLessThan(40);
  });
});

test("a batch file that is none is named with the key that is wrong", async () => {
  context.work.seed(request.batchKey, JSON.stringify({ batch: "0-000000" }));

  await expect(copySegments(request, context)).rejects.toMatchObject({
    name: "InvalidInput",
    message: expect.stringContaining("batches/0-000000.json"),
  });
});

test.each(["/", "backup", "backup/n/insert_log"])("a destination that is no directory (%s) is refused", async (to) => {
  seedSegment("10");
  destination.seed("backup/n/insert_logs_of_another/1", "stays");
  plan([segment("10", { prefixes: [insertPrefix("10", { to })] })]);

  await expect(copySegments(request, context)).rejects.toMatchObject({ name: "InvalidInput" });
  expect(destination.keys()).toEqual(["backup/n/insert_logs_of_another/1"]);
});

describe("under a claim", () => {
  const claim = { key: "backup/n/milvus-backup-claim.json", holder: "arn:execution:first" };
  const record = (holder: string, heartbeatAt = "2026-11-21T11:03:07.000Z") =>
    JSON.stringify({
      version: 1,
      backupName: "n",
      purpose: "backup",
      state: "writing",
      holder,
      startedAt: "2026-11-21T11:00:00.000Z",
      heartbeatAt,
    });
  const writes = () => destination.calls.filter((call) => /^(copyFrom|delete)/.test(call));

  test("says there that it goes on when it starts", async () => {
    destination.seed(claim.key, record(claim.holder, "2026-11-21T10:00:00.000Z"));
    seedSegment("3");
    plan([segment("3")], { claim });

    await copySegments(request, context);

    expect(JSON.parse(destination.read(claim.key) ?? "")).toMatchObject({ heartbeatAt: "2026-11-21T11:03:07.000Z" });
  });

  test("that somebody else has by now copies and removes nothing", async () => {
    destination.seed(claim.key, record("arn:execution:second"));
    destination.seed("backup/n/insert_log/1/2/3/3/100/1", "theirs");
    seedSegment("3");
    plan([segment("3")], { claim });

    await expect(copySegments(request, context)).rejects.toMatchObject({ name: "ClaimLost" });
    expect(writes()).toEqual([]);
    expect(context.work.read("receipts/0-000000.json")).toBeUndefined();
  });

  test("is held on to by a batch that has nothing to copy, too", async () => {
    plan([segment("3")], { claim });
    await expect(copySegments(request, context)).rejects.toMatchObject({ name: "ClaimLost" });

    destination.seed(claim.key, record(claim.holder, "2026-11-21T10:00:00.000Z"));
    expect(await copySegments(request, context)).toMatchObject({ outcome: "source-changed" });
    expect(JSON.parse(destination.read(claim.key) ?? "")).toMatchObject({ heartbeatAt: "2026-11-21T11:03:07.000Z" });
  });

  test("that is taken over meanwhile stops within a minute, and leaves no receipt", async () => {
    destination.seed(claim.key, record(claim.holder));
    const ids = Array.from({ length: 40 }, (_, index) => `${100 + index}`);
    for (const id of ids) seedSegment(id);
    plan(
      ids.map((id) => segment(id)),
      { claim },
    );
    destination.failOn(
      (call) => {
        if (!call.startsWith("copyFrom")) return false;
        destination.seed(claim.key, record("arn:execution:second"));
        void context.clock.sleep(61_000);
        return false;
      },
      () => new Error("never"),
    );

    await expect(copySegments(request, context)).rejects.toMatchObject({
      name: "ClaimLost",
      message: expect.stringContaining("arn:execution:second has it"),
    });
    expect(copies().length).toBeLessThan(40);
    expect(context.work.read("receipts/0-000000.json")).toBeUndefined();
  });
});

test("an L0 segment whose delta logs vanished is no copy without its deletes", async () => {
  plan([segment("3", { isL0: true, rows: "0", prefixes: [deltaPrefix("3")] })]);

  expect(await copySegments(request, context)).toMatchObject({ outcome: "source-changed" });
  expect(receipt().segments[0]).toMatchObject({
    outcome: "source-changed",
    problem: expect.stringContaining("L0 segment 3 has no delta logs below files/delta_log/1/2/3/"),
  });
});
