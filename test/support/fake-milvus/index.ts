import { type FakeGrpc, startFakeGrpc } from "./grpc-server.ts";
import { type FakeManagement, startFakeManagement } from "./management-server.ts";
import { type FakeRest, startFakeRest } from "./rest-server.ts";

/**
 * A fake Milvus for the calls that came with 2.4 and later, which no server here can run. Real: HTTP/1 and HTTP/2 on loopback,
 * the gRPC messages (the SDK's protocol), the REST v2 paths, headers and JSON as milvus.io documents them, with bare 64-bit
 * numbers. Fake: everything behind them. gRPC calls answer what a test gives them, import jobs advance with every describe, and
 * gRPC and REST have a port each, where a Milvus proxy serves both on one.
 */
export interface FakeMilvus {
  readonly grpc: FakeGrpc;
  readonly rest: FakeRest;
  readonly management: FakeManagement;
  close(): Promise<void>;
}

export interface FakeMilvusOptions {
  /** What GetVersion answers: `v2.5.8`. */
  readonly version: string;
  /** Both are asked for by every interface where they are given. */
  readonly user?: string;
  readonly password?: string;
  /** Resuming garbage collection needs the ticket (2.6.8+). */
  readonly tickets?: boolean;
}

export async function startFakeMilvus(options: FakeMilvusOptions): Promise<FakeMilvus> {
  const credentials = options.user === undefined ? undefined : `${options.user}:${options.password ?? ""}`;
  const grpc = await startFakeGrpc(options.version, credentials);
  const rest = await startFakeRest(credentials);
  const management = await startFakeManagement(options.tickets ?? false);
  return {
    grpc,
    rest,
    management,
    async close() {
      await Promise.all([grpc.close(), rest.close(), management.close()]);
    },
  };
}
