import pRetry from "p-retry";
import type { Environment } from "../../core/environment/environment.ts";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import type { GarbageCollectionPause } from "../../core/milvus/descriptions.ts";
import type { GarbageCollection } from "../../ports/garbage-collection.ts";
import { type HttpAnswer, type HttpExchange, httpExchange } from "./rest-client.ts";

const requestTimeoutMs = 10_000;
/** A proxy may be gone for a moment. */
const retries = { retries: 2, minTimeout: 500, shouldRetry: () => true } as const;
/**
 * 2.6.8+ pauses one collection or, so, all: of one it goes on to look for files that belong to nothing, and it keeps a ticket for each. Without it
 * the ticket names none, and its end is refused.
 */
const allCollections = "0";

/**
 * The garbage collection of an environment's Milvus, whichever proxy answers: it hands on to the coordinator, whose pauses end with it. Makes no request,
 * and needs no Milvus client: Copy Segments renews pauses by it, and they are ended by it where gRPC is away.
 */
export function garbageCollection({ milvus, gcPause }: Environment): GarbageCollection {
  const exchange = httpExchange(milvus);
  return {
    pause: (seconds) => pauseGarbageCollection(exchange, gcPause.address, seconds),
    resume: (pause) => resumeGarbageCollection(exchange, gcPause.address, pause),
  };
}

/**
 * Pauses garbage collection through the management port.
 * @param address `http://host:9091`, as `backup.gcPause.address` has it
 * @param seconds after which Milvus goes on by itself
 * @returns undefined where this Milvus has no such call (2.3.5 from PyPI)
 * @throws MilvusUnreachable, MilvusFailed
 */
export async function pauseGarbageCollection(
  exchange: HttpExchange,
  address: string,
  seconds: number,
): Promise<GarbageCollectionPause | undefined> {
  const body = await get(exchange, address, "pause", { pause_seconds: String(seconds), collection_id: allCollections });
  return body === undefined ? undefined : { ticket: ticketOf(body) };
}

/** Ends a pause; Milvus 2.6.8+ wants the ticket it gave. */
export async function resumeGarbageCollection(
  exchange: HttpExchange,
  address: string,
  pause: GarbageCollectionPause,
): Promise<void> {
  try {
    await get(exchange, address, "resume", pause.ticket ? { ticket: pause.ticket } : {});
  } catch (error) {
    // `dataCoord.enableGarbageCollection: false`: its pause did nothing, and there is nothing to end
    if (!/garbage collection not enabled/.test(messageOf(error))) throw error;
  }
}

async function get(
  exchange: HttpExchange,
  address: string,
  action: "pause" | "resume",
  query: Record<string, string>,
): Promise<string | undefined> {
  let url: URL;
  try {
    url = new URL(`/management/datacoord/garbage_collection/${action}`, address);
  } catch (cause) {
    throw new PipelineError(
      "InvalidEnvironment",
      `backup.gcPause.address ${JSON.stringify(address)} is no address: write http://host:9091`,
      { details: { key: "backup.gcPause.address" }, cause },
    );
  }
  url.search = new URLSearchParams(query).toString();
  let answer: HttpAnswer;
  try {
    // a pause that is taken twice is one, and so is its end
    answer = await pRetry(() => exchange(url, { method: "GET", headers: {}, timeoutMs: requestTimeoutMs }), retries);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new PipelineError(
      "MilvusUnreachable",
      `Milvus's management port at ${address} cannot be reached to ${action} garbage collection: ${reason}. ` +
        "Check backup.gcPause.address, or set backup.gcPause.enable to false",
      { details: { address }, cause },
    );
  }
  if (answer.status === 404) return undefined;
  if (answer.status >= 300) {
    throw new PipelineError(
      "MilvusFailed",
      `Milvus's management port at ${address} refused to ${action} garbage collection: HTTP ${answer.status} ${answer.body.slice(0, 200)}`,
      { details: { address, call: `garbage_collection/${action}` } },
    );
  }
  return answer.body;
}

/** `{"msg":"OK","ticket":"..."}`; older servers answer without a ticket. */
function ticketOf(body: string): string {
  try {
    const { ticket } = JSON.parse(body) as { ticket?: unknown };
    return typeof ticket === "string" ? ticket : "";
  } catch {
    return "";
  }
}
