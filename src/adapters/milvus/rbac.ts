import { settleEach } from "../../core/execution/settle.ts";
import { type RbacMeta, rbacMeta } from "../../core/format/meta.ts";
import {
  anyWord,
  builtInRoles,
  fromRbacMeta,
  type Rbac,
  type RbacAddition,
  type RbacDescription,
  type RbacGrant,
  type RefusedGrant,
  rootUser,
  toRbacMeta,
} from "../../core/milvus/rbac.ts";
import { failedError, statusError } from "./errors.ts";
import type { GrpcClient } from "./grpc-client.ts";

/** Listings of grants at once. */
const listings = 4;

/** Messages have the names of the format's records, which was made from them; what is not set is null. */
type GrantMessage = RbacMeta["grants"][number];
interface Named {
  readonly name: string;
}

/**
 * `Milvus.describeRbac`: with BackupRBAC (2.4.10 and later), which is told by its answer, as builds are called what they like. Without it by
 * listing users, roles, and the grants of each role in each database: no passwords, and no grants about databases that are not there.
 */
export async function describeRbac(
  client: GrpcClient,
  listDatabases: () => Promise<readonly string[]>,
): Promise<RbacDescription> {
  const outcome = await client.attempt<{ readonly RBAC_meta: RbacMeta | null }>("BackupRBAC", {});
  if (outcome.kind === "refused") throw statusError(client.endpoint, "BackupRBAC", outcome.status);
  if (outcome.kind === "unimplemented") return { ...(await listRbac(client, listDatabases)), tellsPasswords: false };
  return { ...fromRbacMeta(outcome.response.RBAC_meta ?? rbacMeta.zero()), tellsPasswords: true };
}

async function listRbac(client: GrpcClient, listDatabases: () => Promise<readonly string[]>): Promise<Rbac> {
  const users = await client.call<{
    readonly results: readonly { readonly user: Named | null; readonly roles: readonly Named[] }[];
  }>("SelectUser", { include_role_info: true });
  const answered = await client.call<{ readonly results: readonly { readonly role: Named | null }[] }>(
    "SelectRole",
    {},
  );
  const roles = answered.results.flatMap(({ role }) => (role && !builtInRoles.has(role.name) ? [role] : []));
  // a server before databases ignores which one is meant
  const databases = [...(await listDatabases()), anyWord];
  const asked = roles.flatMap((role) => databases.map((database) => ({ role, db_name: database })));
  const grants = await settleEach(asked, listings, async (entity) => {
    const { entities } = await client.call<{ readonly entities: readonly GrantMessage[] }>("SelectGrant", { entity });
    return entities;
  });
  const listed = fromRbacMeta({
    users: users.results.flatMap(({ user, roles }) =>
      user && user.name !== rootUser ? [{ user: user.name, password: "", roles: [...roles] }] : [],
    ),
    roles,
    grants: grants.flat(),
    privilege_groups: [],
  });
  // those about every database are answered for each
  return { ...listed, grants: [...new Map(listed.grants.map((grant) => [JSON.stringify(grant), grant])).values()] };
}

/**
 * `Milvus.addRbac`. RestoreRBAC takes users with their hashed passwords, and all or nothing: it refuses where a user, role or group is there.
 * Grants of every privilege (`*`) are made one by one, as it refuses them, or stores another one, before 2.6.15 (milvus#48978).
 */
export async function addRbac(client: GrpcClient, add: RbacAddition): Promise<RefusedGrant[]> {
  const { users, roles, privilegeGroups, memberships } = add;
  const [alone, together] = partition(add.grants, ({ privilege }) => privilege === anyWord);
  const refused: RefusedGrant[] = [];
  let grants = together;
  for (;;) {
    const parts = { users, roles, grants, privilegeGroups };
    if (Object.values(parts).every((list) => list.length === 0)) break;
    const outcome = await client.attempt("RestoreRBAC", { RBAC_meta: toRbacMeta(parts) });
    if (outcome.kind === "ok") break;
    if (outcome.kind === "unimplemented") {
      if (users.length + privilegeGroups.length > 0) {
        throw failedError(client.endpoint, "RestoreRBAC", "this Milvus version does not have the call");
      }
      await createRoles(client, roles);
      alone.push(...grants);
      break;
    }
    const unknown = /privilege(?: group)? \[([^\]]+)\] does not exist/.exec(outcome.status.reason)?.[1];
    const [refusedNow, left] = partition(grants, ({ privilege }) => privilege === unknown);
    if (refusedNow.length === 0) throw statusError(client.endpoint, "RestoreRBAC", outcome.status);
    refused.push(...refusedNow.map((grant) => ({ grant, reason: `there is no privilege ${unknown}` })));
    grants = left;
  }
  for (const grant of alone) refused.push(...(await grantOne(client, grant)));
  for (const { user, role } of memberships) {
    // 0: AddUserToRole; asked twice is no error
    await client.call("OperateUserRole", { username: user, role_name: role, type: 0 }, { subject: `user ${user}` });
  }
  return refused;
}

async function createRoles(client: GrpcClient, roles: readonly string[]): Promise<void> {
  for (const role of roles) {
    await client.call("CreateRole", { entity: { name: role } }, { subject: `role ${role}` });
  }
}

/** Asked twice is no error. */
async function grantOne(client: GrpcClient, grant: RbacGrant): Promise<RefusedGrant[]> {
  const [entity] = toRbacMeta({ users: [], roles: [], grants: [grant], privilegeGroups: [] }).grants;
  // 0: Grant
  const outcome = await client.attempt("OperatePrivilege", { entity, type: 0 });
  if (outcome.kind === "ok") return [];
  if (outcome.kind === "unimplemented") {
    throw failedError(client.endpoint, "OperatePrivilege", "this Milvus version does not have the call");
  }
  const { reason } = outcome.status;
  const error = statusError(client.endpoint, "OperatePrivilege", outcome.status, { subject: `role ${grant.role}` });
  if (error.name !== "MilvusFailed") throw error;
  return [{ grant, reason }];
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  const groups = Map.groupBy(all, isFirst);
  return [groups.get(true) ?? [], groups.get(false) ?? []];
}
