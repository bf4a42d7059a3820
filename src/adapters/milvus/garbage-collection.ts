import type { Environment } from "../../core/environment/environment.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { GarbageCollectionPause } from "../../core/milvus/descriptions.ts";
import type { GarbageCollection } from "../../ports/garbage-collection.ts";
import { type HttpExchange, httpExchange } from "./rest-client.ts";

const requestTimeoutMs = 10_000;
/** 2.6.8+ pauses one collection or, so, all; it refuses a pause that does not say which. */
const allCollections = "0";

/** The garbage collection of an environment's Milvus. Makes no request, and needs no Milvus client: Copy Segments renews pauses by it. */
export function garbageCollection({ milvus, gcPause }: Environment): GarbageCollection {
  const exchange = httpExchange(milvus);
  return { pause: (seconds) => pauseGarbageCollection(exchange, gcPause.address, seconds) };
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
  await get(exchange, address, "resume", pause.ticket ? { ticket: pause.ticket } : {});
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
  let answer: Awaited<ReturnType<HttpExchange>>;
  try {
    answer = await exchange(url, { method: "GET", headers: {}, timeoutMs: requestTimeoutMs });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
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
