import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AzureContainer } from "../../../../src/adapters/azure/container.ts";
import { streamTarget } from "../../../../src/adapters/azure/copy.ts";
import { StoreRequests } from "../../../../src/adapters/streams/requests.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => new Promise<never>(() => {});
const fault = (error: unknown) =>
  error instanceof PipelineError ? error : new PipelineError("StoreFailed", String(error));

test("a request that is not answered is ended before it is made again: what it sends from may be lent to another one", async () => {
  const requests = new StoreRequests("store", undefined);
  const signals: AbortSignal[] = [];
  const made = requests.make(
    "Write",
    (signal) => {
      expect(signals.every(({ aborted }) => aborted)).toBe(true);
      signals.push(signal);
      return never();
    },
    fault,
  );
  const ended = expect(made).rejects.toThrow("was not answered within 300 s");

  await vi.advanceTimersByTimeAsync(3_600_000);

  await ended;
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true, true, true]);
});

test("one that is answered is not", async () => {
  const signals: AbortSignal[] = [];

  await new StoreRequests("store", undefined).make("Write", async (signal) => signals.push(signal), fault);
  await vi.advanceTimersByTimeAsync(3_600_000);

  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
});

test("what is streamed into Azure goes with it: the MD5 beside a blob is stored, not compared", async () => {
  const { signal } = new AbortController();
  const seen: unknown[] = [];
  const blob = {
    upload: async (_body: unknown, _size: number, options: { abortSignal?: AbortSignal }) => {
      seen.push(options.abortSignal);
      return { etag: '"1"' };
    },
  };
  const container = {
    name: "backups",
    client: { getBlockBlobClient: () => blob },
    labelOf: (key: string) => key,
    request: (_permission: string, _key: string, send: (signal: AbortSignal) => Promise<unknown>) => send(signal),
  } as unknown as AzureContainer;

  await streamTarget(container, "key", { key: "key", size: 1, etag: "2" }).put(Buffer.from("1"), Buffer.alloc(16));

  expect(seen).toEqual([signal]);
});
