import * as z from "zod";
import type { RestoredRbac } from "../execution/messages.ts";
import { shortList } from "../execution/short-list.ts";
import type { CollectionName } from "../milvus/descriptions.ts";
import { defaultDatabase, qualifiedName } from "../milvus/names.ts";
import {
  anyWord,
  builtInRoles,
  type Rbac,
  type RbacAddition,
  type RbacDescription,
  type RbacGrant,
  type RbacUser,
  type RefusedGrant,
  rootUser,
} from "../milvus/rbac.ts";

/**
 * What runs of one restore set out to add to a Milvus, written before the first of it: what of that is there later was added by this
 * restore, and a user of it is made whole. Names, never passwords.
 */
export const rbacRecord = z.object({
  users: z.array(z.string()).readonly(),
  roles: z.array(z.string()).readonly(),
  /** `grantKey` of each. */
  grants: z.array(z.string()).readonly(),
  privilegeGroups: z.array(z.string()).readonly(),
});
type RbacRecord = Readonly<z.infer<typeof rbacRecord>>;

/** What the plan has to know of the restore and its target. */
interface RbacContext {
  /** What stands in the target. */
  readonly current: RbacDescription;
  /** What earlier runs of this restore set out to add. */
  readonly begun: RbacRecord | undefined;
  /** Databases of the target. */
  readonly databases: ReadonlySet<string>;
  readonly collections: readonly { readonly source: CollectionName; readonly target: CollectionName }[];
}

export interface RbacPlan {
  readonly add: RbacAddition;
  /** With what earlier runs have in theirs. */
  readonly record: RbacRecord;
  readonly counts: RestoredRbac;
  /** What is left out, and what stays as it is in the target although the backup says otherwise. */
  readonly warnings: readonly string[];
}

type Kind = keyof RestoredRbac;

/**
 * What of a backup's users, roles, grants and privilege groups is added to a Milvus. What is there stays as it is: passwords, the roles
 * of a user, the privileges of a group; nothing is taken away. Of a user that is there, roles are added where an earlier run of the same
 * restore made it, or where the backup has no password of it, so that nobody but a person could have made it.
 */
export function planRbac(backup: Rbac, context: RbacContext): RbacPlan {
  return new RbacPlanner(backup, context).plan();
}

/** The counts and warnings of a plan of which Milvus did not take all. */
export function withRefused(
  { counts, warnings }: Pick<RbacPlan, "counts" | "warnings">,
  refused: readonly RefusedGrant[],
): Pick<RbacPlan, "counts" | "warnings"> {
  if (refused.length === 0) return { counts, warnings };
  const { restored, present, leftOut } = counts.grants;
  const left = refused.length;
  const grants = { restored: restored - left, present, leftOut: leftOut + left };
  const told = refused.map(({ grant, reason }) => `${describeGrant(grant)} (${reason})`);
  return {
    counts: { ...counts, grants },
    warnings: [
      ...warnings,
      `left out ${grantCount(left)} that Milvus refused: ${shortList(told, { separator: "; " })}`,
    ],
  };
}

/** Whether there is anything to ask Milvus for. */
export function isEmptyAddition(add: RbacAddition): boolean {
  return Object.values(add).every((list) => list.length === 0);
}

class RbacPlanner {
  readonly #backup: Rbac;
  readonly #context: RbacContext;
  readonly #warnings: string[] = [];
  readonly #counts: Record<Kind, { restored: number; present: number; leftOut: number }> = {
    users: { restored: 0, present: 0, leftOut: 0 },
    roles: { restored: 0, present: 0, leftOut: 0 },
    grants: { restored: 0, present: 0, leftOut: 0 },
    privilegeGroups: { restored: 0, present: 0, leftOut: 0 },
  };

  constructor(backup: Rbac, context: RbacContext) {
    this.#backup = backup;
    this.#context = context;
  }

  plan(): RbacPlan {
    const roles = this.#roles();
    const known = new Set([...builtInRoles, ...this.#context.current.roles, ...roles]);
    const privilegeGroups = this.#privilegeGroups();
    const grants = this.#grants(known);
    const { users, memberships } = this.#users(known);
    const add = { users, roles, grants, privilegeGroups, memberships };
    this.#warnRenamed();
    return { add, record: this.#record(add), counts: this.#counts, warnings: this.#warnings };
  }

  #roles(): string[] {
    const there = new Set(this.#context.current.roles);
    return distinct(this.#backup.roles, (role) => role).filter((role) => {
      const isThere = there.has(role) || builtInRoles.has(role);
      this.#count("roles", role, isThere ? "present" : "restored");
      return !isThere;
    });
  }

  #privilegeGroups() {
    const { current } = this.#context;
    const there = new Map(current.privilegeGroups.map((group) => [group.name, group.privileges]));
    const groups = distinct(this.#backup.privilegeGroups, ({ name }) => name);
    const missing = groups.filter(({ name }) => !there.has(name));
    const differing = groups.filter(({ name, privileges }) => {
      const own = there.get(name);
      return own !== undefined && !sameSet(own, privileges);
    });
    for (const { name } of groups) {
      const outcome = there.has(name) ? "present" : current.tellsPasswords ? "restored" : "leftOut";
      this.#count("privilegeGroups", name, outcome);
    }
    if (differing.length > 0) {
      const names = shortList(differing.map(({ name }) => name));
      this.#warnings.push(
        `privilege groups that are there with other privileges than in the backup, which they keep: ${names}`,
      );
    }
    if (current.tellsPasswords) return missing;
    if (missing.length > 0) {
      const names = shortList(missing.map(({ name }) => name));
      this.#warnings.push(`left out the privilege groups ${names}: this Milvus has no call to restore them`);
    }
    return [];
  }

  #grants(known: ReadonlySet<string>): RbacGrant[] {
    const there = new Set(this.#context.current.grants.map(grantKey));
    const grants = distinct(this.#backup.grants, grantKey);
    const builtIn = grants.filter(({ role }) => builtInRoles.has(role));
    const lost = grants.filter(({ role }) => !known.has(role));
    const missing: RbacGrant[] = [];
    for (const grant of grants) {
      const key = grantKey(grant);
      const isLeftOut = builtInRoles.has(grant.role) || !known.has(grant.role);
      this.#count("grants", key, isLeftOut ? "leftOut" : there.has(key) ? "present" : "restored");
      if (!isLeftOut && !there.has(key)) missing.push(grant);
    }
    if (builtIn.length > 0) {
      const roles = shortList([...new Set(builtIn.map(({ role }) => role))]);
      this.#warnings.push(
        `left out ${grantCount(builtIn.length)} to ${roles}: what these roles may do is every server's own`,
      );
    }
    if (lost.length > 0) {
      const roles = shortList([...new Set(lost.map(({ role }) => role))]);
      this.#warnings.push(`left out ${grantCount(lost.length)} to roles that neither backup nor target has (${roles})`);
    }
    this.#warnAbsent(missing);
    return missing;
  }

  #warnAbsent(grants: readonly RbacGrant[]): void {
    const { databases } = this.#context;
    const absent = grants.map(databaseOf).filter((name) => name !== anyWord && !databases.has(name));
    if (absent.length === 0) return;
    this.#warnings.push(
      `${grantCount(absent.length)} of databases that the target does not have, to hold once these are there: ${shortList([...new Set(absent)])}`,
    );
  }

  /** As milvus-backup does, grants keep the names that they have. */
  #warnRenamed(): void {
    const targets = new Map<string, string[]>();
    for (const { source, target } of this.#context.collections) {
      const from = qualifiedName(source);
      targets.set(from, [...(targets.get(from) ?? []), qualifiedName(target)]);
    }
    const named = this.#backup.grants.flatMap((grant) => {
      const from = collectionOfGrant(grant);
      const to = targets.get(from) ?? [from];
      return to.includes(from) ? [] : [`${from} (restored as ${to.join(", ")})`];
    });
    if (named.length === 0) return;
    this.#warnings.push(
      `${grantCount(named.length)} of collections that were restored under other names: ${shortList([...new Set(named)])}. They hold for the names in the ` +
        "backup; grant them for the new ones where that is wanted",
    );
  }

  #users(known: ReadonlySet<string>): Pick<RbacAddition, "users" | "memberships"> {
    const { current, begun } = this.#context;
    const there = new Map(current.users.map((user) => [user.name, user]));
    const own = new Set(begun?.users);
    const users: RbacUser[] = [];
    const memberships: RbacAddition["memberships"][number][] = [];
    const lost = new Set<string>();
    for (const user of distinct(this.#backup.users, ({ name }) => name)) {
      const roles = [...new Set(user.roles)].filter((role) => known.has(role));
      for (const role of user.roles) if (!known.has(role)) lost.add(role);
      const standing = there.get(user.name);
      if (standing) {
        // a hash is salted: one that is the same came out of this backup
        const isOurs = own.has(user.name) && ["", user.password].includes(standing.password);
        this.#counts.users[isOurs ? "restored" : "present"] += 1;
        const missing = roles.filter((role) => !standing.roles.includes(role));
        if (isOurs || user.password === "") {
          memberships.push(...missing.map((role) => ({ user: user.name, role })));
        } else this.#warnStanding(user, standing, missing);
        continue;
      }
      if (user.name === rootUser || user.password === "" || !current.tellsPasswords) {
        this.#count("users", user.name, "leftOut");
        this.#warnNotMade(user, roles);
        continue;
      }
      this.#count("users", user.name, "restored");
      users.push({ ...user, roles });
    }
    if (lost.size > 0) {
      this.#warnings.push(`roles that users had and neither backup nor target has: ${shortList([...lost])}`);
    }
    return { users, memberships };
  }

  /** A user is told where it is not what the backup says, or nobody knows whether it is. */
  #warnStanding(user: RbacUser, standing: RbacUser, missing: readonly string[]): void {
    const isSame = standing.password !== "" && standing.password === user.password;
    if (isSame && missing.length === 0) return;
    const kept = isSame
      ? "its roles"
      : standing.password === ""
        ? "its password and its roles"
        : "its password, which is another one, and its roles";
    const without = missing.length === 0 ? "" : `; of those in the backup it has not ${shortList(missing)}`;
    this.#warnings.push(`user ${user.name} is there already: it keeps ${kept}${without}`);
  }

  #warnNotMade({ name, password }: RbacUser, roles: readonly string[]): void {
    if (name === rootUser) {
      this.#warnings.push(`left out user ${rootUser}: every server has its own`);
      return;
    }
    const because =
      password === ""
        ? "the backup has no password of it (Milvus before 2.4.10 tells none)"
        : "this Milvus has no call that takes its password";
    const then = roles.length === 0 ? "" : ` and the roles ${shortList(roles)}`;
    this.#warnings.push(`user ${name} was not made, as ${because}: make it with a new password${then}`);
  }

  /** What is there counts as restored where an earlier run of this restore set out to add it. */
  #count(kind: Kind, key: string, outcome: "restored" | "present" | "leftOut"): void {
    const isOurs = outcome === "present" && (this.#context.begun?.[kind].includes(key) ?? false);
    this.#counts[kind][isOurs ? "restored" : outcome] += 1;
  }

  #record({ users, roles, grants, privilegeGroups }: RbacAddition): RbacRecord {
    const { begun } = this.#context;
    const merged = (kind: Kind, keys: readonly string[]) => [...new Set([...(begun?.[kind] ?? []), ...keys])];
    return {
      users: merged(
        "users",
        users.map(({ name }) => name),
      ),
      roles: merged("roles", roles),
      grants: merged("grants", grants.map(grantKey)),
      privilegeGroups: merged(
        "privilegeGroups",
        privilegeGroups.map(({ name }) => name),
      ),
    };
  }
}

/** What makes a grant the same one, whoever granted it. */
function grantKey(grant: RbacGrant): string {
  return JSON.stringify([grant.role, grant.object, grant.objectName, grant.privilege, databaseOf(grant)]);
}

function databaseOf({ database }: Pick<RbacGrant, "database">): string {
  return database || defaultDatabase;
}

/** `db.coll`; "" where it is about something else. */
function collectionOfGrant({ object, objectName, ...grant }: RbacGrant): string {
  return object === "Collection" ? qualifiedName({ database: databaseOf(grant), collection: objectName }) : "";
}

function grantCount(count: number): string {
  return count === 1 ? "1 grant" : `${count} grants`;
}

function describeGrant({ role, privilege, object, objectName, database }: RbacGrant): string {
  return `${privilege} on ${object} ${databaseOf({ database })}.${objectName} to ${role}`;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const [one, other] = [new Set(a), new Set(b)];
  return one.size === other.size && [...one].every((name) => other.has(name));
}

/** The first of each, without those that have no name. */
function distinct<T>(all: readonly T[], keyOf: (one: T) => string): T[] {
  const found = new Map<string, T>();
  for (const one of all) if (keyOf(one) !== "" && !found.has(keyOf(one))) found.set(keyOf(one), one);
  return [...found.values()];
}
