import { PipelineError } from "../../core/execution/errors.ts";
import type { CollectionName } from "../../core/milvus/descriptions.ts";
import { aboutCollection } from "./collections.ts";
import type { GrpcClient } from "./grpc-client.ts";

/** What collections are in that are in no other. */
const defaultGroup = "__default_resource_group";

interface Replicas {
  readonly replicas: readonly { readonly resource_group_name: string }[];
}

interface RowPolicies {
  readonly policies: readonly { readonly policy_name: string }[];
}

/**
 * What a server keeps of a collection beside its schema, and no backup carries, in words: replicas and resource groups of a loaded one, row policies
 * (Milvus 3). It is for a warning: where the server does not tell, nothing is said.
 */
export async function beyondSchema(
  client: GrpcClient,
  name: CollectionName,
  { loaded, rowPolicies }: { readonly loaded: boolean; readonly rowPolicies: boolean },
): Promise<string[]> {
  const request = { collection_name: name.collection };
  const [replicas, policies] = await Promise.all([
    loaded ? ask<Replicas>(client, "GetReplicas", request, name) : undefined,
    rowPolicies ? ask<RowPolicies>(client, "ListRowPolicies", request, name) : undefined,
  ]);
  const groups = new Set(replicas?.replicas.map((replica) => replica.resource_group_name));
  const told = [...groups].filter((group) => group !== "" && group !== defaultGroup);
  return [
    ...(replicas && replicas.replicas.length > 1 ? [`its ${replicas.replicas.length} replicas (one is loaded)`] : []),
    ...(told.length > 0 ? [`its resource groups ${told.join(", ")}`] : []),
    ...(policies && policies.policies.length > 0
      ? [`its row policies ${policies.policies.map((policy) => policy.policy_name).join(", ")}`]
      : []),
  ];
}

async function ask<T>(
  client: GrpcClient,
  call: string,
  request: Readonly<Record<string, unknown>>,
  name: CollectionName,
): Promise<T | undefined> {
  try {
    const outcome = await client.attempt<T>(call, request, aboutCollection(name));
    return outcome.kind === "ok" ? outcome.response : undefined;
  } catch (error) {
    if (error instanceof PipelineError) return undefined;
    throw error;
  }
}
