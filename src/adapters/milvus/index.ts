import { createHash } from "node:crypto";
import type { Environment } from "../../core/environment/environment.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { Patience } from "../patience.ts";
import { MilvusAdapter } from "./adapter.ts";
import { GrpcClient } from "./grpc-client.ts";
import { httpExchange, RestClient } from "./rest-client.ts";

interface ConnectOptions {
  /** How long to wait for Milvus to answer at all; 5 s. */
  readonly connectTimeoutMs?: number;
  /** How long a flush may take; 10 minutes, of the 15 that a Lambda has. */
  readonly flushTimeoutMs?: number;
  /** How long what passes is waited for once Milvus has answered; not at all where absent. The handshake never waits. */
  readonly patience?: Patience;
}

/** gRPC connections by what they were opened with; a Lambda container keeps them from one invocation to the next. */
const connections = new Map<string, Connection>();

interface Connection {
  readonly grpc: GrpcClient;
  /** Knows whether its interface is served at all. */
  readonly rest: RestClient;
}

/**
 * Connects to an environment's Milvus and asks for its version.
 * @throws MilvusUnreachable (with the address, within about `connectTimeoutMs`), MilvusUnauthenticated, MilvusBusy
 */
export async function connectMilvus(environment: Environment, options: ConnectOptions = {}): Promise<Milvus> {
  const { milvus } = environment;
  const address = `${milvus.address.includes(":") ? `[${milvus.address}]` : milvus.address}:${milvus.port}`;
  const key = connectionKey(environment);
  let connection = connections.get(key);
  if (!connection) {
    const endpoint = { address, user: milvus.user, environment: environment.name };
    // a certificate of another host has the name of that host
    const rest = httpExchange(milvus.restAddress === undefined ? milvus : { ...milvus, serverName: "" });
    connection = {
      grpc: new GrpcClient(endpoint, milvus, options.patience),
      rest: new RestClient(endpoint, milvus, rest, options.patience),
    };
    connections.set(key, connection);
  }
  const { grpc, rest } = connection;
  let version: string;
  try {
    version = await grpc.handshake(options.connectTimeoutMs ?? 5_000);
  } catch (error) {
    // a fresh connection next time: this one may be backing off or hold credentials that were changed since
    connections.delete(key);
    grpc.close();
    throw error;
  }
  const limits = { flushTimeoutMs: options.flushTimeoutMs ?? 600_000 };
  return new MilvusAdapter(environment, { grpc, rest }, version, limits, options.patience?.log);
}

/** Closes every connection; for programs that end, and for tests. */
export function closeMilvusConnections(): void {
  for (const { grpc } of connections.values()) grpc.close();
  connections.clear();
}

/** Everything a connection depends on, hashed: it holds a password and a private key. */
function connectionKey(environment: Environment): string {
  return createHash("sha256")
    .update(JSON.stringify([environment.name, environment.milvus]))
    .digest("base64");
}
