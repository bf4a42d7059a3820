import type { CallsOf } from "./calls.ts";
import type { Grant, Rbac } from "./rbac.ts";
import { type Message, unexpected } from "./refusal.ts";

/** Users, roles, grants and privilege groups. */
export const rbacCalls: CallsOf = (model) => {
  const { rbac } = model;
  const isAtLeast = (version: string) => model.isAtLeast(version);
  return {
    CreateCredential: ({ request }) => rbac.createUser(String(request.username), fromBase64(request.password)),

    UpdateCredential: ({ request }) => rbac.setPassword(String(request.username), fromBase64(request.newPassword)),

    DeleteCredential: ({ request }) => rbac.dropUser(String(request.username)),

    ListCredUsers: () => ({ usernames: [...rbac.users.keys()] }),

    CreateRole: ({ request }) => rbac.createRole(nameOf(request.entity)),

    DropRole: ({ request }) => rbac.dropRole(String(request.role_name)),

    OperateUserRole: ({ request }) => {
      const [user, role] = [String(request.username), String(request.role_name)];
      if (request.type === "RemoveUserFromRole") rbac.removeMember(user, role);
      else rbac.addMember(user, role);
    },

    SelectRole: ({ request }) => {
      const wanted = nameOf(request.role);
      if (wanted !== "" && !rbac.roles.has(wanted)) throw unexpected("not found the role");
      const roles = wanted === "" ? [...rbac.roles] : [wanted];
      return {
        results: roles.map((role) => ({
          role: { name: role },
          users: request.include_user_info ? rbac.usersOf(role).map((name) => ({ name })) : [],
        })),
      };
    },

    SelectUser: ({ request }) => {
      const wanted = nameOf(request.user);
      if (wanted !== "" && !rbac.users.has(wanted)) throw unexpected("not found the user");
      const users = wanted === "" ? [...rbac.users.keys()] : [wanted];
      return {
        results: users.map((user) => ({
          user: { name: user },
          roles: request.include_role_info ? rbac.rolesOf(user).map((name) => ({ name })) : [],
        })),
      };
    },

    OperatePrivilege: ({ request }) => {
      const grant = grantOf(request.entity as Message);
      if (request.type === "Revoke") rbac.revoke(grant);
      else rbac.grant(grant);
    },

    OperatePrivilegeV2: ({ request }) => {
      const grantor = request.grantor as Message;
      const grant: Grant = {
        role: nameOf(request.role),
        object: "Global",
        objectName: String(request.collection_name),
        database: String(request.db_name) || "default",
        privilege: nameOf(grantor.privilege),
        grantor: nameOf(grantor.user),
      };
      if (request.type === "Revoke") rbac.revoke(grant);
      else rbac.grant(grant);
    },

    SelectGrant: ({ request }) => {
      const wanted = request.entity as Message;
      const role = nameOf(wanted.role);
      if (!rbac.roles.has(role)) throw unexpected("not found the role");
      const database = String(wanted.db_name ?? "") || "default";
      const [object, objectName] = [nameOf(wanted.object), String(wanted.object_name ?? "")];
      const found = rbac.grants.filter(
        (grant) =>
          grant.role === role &&
          // those of every database come with each; "*" asks for all from 2.4 on, and for these alone before
          (["*", database].includes(grant.database) || (database === "*" && isAtLeast("2.4.0"))) &&
          (object === "" || grant.object === object) &&
          (objectName === "" || grant.objectName === objectName),
      );
      return { entities: found.map(grantMessage) };
    },

    CreatePrivilegeGroup: ({ request }) => rbac.createGroup(String(request.group_name)),

    DropPrivilegeGroup: ({ request }) => {
      rbac.groups.delete(String(request.group_name));
    },

    ListPrivilegeGroups: () => ({ privilege_groups: groupMessages(rbac) }),

    OperatePrivilegeGroup: ({ request }) => {
      const name = String(request.group_name);
      const listed = (request.privileges as Message[]).map(({ name: privilege }) => String(privilege));
      const before = rbac.group(name);
      const removes = request.type === "RemovePrivilegesFromGroup";
      const after = removes ? before.filter((one) => !listed.includes(one)) : [...new Set([...before, ...listed])];
      rbac.groups.set(name, after);
    },

    BackupRBAC: () => {
      const { users, roles, grants } = rbac.own;
      return {
        RBAC_meta: {
          users: users.map((user) => ({
            user,
            password: rbac.users.get(user) ?? "",
            roles: rbac.rolesOf(user).map((name) => ({ name })),
          })),
          roles: roles.map((name) => ({ name })),
          grants: grants.map(grantMessage),
          ...(rbac.hasGroups ? { privilege_groups: groupMessages(rbac) } : {}),
        },
      };
    },

    /** All or nothing: what is there already, or a privilege that is not known, refuses the whole; so does nothing at all (2.6). */
    RestoreRBAC: ({ request }) => {
      const { users, roles, grants, privilege_groups: groups } = request.RBAC_meta as Record<string, Message[]>;
      for (const role of roles ?? []) {
        if (rbac.roles.has(nameOf(role))) throw unexpected(`role [name:"${nameOf(role)}"] already exists`);
      }
      for (const { user } of users ?? []) {
        if (rbac.users.has(String(user))) throw unexpected(`user [${String(user)}] already exists`);
      }
      for (const { group_name: name } of groups ?? []) {
        if (rbac.groups.has(String(name))) throw unexpected(`privilege group [${String(name)}] already exists`);
      }
      if (isAtLeast("2.6.0") && [users, roles, grants, groups].every((list) => !list?.length))
        throw unexpected("empty rbac meta");
      for (const { privilege } of (grants ?? []).map(grantOf)) {
        if (groups?.some(({ group_name: name }) => name === privilege) || rbac.groups.has(privilege)) continue;
        if (knownPrivileges.has(privilege)) continue;
        // milvus#48978: it takes "every privilege" for a group, whose name it lost by then
        if (!isAtLeast("2.6.0"))
          throw unexpected(`privilege group [${privilege === "*" ? "" : privilege}] does not exist`);
        throw unexpected(`privilege [${privilege}] does not exist`);
      }
      for (const role of roles ?? []) rbac.createRole(nameOf(role));
      for (const { group_name: name, privileges } of groups ?? []) {
        rbac.groups.set(String(name), (privileges as Message[]).map(nameOf));
      }
      for (const grant of grants ?? []) rbac.grant(grantOf(grant));
      for (const { user, password, roles: own } of users ?? []) {
        // as it was backed up: a hash
        rbac.users.set(String(user), String(password));
        for (const role of own as Message[]) rbac.addMember(String(user), nameOf(role));
      }
    },
  };
};

/** Of the server's own, enough for tests. */
const knownPrivileges: ReadonlySet<string> = new Set(["Search", "Query", "Insert", "Delete", "CreateCollection"]);

function nameOf(entity: unknown): string {
  return String((entity as Message | null | undefined)?.name ?? "");
}

/** Passwords travel encoded. */
function fromBase64(text: unknown): string {
  return Buffer.from(String(text), "base64").toString("utf8");
}

function grantOf(entity: Message): Grant {
  const grantor = entity.grantor as Message | null;
  return {
    role: nameOf(entity.role),
    object: nameOf(entity.object),
    objectName: String(entity.object_name),
    database: String(entity.db_name ?? "") || "default",
    privilege: nameOf(grantor?.privilege),
    grantor: nameOf(grantor?.user),
  };
}

function grantMessage({ role, object, objectName, database, privilege, grantor }: Grant): Message {
  return {
    role: { name: role },
    object: { name: object },
    object_name: objectName,
    db_name: database,
    grantor: { user: { name: grantor }, privilege: { name: privilege } },
  };
}

function groupMessages(rbac: Rbac): Message[] {
  return [...rbac.groups].map(([name, privileges]) => ({
    group_name: name,
    privileges: privileges.map((privilege) => ({ name: privilege })),
  }));
}
