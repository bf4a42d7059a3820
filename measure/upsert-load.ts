import { Worker } from "node:worker_threads";
import { LocalStackError } from "../local/errors.ts";
import type { UpsertLoop } from "./upsert-loop.ts";
import type { LoadLog } from "./write-log.ts";

export interface UpsertLoadOptions extends UpsertLoop {
  /** Of the Milvus server, `host:port`. */
  readonly address: string;
}

/** A load that runs. */
export interface UpsertLoad {
  /**
   * Ends it, where its time did not, and answers what it wrote. Safe to repeat.
   * @throws LocalStackError with the reason where it failed
   */
  stop(): Promise<LoadLog>;
}

/** What the thread of a load is told. */
export const stopMessage = "stop";
/** What it tells: that the loop has begun, and in the end the log. */
export type LoadMessage = "running" | LoadLog;

/**
 * Starts the loop of `runUpsertLoop` in a thread of its own: it writes and notes its times however busy this one is. Resolves when
 * every key is there and the loop has begun.
 * @throws LocalStackError where it fails before
 */
export async function startUpsertLoad(options: UpsertLoadOptions): Promise<UpsertLoad> {
  // Under a test runner's NODE_ENV the Milvus client would log every request.
  const env = { ...process.env, NODE_ENV: "production" };
  const thread = new Worker(new URL("./upsert-thread.ts", import.meta.url), { workerData: options, env, execArgv: [] });
  const running = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<LoadLog>();
  const fail = (reason: unknown) => {
    const error = new LocalStackError(
      `The load on ${options.collection} failed: ${reason instanceof Error ? reason.message : reason}`,
    );
    running.reject(error);
    ended.reject(error);
  };
  thread.on("message", (message: LoadMessage) => (message === "running" ? running : ended).resolve(message as never));
  thread.on("error", fail);
  thread.on("exit", () => fail("its thread is gone")); // changes nothing after the log has come
  ended.promise.catch(() => {}); // told to whoever stops it
  await running.promise;
  return {
    async stop() {
      thread.postMessage(stopMessage);
      return ended.promise;
    },
  };
}
