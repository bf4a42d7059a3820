import { PipelineError } from "../../core/execution/errors.ts";
import { anyWord, rootUser } from "../../core/milvus/rbac.ts";
import type { GrpcClient } from "./grpc-client.ts";

const adminRole = "admin";
/** Of Milvus's own groups of privileges those that are about collections; of a privilege that is none of these Milvus shows no collection. */
const collectionGroups: ReadonlySet<string> = new Set(["CollectionReadOnly", "CollectionReadWrite", "CollectionAdmin"]);

interface SelectedUsers {
  readonly results: readonly { readonly roles: readonly { readonly name: string }[] }[];
}
interface SelectedGrants {
  readonly entities: readonly {
    readonly object: { readonly name: string } | null;
    readonly object_name: string;
    readonly db_name: string;
    readonly grantor: { readonly privilege: { readonly name: string } | null } | null;
  }[];
}

/**
 * Whether lists leave out databases and collections that the user was granted nothing about: `getCurrentUserVisibleCollections` of root coord, where
 * privileges are checked. Everybody may ask for the own roles and what they may do.
 * @returns false too where the server has no such user: it checks none
 */
export async function listsOnlyGranted(client: GrpcClient): Promise<boolean> {
  const { user } = client.endpoint;
  if (user === "" || user === rootUser) return false;
  try {
    return !(await seesEverything(client, user));
  } catch (error) {
    // no admin is refused this
    if (error instanceof PipelineError && error.name === "MilvusUnauthenticated") return true;
    throw error;
  }
}

async function seesEverything(client: GrpcClient, user: string): Promise<boolean> {
  const selected = await client.attempt<SelectedUsers>("SelectUser", { user: { name: user }, include_role_info: true });
  if (selected.kind !== "ok") return true;
  const roles = selected.response.results.flatMap((result) => result.roles.map(({ name }) => name));
  if (roles.includes(adminRole)) return true;
  for (const name of roles) {
    const grants = await client.attempt<SelectedGrants>("SelectGrant", {
      entity: { role: { name }, db_name: anyWord },
    });
    if (grants.kind === "ok" && grants.response.entities.some(showsEverything)) return true;
  }
  return false;
}

function showsEverything({ object, object_name, db_name, grantor }: SelectedGrants["entities"][number]): boolean {
  if (db_name !== anyWord || object_name !== anyWord) return false;
  const privilege = grantor?.privilege?.name ?? "";
  return (
    object?.name === "Collection" || privilege === anyWord || privilege === "All" || collectionGroups.has(privilege)
  );
}
