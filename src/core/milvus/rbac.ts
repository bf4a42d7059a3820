import type { RbacMeta } from "../format/meta.ts";

/** A user of a Milvus. */
export interface RbacUser {
  readonly name: string;
  /** Hashed, as the server keeps it: a secret, never to be logged. "" where nobody tells it (Milvus before 2.4.10). */
  readonly password: string;
  readonly roles: readonly string[];
}

/** That a role may do something. */
export interface RbacGrant {
  readonly role: string;
  /** What it is about: `Collection`, `Global` or `User`. */
  readonly object: string;
  /** Its name, or `*`. */
  readonly objectName: string;
  /** Of Milvus (`Search`), of a privilege group, or `*`. */
  readonly privilege: string;
  /** The user that granted it. */
  readonly grantor: string;
  /** A database, or `*`. */
  readonly database: string;
}

/** Privileges under one name, which is granted as one is (Milvus 2.5 and later). */
interface PrivilegeGroup {
  readonly name: string;
  readonly privileges: readonly string[];
}

/** Who may do what in a Milvus. */
export interface Rbac {
  readonly users: readonly RbacUser[];
  readonly roles: readonly string[];
  readonly grants: readonly RbacGrant[];
  readonly privilegeGroups: readonly PrivilegeGroup[];
}

/** The same as a server tells it: without the user root, and without the roles that every server has. */
export interface RbacDescription extends Rbac {
  /** Whether the server tells passwords and takes them as it told them: it has BackupRBAC and RestoreRBAC (2.4.10 and later). */
  readonly tellsPasswords: boolean;
}

/** What is to be added to what a Milvus has. */
export interface RbacAddition extends Rbac {
  /** Roles for users that are there already. */
  readonly memberships: readonly { readonly user: string; readonly role: string }[];
}

/** A grant that Milvus did not take, and its reason. */
export interface RefusedGrant {
  readonly grant: RbacGrant;
  readonly reason: string;
}

/** The user that every Milvus has; no backup has it. */
export const rootUser = "root";

/** The roles that every Milvus has; no backup has them, nor what they may do. */
export const builtInRoles: ReadonlySet<string> = new Set(["admin", "public"]);

export const anyWord = "*";

/** How many of each kind there are, in a backup or otherwise. */
export interface RbacCounts {
  readonly users: number;
  readonly roles: number;
  readonly grants: number;
  readonly privilegeGroups: number;
}

export function countRbac({ users, roles, grants, privilegeGroups }: Rbac): RbacCounts {
  return {
    users: users.length,
    roles: roles.length,
    grants: grants.length,
    privilegeGroups: privilegeGroups.length,
  };
}

/** As the format has it: with every part of a grant, be it empty, as milvus-backup writes them. */
export function toRbacMeta({ users, roles, grants, privilegeGroups }: Rbac): RbacMeta {
  return {
    users: users.map((user) => ({ user: user.name, password: user.password, roles: user.roles.map(named) })),
    roles: roles.map(named),
    grants: grants.map((grant) => ({
      role: named(grant.role),
      object: named(grant.object),
      object_name: grant.objectName,
      grantor: { user: named(grant.grantor), privilege: named(grant.privilege) },
      db_name: grant.database,
    })),
    privilege_groups: privilegeGroups.map(({ name, privileges }) => ({
      group_name: name,
      privileges: privileges.map(named),
    })),
  };
}

/** What the metas of a backup tell, whoever wrote them. */
export function fromRbacMeta({ users, roles, grants, privilege_groups }: RbacMeta): Rbac {
  return {
    users: users.map(({ user, password, roles }) => ({ name: user, password, roles: roles.map(nameOf) })),
    roles: roles.map(nameOf),
    grants: grants.map(({ role, object, object_name, grantor, db_name }) => ({
      role: nameOf(role),
      object: nameOf(object),
      objectName: object_name,
      privilege: nameOf(grantor?.privilege),
      grantor: nameOf(grantor?.user),
      database: db_name,
    })),
    privilegeGroups: privilege_groups.map(({ group_name, privileges }) => ({
      name: group_name,
      privileges: privileges.map(nameOf),
    })),
  };
}

function named(name: string): { name: string } {
  return { name };
}

/** In a message of the protocol, what is not set is null. */
function nameOf(entity: { readonly name: string } | null | undefined): string {
  return entity?.name ?? "";
}
