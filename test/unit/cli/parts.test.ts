import { describe, expect, test } from "vitest";
import { environmentNameOf } from "../../../cli/environments.ts";
import { CliError } from "../../../cli/errors.ts";
import { countOf, formatDuration } from "../../../cli/output/format.ts";
import { createOutput } from "../../../cli/output/output.ts";
import { createProgressDocument } from "../../../cli/output/progress-document.ts";
import { explainAwsError } from "../../../cli/pipeline/aws-errors.ts";
import { executionName } from "../../../cli/pipeline/execution-name.ts";
import { createProgressReader } from "../../../cli/pipeline/progress.ts";
import { pipelineOf } from "../../../cli/pipeline/stack.ts";
import { PipelineError } from "../../../src/core/execution/errors.ts";
import { MemoryObjectStore } from "../../support/memory-object-store.ts";
import { stackOutputs } from "./support/fake-cli.ts";

test("execution names fit Step Functions, whatever the backup is called", () => {
  const now = new Date("2026-11-21T11:03:07.123Z");

  expect(executionName("create", "a.b", now, "3f9c2a")).toBe("create-a_b-20261121T110307-3f9c2a");
  expect(executionName("create", "n".repeat(100), now, "3f9c2a")).toMatch(/^create-n+-20261121T110307-3f9c2a$/);
  expect(executionName("create", "n".repeat(100), now, "3f9c2a")).toHaveLength(80);
});

test.each([
  [".local/milvus-a.yaml", "milvus-a"],
  ["backup.yml", "backup"],
  ["/etc/mein Milvus (neu).yaml", "mein-Milvus--neu-"],
  ["..yaml", "backup"],
])("%s is registered as %s", (file, name) => {
  expect(environmentNameOf(file)).toBe(name);
});

test.each([
  [830, "0.8 s"],
  [12_400, "12 s"],
  [185_000, "3 min 05 s"],
  [7_440_000, "2 h 04 min"],
])("%d ms reads %s", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test("one is singular", () => {
  expect([countOf(0, "segment"), countOf(1, "segment"), countOf(1200n, "segment")]).toEqual([
    "0 segments",
    "1 segment",
    "1,200 segments",
  ]);
  expect([1, 2].map((count) => countOf(count, "batch", ["was", "were"]))).toEqual(["1 batch was", "2 batches were"]);
});

test("an output that is missing is named", () => {
  const { WorkBucketName: _, ...rest } = stackOutputs;

  expect(() => pipelineOf("MilvusBackup", rest)).toThrow(/no output WorkBucketName/);
});

describe("explainAwsError", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const missing = Object.assign(new Error("Could not load credentials from any providers"), {
    name: "CredentialsProviderError",
  });
  const expired = Object.assign(new Error("expired"), { name: "ExpiredTokenException", $metadata: {} });
  const denied = Object.assign(new Error("not authorized: states:StartExecution"), {
    name: "AccessDeniedException",
    $metadata: {},
  });
  const other = Object.assign(new Error("no such machine"), { name: "StateMachineDoesNotExist", $metadata: {} });

  test.each([
    [refused, "AwsUnreachable", "http://127.0.0.1:4566"],
    [new AggregateError([refused], ""), "AwsUnreachable", "ECONNREFUSED"],
    [missing, "NoAwsCredentials", ". .local/aws.env"],
    [new Error("Region is missing"), "NoAwsCredentials", "AWS_REGION"],
    [expired, "NoAwsCredentials", "ExpiredTokenException"],
    [denied, "AwsAccessDenied", "states:StartExecution"],
    [other, "AwsFailed", "StateMachineDoesNotExist"],
  ])("%s", (error, name, part) => {
    const explained = explainAwsError(error, "starting x", { AWS_ENDPOINT_URL: "http://127.0.0.1:4566" });

    expect(explained).toBeInstanceOf(CliError);
    expect(explained).toMatchObject({ name, message: expect.stringContaining(part), cause: error });
  });

  test("what is explained already stays as it is", () => {
    const error = new PipelineError("UnknownEnvironment", "environment x is not registered");

    expect(explainAwsError(error, "reading", {})).toBe(error);
  });

  test.each([
    ["Invalid URL", { AWS_ENDPOINT_URL: "nonsense" }, 'AWS_ENDPOINT_URL: "nonsense" is no URL'],
    [
      "@aws-sdk XML parse error: unexpected content.\n  Deserialization error: to see the raw response",
      { AWS_ENDPOINT_URL: "http://127.0.0.1:19530" },
      'AWS_ENDPOINT_URL: "http://127.0.0.1:19530" does not answer as AWS does',
    ],
    [
      'Region not accepted: region="nowhere!" is not',
      { AWS_REGION: "nowhere!" },
      'AWS_REGION: "nowhere!" is no region',
    ],
    ["getaddrinfo EAI_AGAIN", { AWS_REGION: "nowhere-1" }, "is its region right (AWS_REGION)"],
  ])("names the variable that is wrong: %s", (message, env, told) => {
    const error = Object.assign(new Error(message), message.includes("EAI_AGAIN") && { code: "EAI_AGAIN" });

    expect(explainAwsError(error, "looking", env)).toMatchObject({
      name: "AwsUnreachable",
      message: expect.stringContaining(told),
    });
  });
});

describe("progress of an execution", () => {
  const receipt = (segments: number, bytes: number) =>
    JSON.stringify({
      batch: "b",
      outcome: "copied",
      objects: segments * 5,
      bytes,
      skippedObjects: 0,
      segments: Array.from({ length: segments }, (_, index) => ({
        collectionId: "1",
        partitionId: "2",
        segmentId: String(index),
        outcome: "copied",
        insertLogs: [],
        deltaLogs: [],
      })),
    });
  const root = "executions/backup/e";

  test("counts the receipts of the latest attempt and reads each once", async () => {
    const work = new MemoryObjectStore("work");
    const reader = createProgressReader(async () => work, "backup", "e");
    expect(await reader.read()).toEqual({ copied: { segments: 0, objects: 0, bytes: 0 } });

    work.seed(`${root}/plan.json`, JSON.stringify({ attempt: 0, totals: { collections: 1, segments: 5 } }));
    work.seed(`${root}/receipts/0-000000.json`, receipt(2, 20));
    work.seed(`${root}/receipts/0-000001.json`, receipt(1, 10));
    expect((await reader.read()).copied).toEqual({ segments: 3, objects: 15, bytes: 30 });

    work.seed(`${root}/plan.json`, JSON.stringify({ attempt: 1, totals: { collections: 1, segments: 4 } }));
    work.seed(`${root}/receipts/1-000000.json`, receipt(4, 40));
    expect(await reader.read()).toEqual({
      totals: { collections: 1, segments: 4 },
      copied: { segments: 4, objects: 20, bytes: 40 },
    });
    const reads = work.calls.filter((call) => call.startsWith("getText") && call.includes("receipts"));
    expect(new Set(reads).size).toBe(reads.length);
  });

  test("counts on what an earlier attempt copied of collections that did not change", async () => {
    const work = new MemoryObjectStore("work");
    const log = (size: number) => ({ from: "a", key: "a", size, etag: "e" });
    const segment = (collectionId: string, size: number) => ({
      ...{ collectionId, partitionId: "2", segmentId: collectionId, outcome: "copied", deltaLogs: [] },
      insertLogs: [log(size)],
    });
    const receiptOf = (batch: string, ...segments: ReturnType<typeof segment>[]) => {
      const bytes = segments.reduce((sum, { insertLogs }) => sum + (insertLogs[0]?.size ?? 0), 0);
      const totals = { objects: segments.length, bytes, skippedObjects: 0 };
      work.seed(`${root}/receipts/${batch}.json`, JSON.stringify({ batch, outcome: "copied", ...totals, segments }));
    };
    const plan = {
      attempt: 1,
      totals: { collections: 2, segments: 2 },
      collections: [
        { id: "1", attempt: 0 },
        { id: "2", attempt: 1 },
      ],
    };
    work.seed(`${root}/plan.json`, JSON.stringify(plan));
    receiptOf("0-000000", segment("1", 10), segment("2", 20));
    receiptOf("1-000000", segment("2", 30));

    const { copied } = await createProgressReader(async () => work, "backup", "e").read();

    expect(copied).toEqual({ segments: 2, objects: 2, bytes: 40 });
  });

  test("whoever may not read the work bucket sees no progress and no error", async () => {
    const work = new MemoryObjectStore("work");
    work.failOn(
      () => true,
      () => new PipelineError("StoreAccessDenied", "denied"),
    );

    expect(await createProgressReader(async () => work, "backup", "e").read()).toEqual({
      copied: { segments: 0, objects: 0, bytes: 0 },
    });
  });
});

describe("the phase of a restore", () => {
  const phaseOf = async (load: unknown) => {
    const work = new MemoryObjectStore("work");
    const collections = [{ load: "none" }, { load }];
    const totals = { collections: 2, segments: 0, bytes: 0, rows: "0", imports: 0 };
    work.seed("executions/restore/e/plan.json", JSON.stringify({ totals, collections }));
    work.seed("executions/restore/e/progress.json", JSON.stringify({ phase: "loading" }));
    const progress = await createProgressReader(async () => work, "restore", "e").read();
    return createProgressDocument()({ state: "Wait For Load", progress }).phase;
  };

  test.each([
    ["all", "loading"],
    [{ partitions: ["p1"] }, "loading"],
    ["none", "finishing"],
  ])("where the last collection loads %j, is %s", async (load, phase) => {
    expect(await phaseOf(load)).toBe(phase);
  });
});

test.each([
  ["of the bytes where they are known", { collections: 1, segments: 4, bytes: 1_000 }, 25],
  ["of the segments where not", { collections: 1, segments: 4 }, 50],
  ["nobody knows where nothing is planned", { collections: 1, segments: 0 }, undefined],
])("percent of a copy: %s", (_, totals, percent) => {
  const progress = { totals, copied: { segments: 2, objects: 9, bytes: 250 } };

  expect(createProgressDocument()({ state: "Copy Segments", progress }).percent).toBe(percent);
});

describe("colours", () => {
  const styled = (terminalOptions: { isTTY: boolean; env?: Record<string, string> }, color = true) => {
    const stream = { isTTY: terminalOptions.isTTY, write: () => true };
    const terminal = {
      stdout: stream,
      stderr: stream,
      env: terminalOptions.env ?? {},
      ask: async () => undefined,
      onInterrupt: () => () => {},
    };
    return createOutput(terminal, { json: false, quiet: false, color }).style("red", "x");
  };

  test("only on a terminal, and never where they are not wanted", () => {
    expect(styled({ isTTY: true })).toBe("\x1b[31mx\x1b[39m");
    expect(styled({ isTTY: false })).toBe("x");
    expect(styled({ isTTY: true, env: { NO_COLOR: "1" } })).toBe("x");
    expect(styled({ isTTY: true }, false)).toBe("x");
    expect(styled({ isTTY: true, env: { TERM: "dumb" } })).toBe("x");
  });

  test("FORCE_COLOR keeps them in a pipe, or takes them from a terminal; who says no twice is heard", () => {
    expect(styled({ isTTY: false, env: { FORCE_COLOR: "1" } })).toBe("\x1b[31mx\x1b[39m");
    expect(styled({ isTTY: true, env: { FORCE_COLOR: "0" } })).toBe("x");
    expect(styled({ isTTY: false, env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).toBe("x");
    expect(styled({ isTTY: false, env: { FORCE_COLOR: "1" } }, false)).toBe("x");
    expect(styled({ isTTY: true, env: { FORCE_COLOR: "", NO_COLOR: "" } })).toBe("\x1b[31mx\x1b[39m");
  });

  test.each([
    [{}, true],
    [{ CI: "true" }, false],
    [{ CI: "1" }, false],
    [{ CI: "false" }, true],
    [{ TERM: "dumb" }, false],
  ])("a line is redrawn on a terminal with %j: %s", (env, interactive) => {
    const stream = { isTTY: true, write: () => true };
    const terminal = { stdout: stream, stderr: stream, env, ask: async () => undefined, onInterrupt: () => () => {} };
    expect(createOutput(terminal, { json: false, quiet: false, color: true }).interactive).toBe(interactive);
  });
});
