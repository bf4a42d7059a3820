import { createHash } from "node:crypto";
import { Refusal, unexpected } from "./refusal.ts";

/** `milvuspb.GrantEntity`, flat. */
export interface Grant {
  readonly role: string;
  readonly object: string;
  readonly objectName: string;
  readonly database: string;
  readonly privilege: string;
  readonly grantor: string;
}

const builtinRoles = ["admin", "public"] as const;

/** Users, roles, grants and privilege groups of a server. */
export class Rbac {
  /** Name to what the server keeps of a password: its hash. */
  readonly users = new Map<string, string>();
  readonly roles = new Set<string>(builtinRoles);
  /** User and role. */
  readonly members: { user: string; role: string }[] = [{ user: "root", role: "admin" }];
  grants: Grant[] = [];
  readonly groups = new Map<string, string[]>();
  /** 2.5+ */
  readonly hasGroups: boolean;
  readonly #checked: boolean;

  /** @param user who may come in, and nobody else without being created; everybody where absent */
  constructor(hasGroups: boolean, user: string | undefined, password: string | undefined) {
    this.hasGroups = hasGroups;
    this.#checked = user !== undefined;
    this.users.set("root", hashOf("Milvus"));
    if (user !== undefined) this.users.set(user, hashOf(password ?? ""));
  }

  /** Whether `user:password` may come in; everybody where the server checks nobody. */
  admits(credentials: string | undefined): boolean {
    if (!this.#checked) return true;
    const [user = "", ...password] = (credentials ?? "").split(":");
    return this.users.get(user) === hashOf(password.join(":"));
  }

  createUser(user: string, password: string): void {
    if (this.users.has(user)) throw unexpected(`user [${user}] already exists`);
    this.users.set(user, hashOf(password));
  }

  setPassword(user: string, password: string): void {
    if (!this.users.has(user)) throw unexpected(`not found the user:${user}`);
    this.users.set(user, hashOf(password));
  }

  createRole(role: string): void {
    if (role === "") throw new Refusal("parameterInvalid", ": role name should not be empty");
    if (this.roles.has(role)) throw unexpected(`role [name:"${role}"] already exists`);
    this.roles.add(role);
  }

  dropRole(role: string): void {
    if (!this.roles.has(role))
      throw unexpected("not found the role, maybe the role isn't existed or internal system error");
    if (isBuiltin(role)) throw unexpected(`the role[${role}] is a default role, which can't be dropped`);
    if (this.grants.some((grant) => grant.role === role)) {
      throw unexpected("fail to drop the role that it has privileges. Use REVOKE API to revoke privileges");
    }
    this.roles.delete(role);
    this.#removeMembers((member) => member.role === role);
  }

  dropUser(user: string): void {
    this.users.delete(user);
    this.#removeMembers((member) => member.user === user);
  }

  addMember(user: string, role: string): void {
    if (!this.users.has(user))
      throw unexpected("not found the user, maybe the user isn't existed or internal system error");
    if (!this.roles.has(role))
      throw unexpected("not found the role, maybe the role isn't existed or internal system error");
    const known = this.members.some((member) => member.user === user && member.role === role);
    if (!known) this.members.push({ user, role });
  }

  removeMember(user: string, role: string): void {
    this.#removeMembers((member) => member.user === user && member.role === role);
  }

  rolesOf(user: string): string[] {
    return this.members.filter((member) => member.user === user).map(({ role }) => role);
  }

  usersOf(role: string): string[] {
    return this.members.filter((member) => member.role === role).map(({ user }) => user);
  }

  grant(grant: Grant): void {
    if (!this.roles.has(grant.role)) throw unexpected("there is no role data");
    if (!this.grants.some((other) => sameGrant(other, grant))) this.grants.push(grant);
  }

  revoke(grant: Grant): void {
    this.grants = this.grants.filter((other) => !sameGrant(other, grant));
  }

  createGroup(name: string): void {
    if (this.groups.has(name)) throw unexpected(`privilege group [${name}] already exists`);
    this.groups.set(name, []);
  }

  group(name: string): string[] {
    const privileges = this.groups.get(name);
    if (!privileges) throw unexpected(`there is no privilege group name [${name}] to operate`);
    return privileges;
  }

  /** What BackupRBAC carries: everybody but root, and what does not come with the server. */
  get own(): { users: string[]; roles: string[]; grants: Grant[]; groups: string[] } {
    return {
      users: [...this.users.keys()].filter((user) => user !== "root"),
      roles: [...this.roles].filter((role) => !isBuiltin(role)),
      grants: this.grants.filter(({ role }) => !isBuiltin(role)),
      groups: [...this.groups.keys()],
    };
  }

  #removeMembers(isGone: (member: { user: string; role: string }) => boolean): void {
    for (let at = this.members.length - 1; at >= 0; at -= 1) {
      const member = this.members[at];
      if (member && isGone(member)) this.members.splice(at, 1);
    }
  }
}

function isBuiltin(role: string): boolean {
  return (builtinRoles as readonly string[]).includes(role);
}

function sameGrant(one: Grant, other: Grant): boolean {
  return (["role", "object", "objectName", "database", "privilege"] as const).every((key) => one[key] === other[key]);
}

/** Stands for bcrypt's: another text than the password, the same for the same one. */
function hashOf(password: string): string {
  return `$2a$10$${createHash("sha256").update(password).digest("base64url")}`;
}
