import { ConsistencyLevelEnum, MilvusClient } from "@zilliz/milvus2-sdk-node";
import { LocalStackError } from "./errors.ts";

/**
 * Milvus' own client, connected.
 * @throws LocalStackError where nobody answers
 */
export async function connectClient(address: string): Promise<MilvusClient> {
  const client = new MilvusClient({ address, timeout: 60_000 });
  try {
    await client.connectPromise;
    return client;
  } catch (error) {
    await client.closeConnection();
    throw new LocalStackError(
      `Milvus at ${address} does not answer: ${error instanceof Error ? error.message : error}`,
    );
  }
}

interface Answer {
  readonly error_code?: string | number;
  readonly code?: number;
  readonly reason?: string;
}

/** What a call answered; throws LocalStackError with Milvus' reason where it was refused. */
export async function answered<T extends object>(doing: string, call: Promise<T>): Promise<T> {
  const answer = await call.catch((error: unknown) => {
    // The client throws some refusals as they came: no Error, and without a word on what was asked.
    if (error instanceof Error || typeof error !== "object" || error === null) throw error;
    return error as T;
  });
  const { error_code, code, reason } = statusOf(answer);
  if ((error_code ?? "Success") === "Success" && (code ?? 0) === 0) return answer;
  throw new LocalStackError(`Milvus refuses ${doing}: ${reason || error_code}`);
}

/** Some calls answer a bare status, others carry it beside what they answer. */
function statusOf(answer: object): Answer {
  return "status" in answer ? (answer.status as Answer) : answer;
}

/** Rows of a loaded collection as `count(*)` sees them, deletes taken off, everything written so far included. */
export async function countRows(client: MilvusClient, collection: string): Promise<number> {
  const { data } = await answered(
    `counting the rows of ${collection}`,
    client.query({
      collection_name: collection,
      filter: "",
      output_fields: ["count(*)"],
      consistency_level: ConsistencyLevelEnum.Strong,
    }),
  );
  return Number(data[0]?.["count(*)"]);
}

/** Drops a collection with its aliases; answers whether there was one. */
export async function dropCollection(client: MilvusClient, collection: string): Promise<boolean> {
  const { value } = await client.hasCollection({ collection_name: collection });
  if (!value) return false;
  const { aliases } = await answered(
    `listing the aliases of ${collection}`,
    client.listAliases({ collection_name: collection }),
  );
  for (const alias of aliases) await answered(`dropping the alias ${alias}`, client.dropAlias({ alias }));
  await answered(`dropping ${collection}`, client.dropCollection({ collection_name: collection }));
  return true;
}
