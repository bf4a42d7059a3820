import { statusError } from "./errors.ts";
import type { GrpcClient } from "./grpc-client.ts";

/** `merr.ErrDenyReplicateMessage`: a server that nobody replicates into, as most are. */
const denied = 1900;

/**
 * The position of the channel that DDL is replicated through (CDC of Milvus 2.5): a request without messages answers the latest one.
 * @returns undefined where the server takes part in no replication
 */
export async function rpcChannelPosition(client: GrpcClient, channel: string): Promise<string | undefined> {
  const outcome = await client.attempt<{ readonly position: string }>("ReplicateMessage", { channel_name: channel });
  if (outcome.kind === "unimplemented") return undefined;
  if (outcome.kind === "ok") return outcome.response.position;
  if (outcome.status.code === denied) return undefined;
  throw statusError(client.endpoint, "ReplicateMessage", outcome.status, { subject: `channel ${channel}` });
}
