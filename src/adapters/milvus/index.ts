import { createHash } from "node:crypto";
import type { Environment } from "../../core/environment/environment.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { Patience } from "../patience.ts";
import { MilvusAdapter } from "./adapter.ts";
import { GrpcClient } from "./grpc-client.ts";

interface ConnectOptions {
  /** How long to wait for Milvus to answer at all; 5 s. */
  readonly connectTimeoutMs?: number;
  /** How long a flush may take; 10 minutes, of the 15 that a Lambda has. */
  readonly flushTimeoutMs?: number;
  /** How long what passes is waited for once Milvus has answered; not at all where absent. The handshake never waits. */
  readonly patience?: Patience;
}

/** gRPC connections by what they were opened with; a Lambda container keeps them from one invocation to the next. */
const connections = new Map<string, GrpcClient>();

/**
 * Connects to an environment's Milvus and asks for its version.
 * @throws MilvusUnreachable (with the address, within about `connectTimeoutMs`), MilvusUnauthenticated, MilvusBusy
 */
export async function connectMilvus(environment: Environment, options: ConnectOptions = {}): Promise<Milvus> {
  const { milvus } = environment;
  const address = `${milvus.address.includes(":") ? `[${milvus.address}]` : milvus.address}:${milvus.port}`;
  const key = connectionKey(environment);
  let client = connections.get(key);
  if (!client) {
    client = new GrpcClient({ address, user: milvus.user, environment: environment.name }, milvus, options.patience);
    connections.set(key, client);
  }
  let version: string;
  try {
    version = await client.handshake(options.connectTimeoutMs ?? 5_000);
  } catch (error) {
    // a fresh connection next time: this one may be backing off or hold credentials that were changed since
    connections.delete(key);
    client.close();
    throw error;
  }
  const limits = { flushTimeoutMs: options.flushTimeoutMs ?? 600_000 };
  return new MilvusAdapter(environment, client, version, limits, options.patience);
}

/** Closes every connection; for programs that end, and for tests. */
export function closeMilvusConnections(): void {
  for (const client of connections.values()) client.close();
  connections.clear();
}

/** Everything a connection depends on, hashed: it holds a password and a private key. */
function connectionKey(environment: Environment): string {
  return createHash("sha256")
    .update(JSON.stringify([environment.name, environment.milvus]))
    .digest("base64");
}
