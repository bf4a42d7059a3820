import type { MilvusClient } from "@zilliz/milvus2-sdk-node";
import { LocalStackError } from "../local/errors.ts";
import { connectClient } from "../local/milvus-client.ts";
import type { Reporter } from "../local/reporter.ts";
import { down, milvusServers, status, up } from "../local/stack.ts";

export interface WithStackOptions {
  /** Leaves a stack that was started here running. */
  readonly keep: boolean;
  /** Deploys the pipeline as the sources are now. */
  readonly deploy: boolean;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
}

/** The two servers: the one that is backed up and the one that is restored into. */
export interface Servers {
  readonly a: MilvusClient;
  readonly b: MilvusClient;
}

/**
 * Uses the local stack: brings up what does not run, and takes it down again afterwards, whatever happens, unless it ran before or is to
 * be kept.
 */
export async function withStack<T>(
  { keep, deploy, signal, reporter }: WithStackOptions,
  use: (servers: Servers, stays: boolean) => Promise<T>,
): Promise<T> {
  const wasUp = (await status()).some(({ health }) => health !== "stopped");
  const stays = wasUp || keep;
  try {
    await up({ deploy, signal, reporter });
    return await withServers((servers) => use(servers, stays));
  } finally {
    if (!stays) await down({ reporter });
  }
}

async function withServers<T>(use: (servers: Servers) => Promise<T>): Promise<T> {
  const clients: MilvusClient[] = [];
  try {
    for (const { address } of milvusServers) clients.push(await connectClient(address));
    const [a, b] = clients;
    if (a === undefined || b === undefined) throw new LocalStackError("The local stack has fewer than two servers.");
    return await use({ a, b });
  } finally {
    await Promise.all(clients.map((client) => client.closeConnection()));
  }
}
