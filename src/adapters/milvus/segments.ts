import { setTimeout as sleep } from "node:timers/promises";
import type {
  CollectionName,
  FlushedCollection,
  SegmentDescription,
  SegmentState,
} from "../../core/milvus/descriptions.ts";
import { aboutCollection } from "./collections.ts";
import { busyError } from "./errors.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { encodeMessagePosition, type PlainMessage } from "./protocol.ts";

interface FlushAnswer {
  readonly coll_segIDs: Readonly<Record<string, { readonly data: readonly string[] }>>;
  readonly flush_coll_segIDs: Readonly<Record<string, { readonly data: readonly string[] }>>;
  readonly coll_seal_times: Readonly<Record<string, string>>;
  readonly coll_flush_ts: Readonly<Record<string, string>>;
  readonly channel_cps: Readonly<Record<string, MessagePosition>>;
}

/** `msgpb.MsgPosition` */
interface MessagePosition extends PlainMessage {
  readonly timestamp: string;
}

/** What compaction replaces meanwhile has to be flushed for anew: the end of a flush is not waited for longer than it takes. */
const flushPollMs = 50;

/**
 * Seals and flushes all growing segments of a collection and waits until they are flushed.
 * @throws MilvusBusy where Milvus limits the rate of flushes or `timeoutMs` passes
 */
export async function flush(client: GrpcClient, name: CollectionName, timeoutMs: number): Promise<FlushedCollection> {
  const { collection } = name;
  const about = aboutCollection(name);
  const answer = await client.call<FlushAnswer>("Flush", { collection_names: [collection] }, about);
  // the segments sealed just now: the ones to wait for
  const sealedNow = answer.coll_segIDs[collection]?.data ?? [];
  const request = {
    segmentIDs: sealedNow,
    flush_ts: answer.coll_flush_ts[collection] ?? "0",
    collection_name: collection,
  };
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const { flushed } = await client.call<{ readonly flushed: boolean }>("GetFlushState", request, about);
    if (flushed) break;
    if (Date.now() >= deadline) {
      throw busyError(
        client.endpoint,
        "Flush",
        `${about.subject} was not flushed within ${timeoutMs / 1000} s`,
        "busy",
      );
    }
    await sleep(flushPollMs);
  }
  return {
    segmentIds: [...new Set([...(answer.flush_coll_segIDs[collection]?.data ?? []), ...sealedNow])],
    sealedIds: [...sealedNow],
    timestamp: request.flush_ts,
    channelTimestamp: latestTimestamp(answer.channel_cps),
    sealTime: Number(answer.coll_seal_times[collection] ?? 0),
    channelCheckpoints: Object.fromEntries(
      Object.entries(answer.channel_cps).map(([channel, position]) => [
        channel,
        Buffer.from(encodeMessagePosition(position)).toString("base64"),
      ]),
    ),
  };
}

/** The latest hybrid timestamp of message positions, decimal; "0" where there are none. */
function latestTimestamp(positions: Readonly<Record<string, MessagePosition>>): string {
  let latest = 0n;
  for (const { timestamp } of Object.values(positions)) {
    if (BigInt(timestamp) > latest) latest = BigInt(timestamp);
  }
  return String(latest);
}

/** `commonpb.SegmentState` by number. */
const segmentStates: Readonly<Record<number, SegmentState>> = {
  2: "Growing",
  3: "Sealed",
  4: "Flushed",
  5: "Flushing",
  6: "Dropped",
  7: "Importing",
};
/** `commonpb.SegmentLevel`: 0 of servers that tell none, 2 is L1. */
const levelZero = 1;
const levelTwo = 3;

/** Every segment Milvus lists for the collection. */
export async function listSegments(client: GrpcClient, name: CollectionName): Promise<SegmentDescription[]> {
  const answer = await client.call<{
    readonly infos: readonly {
      readonly segmentID: string;
      readonly collectionID: string;
      readonly partitionID: string;
      readonly num_rows: string;
      readonly state: number;
      readonly level: number;
      readonly is_sorted: boolean;
      readonly storage_version: string;
    }[];
  }>("GetPersistentSegmentInfo", { collectionName: name.collection }, aboutCollection(name));
  return answer.infos.map((info) => ({
    id: info.segmentID,
    collectionId: info.collectionID,
    partitionId: info.partitionID,
    rows: BigInt(info.num_rows),
    state: segmentStates[info.state] ?? "Unknown",
    isL0: info.level === levelZero,
    isL2: info.level === levelTwo,
    storageVersion: info.storage_version,
    isSorted: info.is_sorted,
  }));
}
