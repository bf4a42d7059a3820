import type { Id, ImportRequest } from "../../core/milvus/descriptions.ts";
import { aboutCollection } from "./collections.ts";
import { failedError } from "./errors.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { importOptions } from "./imports.ts";

/**
 * Asks for one import over gRPC, which 2.2 and 2.3 make a task of, newer servers a job.
 * @param options.made what the server makes of it, for messages
 * @param options.timeoutMs the client's own where absent
 * @returns its ID
 * @throws MilvusFailed where the server made none, and what the call throws
 */
export async function submitOverGrpc(
  client: GrpcClient,
  request: ImportRequest,
  { files, made, ...call }: { readonly files: readonly string[]; readonly made: "task" | "job"; timeoutMs?: number },
): Promise<Id> {
  const about = aboutCollection(request.name);
  const answer = await client.call<{ readonly tasks: readonly string[] }>(
    "Import",
    {
      collection_name: request.name.collection,
      partition_name: request.partition,
      files,
      options: Object.entries(importOptions(request)).map(([key, value]) => ({ key, value })),
    },
    { ...about, ...call, secret: request.encryptionKey },
  );
  const [id] = answer.tasks;
  if (id === undefined) throw failedError(client.endpoint, "Import", `no ${made} for ${about.subject}`);
  return id;
}
