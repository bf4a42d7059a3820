import { type ExtraServer, startExtraServer } from "./extra-server.ts";

export type CompactingServer = ExtraServer;

/**
 * Starts a Milvus server that removes what compaction replaced within seconds, not hours: what a long backup meets, in a short one.
 * @param options.name of the server, its environment and its folder in bucket-a
 * @param options.port the first of ten that are free
 * @param options.overrides of Milvus's own settings, by their keys
 */
export async function startCompactingServer(options: {
  name: string;
  port: number;
  signal?: AbortSignal;
  overrides?: Readonly<Record<string, string | number | boolean>>;
}): Promise<CompactingServer> {
  const overrides = { "dataCoord.gc.interval": 3, "dataCoord.gc.dropTolerance": 1, ...options.overrides };
  return startExtraServer({ ...options, bucket: "bucket-a", overrides });
}
