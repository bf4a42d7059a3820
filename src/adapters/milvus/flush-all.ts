import type { FlushedServer, Id } from "../../core/milvus/descriptions.ts";
import { statusError } from "./errors.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { encodeImmutableMessage, type PlainMessage } from "./protocol.ts";

/** `commonpb.ImmutableMessage` */
interface ImmutableMessage extends PlainMessage {
  readonly properties: Readonly<Record<string, string>>;
}

interface FlushAllAnswer {
  readonly flush_all_msgs: Readonly<Record<string, ImmutableMessage>>;
  readonly cluster_info: { readonly cchannel: string; readonly pchannels: readonly string[] } | null;
}

/** The property of a message that holds its timestamp, in base 36 (`streaming/util/message`, properties.go and encoder.go). */
const timeTick = "_tt";

/**
 * Seals everything that grows in the whole server; whether it is flushed `isFlushedAll` tells. Made twice it seals what grew since.
 * @returns undefined where the server does not know the call, or answers it as versions before 2.6.11 do, without messages
 */
export async function flushAll(client: GrpcClient): Promise<FlushedServer | undefined> {
  // no database: all of them
  const outcome = await client.attempt<FlushAllAnswer>("FlushAll", { db_name: "" });
  if (outcome.kind === "unimplemented") return undefined;
  if (outcome.kind === "refused") throw statusError(client.endpoint, "FlushAll", outcome.status);
  const { flush_all_msgs: messages, cluster_info: cluster } = outcome.response;
  const channels: Record<string, Id> = {};
  for (const [channel, { properties }] of Object.entries(messages)) {
    const timestamp = fromBase36(properties[timeTick] ?? "");
    if (timestamp === undefined) return undefined;
    channels[channel] = timestamp.toString();
  }
  const [earliest] = Object.values(channels)
    .map(BigInt)
    .sort((a, b) => (a < b ? -1 : 1));
  if (earliest === undefined) return undefined;
  return {
    timestamp: earliest.toString(),
    channels,
    messages: Object.fromEntries(
      Object.entries(messages).map(([channel, message]) => [
        channel,
        Buffer.from(encodeImmutableMessage(message)).toString("base64"),
      ]),
    ),
    controlChannel: cluster?.cchannel ?? "",
    physicalChannels: [...(cluster?.pchannels ?? [])],
  };
}

/** Whether everything up to a flush of the whole server, by physical channel, is flushed. */
export async function isFlushedAll(client: GrpcClient, channels: FlushedServer["channels"]): Promise<boolean> {
  const request = { db_name: "", flush_all_tss: channels };
  const { flushed } = await client.call<{ readonly flushed: boolean }>("GetFlushAllState", request);
  return flushed;
}

function fromBase36(text: string): bigint | undefined {
  if (!/^[0-9a-z]+$/.test(text)) return undefined;
  return [...text].reduce((sum, digit) => sum * 36n + BigInt(Number.parseInt(digit, 36)), 0n);
}
