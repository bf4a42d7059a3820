import { MilvusClient } from "@zilliz/milvus2-sdk-node";
import { stackInfo } from "../../../local/index.ts";

/** A collection by name; the database is `default` unless said otherwise. */
export interface Name {
  readonly database?: string;
  readonly collection: string;
}

const clients = new Map<string, MilvusClient>();

/** A connection of Milvus's own SDK, one an address: the tests see Milvus without the code under test. */
export async function connectTo(address: string, user?: { username: string; password: string }): Promise<MilvusClient> {
  const client = clients.get(address) ?? new MilvusClient({ address, ...user, logLevel: "warn" });
  clients.set(address, client);
  await client.connectPromise;
  return client;
}

/** A server of the local stack by its name: `milvus-a`, `milvus-b`. */
export async function connectToServer(name: string): Promise<MilvusClient> {
  const server = (await stackInfo()).milvus.find((candidate) => candidate.name === name);
  if (server === undefined) throw new Error(`the local stack has no ${name}`);
  return connectTo(server.address);
}

/** The SDK answers some errors instead of throwing them: this throws them all. */
export async function must<T extends object>(call: Promise<T>): Promise<T> {
  const answer = await call;
  const status = "status" in answer ? answer.status : answer;
  if (typeof status === "object" && status !== null && "error_code" in status) {
    const { error_code: code, reason } = status as { error_code: unknown; reason?: unknown };
    if (code !== "Success" && code !== 0) throw new Error(`Milvus: ${String(code)}: ${String(reason ?? "")}`);
  }
  return answer;
}

/** A name as the SDK takes it. */
export function named({ database = "default", collection }: Name) {
  return { db_name: database, collection_name: collection };
}

/** The server takes a database here, the SDK's types do not. */
function inDatabase(database: string, alias: string) {
  return { db_name: database, alias };
}

/** Drops every collection of a server whose name begins so, in every database, with its aliases. */
export async function dropCollections(client: MilvusClient, beginning: string): Promise<void> {
  const { db_names } = await must(client.listDatabases());
  for (const database of db_names) {
    const { data } = await must(client.showCollections({ db_name: database }));
    for (const { name } of data.filter((collection) => collection.name.startsWith(beginning))) {
      const described = await must(client.describeCollection(named({ database, collection: name })));
      for (const alias of described.aliases) await must(client.dropAlias(inDatabase(database, alias)));
      await must(client.dropCollection(named({ database, collection: name })));
    }
  }
}

/** Takes an alias of the default database away from whatever holds it. */
export async function freeAlias(client: MilvusClient, alias: string): Promise<void> {
  const { data } = await must(client.showCollections());
  for (const { name } of data) {
    const { aliases } = await must(client.describeCollection({ collection_name: name }));
    if (aliases.includes(alias)) await must(client.dropAlias({ alias }));
  }
}

/** The names of a server's collections that begin so, as `db.coll`. */
export async function collectionNames(client: MilvusClient, beginning: string): Promise<string[]> {
  const { db_names } = await must(client.listDatabases());
  const names: string[] = [];
  for (const database of db_names) {
    const { data } = await must(client.showCollections({ db_name: database }));
    names.push(
      ...data
        .map(({ name }) => name)
        .filter((name) => name.startsWith(beginning))
        .map((name) => `${database}.${name}`),
    );
  }
  return names.sort();
}

export async function ensureDatabase(client: MilvusClient, database: string): Promise<void> {
  const { db_names } = await must(client.listDatabases());
  if (!db_names.includes(database)) await must(client.createDatabase({ db_name: database }));
}

/** @throws Error where there is no such partition */
export async function partitionId(client: MilvusClient, name: Name, partition: string): Promise<string> {
  const { data } = await must(client.showPartitions(named(name)));
  const found = data.find((candidate) => candidate.name === partition);
  if (found === undefined) throw new Error(`${name.collection} has no partition ${partition}`);
  return String(found.id);
}

/** Looks until `test` answers something, at most `timeoutMs` milliseconds. */
export async function until<T>(what: string, timeoutMs: number, look: () => Promise<T | undefined>): Promise<T> {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > giveUpAt) throw new Error(`${what} did not happen within ${timeoutMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Loads a collection, or only some partitions, and waits until that is done (the SDK's own waiting knows one database only). */
export async function load(client: MilvusClient, name: Name, partitions: readonly string[] = []): Promise<void> {
  const of = { ...named(name), ...(partitions.length > 0 && { partition_names: [...partitions] }) };
  await must(
    partitions.length > 0
      ? client.loadPartitions({ ...of, partition_names: [...partitions] })
      : client.loadCollection(of),
  );
  await until(`loading ${name.collection}`, 60_000, async () => {
    const { state } = await must(client.getLoadState(of));
    return state === "LoadStateLoaded" ? true : undefined;
  });
}
