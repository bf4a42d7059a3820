import type { PipelineError } from "../../../src/core/execution/errors.ts";
import type { Rbac, RbacAddition, RbacDescription, RefusedGrant } from "../../../src/core/milvus/rbac.ts";
import { isAtLeast } from "../../../src/core/milvus/version.ts";
import type { TriedCall } from "../../../src/ports/milvus.ts";

/** Who may do what: users and roles, and the calls that this client may make. */
export class MemoryAccess {
  readonly #refused: (call: string, reason: string) => PipelineError;
  readonly #tellsPasswords: boolean;
  rbac: Rbac = { users: [], roles: [], grants: [], privilegeGroups: [] };
  /** Privileges that the server does not know: grants of them are refused. */
  readonly unknownPrivileges = new Set<string>();
  /** The calls that its user may not make, by their names in Milvus's protocol. */
  readonly deniedCalls = new Set<string>();

  constructor(version: string, refused: (call: string, reason: string) => PipelineError) {
    this.#refused = refused;
    this.#tellsPasswords = isAtLeast(version, "2.4.10");
  }

  tryCalls(of?: TriedCall["of"]): TriedCall[] {
    const tried = (by: TriedCall["of"], calls: readonly string[]) =>
      calls.map((call): TriedCall => {
        const isDenied = this.deniedCalls.has(call);
        const reason = isDenied ? `Privilege${call}: permission deny` : "";
        return { call, of: by, outcome: isDenied ? "denied" : "allowed", reason };
      });
    const all = [
      ...tried("backup", ["ShowCollections", "Flush"]),
      ...tried("restore", ["CreateCollection", "Import"]),
      ...tried("rbac", this.#tellsPasswords ? ["BackupRBAC", "RestoreRBAC"] : ["SelectUser", "OperatePrivilege"]),
    ];
    return of === undefined ? all : all.filter((one) => one.of === of);
  }

  describe(): RbacDescription {
    const tellsPasswords = this.#tellsPasswords;
    const users = tellsPasswords ? this.rbac.users : this.rbac.users.map((user) => ({ ...user, password: "" }));
    return structuredClone({ ...this.rbac, users, tellsPasswords });
  }

  add({ users, roles, grants, privilegeGroups, memberships }: RbacAddition): RefusedGrant[] {
    const { rbac } = this;
    const taken = [
      ...users.filter(({ name }) => rbac.users.some((user) => user.name === name) || name === "root"),
      ...roles.filter((role) => rbac.roles.includes(role) || role === "admin" || role === "public"),
      ...privilegeGroups.filter(({ name }) => rbac.privilegeGroups.some((group) => group.name === name)),
    ];
    if (taken.length > 0) throw this.#refused("RestoreRBAC", "it already exists");
    if (!this.#tellsPasswords && users.length + privilegeGroups.length > 0)
      throw this.#refused("RestoreRBAC", "no call");
    const refused = grants.filter(({ privilege }) => this.unknownPrivileges.has(privilege));
    this.rbac = {
      users: [...rbac.users, ...users].map((user) => ({
        ...user,
        roles: [...user.roles, ...memberships.filter((one) => one.user === user.name).map(({ role }) => role)],
      })),
      roles: [...rbac.roles, ...roles],
      grants: [...rbac.grants, ...grants.filter((grant) => !refused.includes(grant))],
      privilegeGroups: [...rbac.privilegeGroups, ...privilegeGroups],
    };
    return refused.map((grant) => ({ grant, reason: `there is no privilege ${grant.privilege}` }));
  }
}
