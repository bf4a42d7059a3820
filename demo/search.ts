import { ConsistencyLevelEnum, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { answered } from "../local/milvus-client.ts";
import type { Digit } from "./digits.ts";

export const topCount = 10;

/** One digit found. */
export interface Hit {
  readonly id: string;
  readonly label: number;
  /** Squared L2 distance, as a 32-bit float. */
  readonly distance: number;
}

/** What the same search found in both servers. */
export interface Comparison {
  readonly query: Digit;
  readonly source: readonly Hit[];
  readonly restored: readonly Hit[];
}

/** The ten digits nearest to one, itself among them, nearest first. */
export async function search(client: MilvusClient, collection: string, query: Digit): Promise<Hit[]> {
  const { results } = await answered(
    `searching ${collection}`,
    client.search({
      collection_name: collection,
      data: [...query.pixels],
      anns_field: "pixels",
      limit: topCount,
      metric_type: "L2",
      // Wide enough to find the true neighbours whatever the graph: its layout is a matter of chance and of the segments.
      params: { ef: 1024 },
      output_fields: ["id", "label"],
      consistency_level: ConsistencyLevelEnum.Strong,
    }),
  );
  return results.map(({ id, score, ...fields }) => ({ id, label: Number(fields.label), distance: score }));
}

/** Whether two hits at the same rank are the same digit at the same distance. */
export function sameHit(one: Hit | undefined, other: Hit | undefined): boolean {
  return (
    one !== undefined &&
    other !== undefined &&
    one.id === other.id &&
    one.label === other.label &&
    one.distance === other.distance
  );
}

/** The share of ranks, over all comparisons, at which both servers found the same digit at the same distance: 0 to 1. */
export function agreementOf(comparisons: readonly Comparison[]): number {
  const same = comparisons.flatMap(({ source, restored }) =>
    Array.from({ length: topCount }, (_, rank) => sameHit(source[rank], restored[rank])),
  );
  return same.filter(Boolean).length / same.length;
}

/** A few digits to search with: one of some labels each, none of them deleted. */
export function chooseQueries(digits: readonly Digit[], deleted: ReadonlySet<number>): Digit[] {
  const late = digits.slice(digits.length / 2).filter(({ id }) => !deleted.has(id));
  return [3, 8, 5].flatMap((label) => late.find((digit) => digit.label === label) ?? []);
}
