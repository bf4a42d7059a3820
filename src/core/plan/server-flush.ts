import * as z from "zod";
import type { CollectionDescription, FlushedCollection, Id, SegmentDescription } from "../milvus/descriptions.ts";
import { qualifiedName } from "../milvus/names.ts";
import { neverInABackup } from "./backup.ts";

const id = z.string().regex(/^\d+$/);

/** What is kept of a flush of the whole server (`FlushAll`, Milvus 2.6.11 and newer), and what Milvus listed just before it. */
export const serverFlush = z.object({
  /** ISO 8601. */
  askedAt: z.string(),
  /** true: the server has said so, and is asked no more. */
  isOver: z.literal(true).optional(),
  /** Hybrid, decimal: everything up to it, of every collection, is in sealed segments once the server says that it has flushed. */
  timestamp: id,
  /** The timestamp of the flush in each physical channel. */
  channels: z.record(z.string(), id),
  /** base64 of the flush's message in each physical channel, as the format keeps them. */
  messages: z.record(z.string(), z.string()),
  controlChannel: z.string(),
  physicalChannels: z.array(z.string()).readonly(),
  /** By `db.coll`: the segments that were there before; those in `flushed` have no row from after. */
  before: z.record(z.string(), z.object({ flushed: z.array(id).readonly(), others: z.array(id).readonly() })),
});
export type ServerFlush = Readonly<z.infer<typeof serverFlush>>;

/** That each collection is flushed by itself: as told, however often the step begins. */
export const noServerFlush = z.object({ warning: z.string() });

/** What of a collection's segments is to be remembered before the server is flushed. */
export function segmentsBefore(listed: readonly SegmentDescription[]): ServerFlush["before"][string] {
  const withRows = listed.filter((segment) => !segment.isL0 && segment.rows > 0n && isThere(segment));
  const idsOf = (segments: readonly SegmentDescription[]) => segments.map((segment) => segment.id);
  return {
    flushed: idsOf(withRows.filter(({ state }) => state === "Flushed")),
    others: idsOf(withRows.filter(({ state }) => state !== "Flushed")),
  };
}

/**
 * What a flush of the whole server means for one collection.
 * @param listed its segments, listed when the server had flushed
 * @returns `torn` where compaction rewrote segments in between, maybe without the rows that deletes after the flush removed, where one of before
 *   is not flushed, or where the flush does not tell of the collection: IDs of segments, where it is for them
 */
export function flushedWithServer(
  {
    name,
    physicalChannels,
    createdTimestamp,
  }: Pick<CollectionDescription, "name" | "physicalChannels" | "createdTimestamp">,
  { timestamp, channels, before }: ServerFlush,
  listed: readonly SegmentDescription[],
): FlushedCollection | { readonly torn: readonly Id[] } {
  const earlier = before[qualifiedName(name)];
  // made since, or in channels that the flush did not go through
  if (earlier === undefined || physicalChannels.some((channel) => channels[channel] === undefined)) return { torn: [] };
  // in place of one of that name
  if (BigInt(createdTimestamp) > BigInt(timestamp)) return { torn: [] };
  const known = new Set([...earlier.flushed, ...earlier.others]);
  const flushed = listed.filter(({ isL0, state }) => !isL0 && (state === "Flushed" || state === "Flushing"));
  const there = new Set(flushed.map((segment) => segment.id));
  const torn = [
    // gone, or with rows of before the flush and not flushed all the same
    ...[...known].filter((segment) => !there.has(segment)),
    // Writers leave segments as the rows came: what is sorted and was not there before is the work of a compaction.
    ...listed.flatMap((segment) =>
      segment.isSorted && !segment.isL0 && isThere(segment) && !known.has(segment.id) ? [segment.id] : [],
    ),
  ];
  if (torn.length > 0) return { torn };
  const settled = new Set(earlier.flushed);
  return {
    segmentIds: flushed.map((segment) => segment.id),
    sealedIds: flushed.flatMap((segment) => (settled.has(segment.id) ? [] : [segment.id])),
    timestamp,
    channelTimestamp: timestamp,
    // as milvus-backup leaves them behind such a flush
    sealTime: 0,
    channelCheckpoints: {},
  };
}

function isThere({ state }: SegmentDescription): boolean {
  return state === "Growing" || !neverInABackup.has(state);
}
