import type { CollectionName } from "../../core/milvus/descriptions.ts";
import { aboutCollection, type DescribeCollectionAnswer, showCollections } from "./collections.ts";
import { statusError } from "./errors.ts";
import type { GrpcClient } from "./grpc-client.ts";

/** The collection an alias stands for; undefined where there is no such alias. Works on every version, through DescribeCollection. */
export async function resolveAlias(client: GrpcClient, database: string, alias: string): Promise<string | undefined> {
  const answer = await describeIfThere(client, { database, collection: alias });
  if (!answer?.aliases.includes(alias)) return undefined;
  const collections = await showCollections(client, database);
  return collections.find(({ id }) => id === answer.collectionID)?.name;
}

/**
 * Gives a collection an alias; one that it has already is no error, one that another collection has is MilvusFailed.
 * Milvus 2.3.5 keeps the aliases of dropped collections: they stand for nothing and block the name. Such a one is taken over.
 */
export async function createAlias(client: GrpcClient, name: CollectionName, alias: string): Promise<void> {
  const about = { ...aboutCollection(name), part: `alias ${alias}` };
  const request = { collection_name: name.collection, alias };
  const outcome = await client.attempt("CreateAlias", request, about);
  if (outcome.kind === "ok") return;
  const leftover =
    outcome.kind === "refused" &&
    /alias already exist/.test(outcome.status.reason) &&
    (await describeIfThere(client, { ...name, collection: alias })) === undefined;
  if (leftover) await client.call("DropAlias", { alias }, about);
  await client.call("CreateAlias", request, about);
}

/**
 * Drops a collection with its aliases; one that is not there is no error. The aliases go first: Milvus 2.3.5 would keep them,
 * and newer ones refuse to drop a collection that has any.
 */
export async function dropCollection(client: GrpcClient, name: CollectionName): Promise<void> {
  const about = aboutCollection(name);
  const answer = await describeIfThere(client, name);
  // by an alias: left to Milvus, which refuses it
  const aliases = answer && !answer.aliases.includes(name.collection) ? answer.aliases : [];
  for (const alias of aliases) await client.call("DropAlias", { alias }, { ...about, part: `alias ${alias}` });
  await client.call("DropCollection", { collection_name: name.collection }, about);
}

async function describeIfThere(
  client: GrpcClient,
  name: CollectionName,
): Promise<DescribeCollectionAnswer | undefined> {
  const about = aboutCollection(name);
  const request = { collection_name: name.collection };
  const outcome = await client.attempt<DescribeCollectionAnswer>("DescribeCollection", request, about);
  if (outcome.kind === "ok") return outcome.response;
  if (outcome.kind === "unimplemented") return undefined;
  const error = statusError(client.endpoint, "DescribeCollection", outcome.status, about);
  if (error.name === "CollectionNotFound") return undefined;
  throw error;
}
