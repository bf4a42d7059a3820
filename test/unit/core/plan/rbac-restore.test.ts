import { describe, expect, test } from "vitest";
import type { Rbac, RbacDescription, RbacGrant } from "../../../../src/core/milvus/rbac.ts";
import { isEmptyAddition, planRbac, withRefused } from "../../../../src/core/plan/rbac-restore.ts";

const grant = (parts: Partial<RbacGrant> = {}): RbacGrant => ({
  ...{ role: "reader", object: "Collection", objectName: "books", privilege: "Search" },
  ...{ grantor: "root", database: "default", ...parts },
});
const none: Rbac = { users: [], roles: [], grants: [], privilegeGroups: [] };
const empty: RbacDescription = { ...none, tellsPasswords: true };
const backup: Rbac = {
  users: [{ name: "app", password: "hash-of-app", roles: ["reader", "admin"] }],
  roles: ["reader"],
  grants: [grant(), grant({ privilege: "*", object: "Global", objectName: "*", database: "*" })],
  privilegeGroups: [{ name: "looking", privileges: ["Query", "Search"] }],
};
const source = { database: "default", collection: "books" };

function plan(
  given: { from?: Partial<Rbac>; current?: Partial<RbacDescription>; begun?: Partial<ReturnType<typeof record>> } = {},
  target = source,
) {
  return planRbac(
    { ...backup, ...given.from },
    {
      current: { ...empty, ...given.current },
      begun: given.begun && record(given.begun),
      databases: new Set(["default"]),
      collections: [{ source, target }],
    },
  );
}

function record(parts: { users?: string[]; roles?: string[]; grants?: string[]; privilegeGroups?: string[] }) {
  return { users: [], roles: [], grants: [], privilegeGroups: [], ...parts };
}

const outcomes = (restored: number, present = 0, leftOut = 0) => ({ restored, present, leftOut });

describe("into a Milvus that has none of it", () => {
  test("everything is added as it is, once, without a word", () => {
    const { add, counts, warnings } = plan({ from: { roles: ["reader", "reader", ""] } });

    expect(add).toEqual({ ...backup, memberships: [] });
    expect(counts).toEqual({
      ...{ users: outcomes(1), roles: outcomes(1), grants: outcomes(2), privilegeGroups: outcomes(1) },
    });
    expect(warnings).toEqual([]);
  });

  test("neither root nor the roles of every server get anything from a backup", () => {
    const { add, counts, warnings } = plan({
      from: {
        users: [{ name: "root", password: "hash-of-somebody", roles: ["admin"] }],
        roles: ["public", "admin"],
        grants: [grant({ role: "public", privilege: "*" })],
        privilegeGroups: [],
      },
    });

    expect(isEmptyAddition(add)).toBe(true);
    expect(counts).toMatchObject({ users: outcomes(0, 0, 1), roles: outcomes(0, 2), grants: outcomes(0, 0, 1) });
    expect(warnings.join("\n")).toContain("left out 1 grant to public");
    expect(warnings).toContain("left out user root: every server has its own");
    expect(warnings.join("\n")).not.toContain("hash-of-somebody");
  });

  test("grants and memberships of roles that nobody has are left out, and told", () => {
    const { add, counts, warnings } = plan({ from: { roles: [] } });

    expect(add).toMatchObject({ users: [{ name: "app", roles: ["admin"] }], grants: [] });
    expect(counts.grants).toEqual(outcomes(0, 0, 2));
    expect(warnings).toEqual([
      "left out 2 grants to roles that neither backup nor target has (reader)",
      "roles that users had and neither backup nor target has: reader",
    ]);
  });

  test("grants about databases that are not there are made, and told", () => {
    const { add, warnings } = plan({ from: { grants: [grant({ database: "shop" }), grant({ database: "" })] } });

    expect(add.grants).toHaveLength(2);
    expect(warnings).toEqual([
      "1 grant of databases that the target does not have, to hold once these are there: shop",
    ]);
  });

  test("grants keep the names of collections that get other ones, and that is told", () => {
    const renamed = plan({}, { database: "default", collection: "books_bak" });

    expect(renamed.add.grants).toEqual(backup.grants);
    expect(renamed.warnings).toEqual([
      expect.stringMatching(
        /^1 grant of collections that were restored under other names: default\.books \(restored as default\.books_bak\)\. They hold for the names in the backup/,
      ),
    ]);
  });
});

describe("into a Milvus that has some of it", () => {
  const same: Partial<RbacDescription> = { ...backup, tellsPasswords: true };

  test("what is the same is left alone, without a word", () => {
    const { add, counts, warnings } = plan({ current: same });

    expect(isEmptyAddition(add)).toBe(true);
    expect(counts).toEqual({
      ...{ users: outcomes(0, 1), roles: outcomes(0, 1), grants: outcomes(0, 2), privilegeGroups: outcomes(0, 1) },
    });
    expect(warnings).toEqual([]);
  });

  test("a user keeps its password and its roles, a group its privileges; the grants that are missing are added", () => {
    const { add, counts, warnings } = plan({
      current: {
        users: [{ name: "app", password: "another-hash", roles: ["reader"] }],
        roles: ["reader"],
        grants: [grant({ grantor: "somebody" })],
        privilegeGroups: [{ name: "looking", privileges: ["Query"] }],
      },
    });

    expect(add).toEqual({ ...none, memberships: [], grants: [backup.grants[1]] });
    expect(counts).toMatchObject({ users: outcomes(0, 1), grants: outcomes(1, 1) });
    expect(warnings).toEqual([
      "privilege groups that are there with other privileges than in the backup, which they keep: looking",
      "user app is there already: it keeps its password, which is another one, and its roles; of those in the backup it has not admin",
    ]);
  });

  test("a user whose roles alone differ is told without a word about its password", () => {
    const { warnings } = plan({ current: { ...same, users: [{ name: "app", password: "hash-of-app", roles: [] }] } });

    expect(warnings).toEqual([
      "user app is there already: it keeps its roles; of those in the backup it has not reader, admin",
    ]);
  });

  test("a user of that name with another password is somebody else's, whoever set out to make one", () => {
    const { add, counts, warnings } = plan({
      current: { users: [{ name: "app", password: "made-by-hand", roles: [] }] },
      begun: { users: ["app"] },
    });

    expect(add).toMatchObject({ users: [], memberships: [] });
    expect(counts.users).toEqual(outcomes(0, 1));
    expect(warnings).toEqual([
      "user app is there already: it keeps its password, which is another one, and its roles; of those in the backup it has not reader, admin",
    ]);
  });

  test("what an earlier run of the same restore added counts as restored, and its users are made whole", () => {
    const first = plan();
    const {
      add,
      counts,
      warnings,
      record: written,
    } = plan({
      current: { ...same, users: [{ name: "app", password: "hash-of-app", roles: ["admin"] }], grants: [] },
      begun: { ...first.record } as ReturnType<typeof record>,
    });

    expect(add).toEqual({ ...none, grants: backup.grants, memberships: [{ user: "app", role: "reader" }] });
    expect(counts).toEqual(first.counts);
    expect(written).toEqual(first.record);
    expect(warnings).toEqual([]);
    expect(JSON.stringify(first.record)).not.toContain("hash");
  });
});

describe("without passwords", () => {
  const listed = { users: [{ name: "app", password: "", roles: ["reader"] }] };

  test("in the backup: nobody is made, the roles are told; one that was made by hand gets them", () => {
    const absent = plan({ from: listed });
    const present = plan({ from: listed, current: { users: [{ name: "app", password: "own-hash", roles: [] }] } });

    expect(absent.add.users).toEqual([]);
    expect(absent.counts.users).toEqual(outcomes(0, 0, 1));
    expect(absent.warnings).toEqual([
      "user app was not made, as the backup has no password of it (Milvus before 2.4.10 tells none): make it with a new password and the roles reader",
    ]);
    expect(present.add).toMatchObject({ users: [], memberships: [{ user: "app", role: "reader" }] });
    expect(present.warnings).toEqual([]);
  });

  test("taken by the target: users and groups are left out, roles and grants are not", () => {
    const { add, counts, warnings } = plan({ current: { tellsPasswords: false } });

    expect(add).toEqual({ ...none, roles: backup.roles, grants: backup.grants, memberships: [] });
    expect(counts).toMatchObject({ users: outcomes(0, 0, 1), privilegeGroups: outcomes(0, 0, 1) });
    expect(warnings).toEqual([
      "left out the privilege groups looking: this Milvus has no call to restore them",
      "user app was not made, as this Milvus has no call that takes its password: make it with a new password and the roles reader, admin",
    ]);
  });
});

test("grants that Milvus refuses are left out with its reason", () => {
  const planned = plan();

  const { counts, warnings } = withRefused(planned, [{ grant: grant(), reason: "there is no privilege Search" }]);

  expect(counts.grants).toEqual(outcomes(1, 0, 1));
  expect(warnings).toEqual([
    "left out 1 grant that Milvus refused: Search on Collection default.books to reader (there is no privilege Search)",
  ]);
});
