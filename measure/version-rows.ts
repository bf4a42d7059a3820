import { ConsistencyLevelEnum, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { LocalStackError } from "../local/errors.ts";
import { answered } from "../local/milvus-client.ts";
import type { VersionRow } from "./instant-judge.ts";

/** Milvus answers at most so many rows to one query. */
const mostRows = 16_384;

/**
 * Every row of a collection of the upsert load, restored or not; it is given an index and loaded where it needs that. A query answers
 * each key once, however often it is there; `count(*)` counts every row. So a key that is there n times is answered n times, each
 * time with the version that Milvus shows. Nobody may write to it meanwhile.
 */
export async function readVersions(client: MilvusClient, collection_name: string): Promise<VersionRow[]> {
  await makeLoaded(client, collection_name);
  const { data } = await answered(
    `reading ${collection_name}`,
    client.query({
      collection_name,
      filter: "id >= 0",
      output_fields: ["id", "version"],
      limit: mostRows,
      consistency_level: ConsistencyLevelEnum.Strong,
    }),
  );
  if (data.length >= mostRows) throw new LocalStackError(`${collection_name} has more rows than one query can answer.`);
  const rows = data.map(({ id, version }) => ({ key: String(id), version: Number(version) }));
  rows.sort((one, other) => Number(one.key) - Number(other.key));
  return [...rows, ...(await repeated(client, collection_name, rows))];
}

/**
 * Each row once more for every time that its key is there again: halves what counts more rows than it has keys. Nobody writes any
 * more, and a strong query was answered before: waiting again with each of these would take 0.2 s.
 */
async function repeated(
  client: MilvusClient,
  collection_name: string,
  rows: readonly VersionRow[],
): Promise<VersionRow[]> {
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return [];
  const { data } = await answered(
    `counting ${collection_name}`,
    client.query({
      collection_name,
      filter: `id >= ${first.key} and id <= ${last.key}`,
      output_fields: ["count(*)"],
      consistency_level: ConsistencyLevelEnum.Eventually,
    }),
  );
  const more = Number(data[0]?.["count(*)"]) - rows.length;
  if (more <= 0) return [];
  if (rows.length === 1) return Array.from({ length: more }, () => first);
  const middle = Math.ceil(rows.length / 2);
  return [
    ...(await repeated(client, collection_name, rows.slice(0, middle))),
    ...(await repeated(client, collection_name, rows.slice(middle))),
  ];
}

async function makeLoaded(client: MilvusClient, collection_name: string): Promise<void> {
  const { status } = await client.describeIndex({ collection_name });
  if (status.error_code === "IndexNotExist") {
    await answered(
      `creating an index of ${collection_name}`,
      client.createIndex({
        collection_name,
        field_name: "embedding",
        index_type: "FLAT",
        metric_type: "L2",
        params: {},
      }),
    );
  }
  await answered(`loading ${collection_name}`, client.loadCollectionSync({ collection_name }));
}
