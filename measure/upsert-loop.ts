import { setTimeout as sleep } from "node:timers/promises";
import { DataType, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import pRetry from "p-retry";
import { z } from "zod";
import { LocalStackError } from "../local/errors.ts";
import { answered, dropCollection } from "../local/milvus-client.ts";
import { atTimestamp, graceMs } from "./instant-judge.ts";
import type { LoadLog, Write } from "./write-log.ts";

export interface UpsertLoop {
  /** One of that name is replaced. */
  readonly collection: string;
  /** Milliseconds between the calls of `compact()`; without it there are none. */
  readonly compactEveryMs?: number | undefined;
  /** Milliseconds after which it ends by itself, counted from the first upsert after all keys are there. */
  readonly forMs: number;
}

/** Keys that the collection holds from the start of the loop on. */
export const loadKeys = 4_000;

const keysPerFill = 1_000;
const keysPerUpsert = 100;
/** An upsert begins so often, or right after the one before, where Milvus takes longer. */
const upsertEveryMs = 60;
const flushEveryMs = 2_000;
/** Milvus limits rates: what it refuses is tried again for about 15 s. */
const patience = { retries: 12, minTimeout: 100, maxTimeout: 2_000 };
/** Milliseconds by which a busy server's clock may lag behind this machine's. */
const clockLagMs = 1_000;
const dimension = 8;

/**
 * An application that never stops writing: makes a collection (two shards, a flat index, so that Milvus compacts it), writes 4,000 keys
 * and then upserts 100 of them after another 100, each time in a higher version, and flushes every 2 s, until it is stopped or its
 * time is over.
 * @param stop ends it after the write that is under way
 * @param onRunning called once, when every key is there, for longer than the judge's grace, and the loop begins
 * @throws LocalStackError where Milvus goes on refusing, or has another clock than this machine
 */
export async function runUpsertLoop(
  client: MilvusClient,
  loop: UpsertLoop,
  stop: AbortSignal,
  onRunning: () => void,
): Promise<LoadLog> {
  const { collection, compactEveryMs, forMs } = loop;
  const log = new LogBook(client, collection);
  await makeCollection(client, collection);
  for (let first = 0; first < loadKeys; first += keysPerFill) await log.upsert(keysFrom(first, keysPerFill));
  await assertSameClock(client, collection);
  await pause(graceMs, stop); // of a backup that begins now every key is expected
  const failed = new AbortController();
  const end = AbortSignal.any([stop, failed.signal, AbortSignal.timeout(forMs)]);
  onRunning();
  try {
    await Promise.all([
      upsertUntil(end, log),
      every(flushEveryMs, end, () => log.flush()),
      ...(compactEveryMs === undefined ? [] : [every(compactEveryMs, end, () => log.compact())]),
    ]);
  } finally {
    failed.abort();
  }
  return log.entries();
}

/** The requests of the loop, each with its entry in the log. */
class LogBook {
  readonly #client: MilvusClient;
  readonly #collection: string;
  readonly #writes: OpenWrite[] = [];
  readonly #count = { flushes: 0, compactions: 0, refused: 0 };

  constructor(client: MilvusClient, collection: string) {
    this.#client = client;
    this.#collection = collection;
  }

  /** Each try is a version of its own: a refused one may have been written all the same. */
  async upsert(keys: readonly string[]): Promise<void> {
    await pRetry(
      async () => {
        const version = this.#writes.length + 1;
        const data = keys.map((key) => ({ id: key, version, embedding: vectorOf(Number(key), version) }));
        const write: OpenWrite = { version, keys, sent: Date.now() };
        this.#writes.push(write);
        await answered("an upsert", this.#client.upsert({ collection_name: this.#collection, data }));
        write.acknowledged = Date.now();
      },
      {
        ...patience,
        onFailedAttempt: () => {
          this.#count.refused += 1;
        },
      },
    );
  }

  /** As applications flush: sealed, not waited for; where it is refused the next one comes soon enough. */
  async flush(): Promise<void> {
    await this.#counted("flushes", this.#client.flush({ collection_names: [this.#collection] }));
  }

  async compact(): Promise<void> {
    await this.#counted("compactions", this.#client.compact({ collection_name: this.#collection }));
  }

  async #counted(what: "flushes" | "compactions", call: Promise<object>): Promise<void> {
    const taken = await answered(what, call).then(
      () => true,
      () => false,
    );
    this.#count[taken ? what : "refused"] += 1;
  }

  entries(): LoadLog {
    return { writes: this.#writes, ...this.#count };
  }
}

interface OpenWrite extends Write {
  acknowledged?: number;
}

async function upsertUntil(end: AbortSignal, log: LogBook): Promise<void> {
  for (let first = 0; !end.aborted; first = (first + keysPerUpsert) % loadKeys) {
    const next = performance.now() + upsertEveryMs;
    await log.upsert(keysFrom(first, keysPerUpsert));
    await pause(next - performance.now(), end);
  }
}

async function every(milliseconds: number, end: AbortSignal, act: () => Promise<void>): Promise<void> {
  let next = performance.now();
  while (!end.aborted) {
    next += milliseconds;
    await pause(next - performance.now(), end);
    if (!end.aborted) await act();
  }
}

async function pause(milliseconds: number, end: AbortSignal): Promise<void> {
  if (milliseconds <= 0) return;
  await sleep(milliseconds, undefined, { signal: end }).catch(() => {}); // the end of the loop ends the pause
}

async function makeCollection(client: MilvusClient, collection_name: string): Promise<void> {
  await dropCollection(client, collection_name);
  await answered(
    `creating ${collection_name}`,
    client.createCollection({
      collection_name,
      shards_num: 2,
      fields: [
        { name: "id", data_type: DataType.Int64, is_primary_key: true },
        { name: "version", data_type: DataType.Int64 },
        { name: "embedding", data_type: DataType.FloatVector, dim: dimension },
      ],
    }),
  );
  await answered(
    `creating the index of ${collection_name}`,
    client.createIndex({ collection_name, field_name: "embedding", index_type: "FLAT", metric_type: "L2", params: {} }),
  );
}

const flushAnswer = z.object({ coll_flush_ts: z.record(z.string(), z.string()) });

/** The log is in this machine's time, the instant of a backup in Milvus's: a server that was started again is ahead for some seconds. */
async function assertSameClock(client: MilvusClient, collection: string): Promise<void> {
  await pRetry(async () => {
    const began = Date.now();
    const answer = await answered("a flush", client.flush({ collection_names: [collection] }));
    const { earliest } = atTimestamp(flushAnswer.parse(answer).coll_flush_ts[collection] ?? "0");
    if (earliest >= began - clockLagMs && earliest <= Date.now()) return;
    throw new LocalStackError(
      `Milvus's clock is ${earliest - began} ms off this machine's: the times of what was written to ${collection} say nothing about a backup's instant.`,
    );
  }, patience);
}

function keysFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(first + index));
}

function vectorOf(key: number, version: number): number[] {
  return Array.from({ length: dimension }, (_, index) => Math.fround(Math.sin(key + version * (index + 1))));
}
