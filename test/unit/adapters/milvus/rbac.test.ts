import { afterEach, describe, expect, test } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import type { Rbac, RbacAddition, RbacGrant } from "../../../../src/core/milvus/rbac.ts";
import type { Milvus } from "../../../../src/ports/milvus.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

const grant = (privilege: string, parts: Partial<RbacGrant> = {}): RbacGrant => ({
  ...{ role: "reader", object: "Collection", objectName: "books", privilege },
  ...{ grantor: "root", database: "default", ...parts },
});
const everything = grant("*", { object: "Global", objectName: "*", database: "*" });
const full: Rbac = {
  users: [{ name: "app", password: "$2a$10$hash", roles: ["reader"] }],
  roles: ["reader"],
  grants: [grant("Search"), grant("looking", { object: "Global", objectName: "*" }), grant("Query", { database: "*" })],
  privilegeGroups: [{ name: "looking", privileges: ["Query", "Search"] }],
};
const none: Rbac = { users: [], roles: [], grants: [], privilegeGroups: [] };

let fake: FakeMilvus | undefined;

/** A connection to a fake server that has `rbac` beside what every server has. */
async function connected(version: string, rbac: Rbac): Promise<{ milvus: Milvus; fake: FakeMilvus }> {
  const server = await startFakeMilvus({ version: `v${version}` });
  fake = server;
  seed(server, rbac);
  const milvus = await connectMilvus(milvusEnvironment(server.port));
  return { milvus, fake: server };
}

function seed({ model: { rbac } }: FakeMilvus, { users, roles, grants, privilegeGroups }: Rbac): void {
  for (const role of roles) rbac.createRole(role);
  for (const { name, privileges } of privilegeGroups) rbac.groups.set(name, [...privileges]);
  for (const grant of grants) rbac.grant(grant);
  for (const { name, password, roles: own } of users) {
    rbac.users.set(name, password);
    for (const role of own) rbac.addMember(name, role);
  }
}

/** What a fake server has beside what every server has. */
function stateOf({ model }: FakeMilvus): Rbac {
  const { users, roles, grants, groups } = model.rbac.own;
  return {
    users: users.map((name) => ({ name, password: model.rbac.users.get(name) ?? "", roles: model.rbac.rolesOf(name) })),
    roles,
    grants,
    privilegeGroups: groups.map((name) => ({ name, privileges: model.rbac.group(name) })),
  };
}

function addition(parts: Partial<RbacAddition> = {}): RbacAddition {
  return { ...full, memberships: [], ...parts };
}

function calls({ grpc }: FakeMilvus): string[] {
  return grpc.requests.map(({ call }) => call);
}

afterEach(async () => {
  closeMilvusConnections();
  await fake?.close();
});

describe.each(["2.4.15", "2.5.12", "2.6.4", "2.6.12"])("Milvus %s", (version) => {
  /** Privilege groups came with 2.5. */
  const told: Rbac = version.startsWith("2.4")
    ? { ...full, grants: [full.grants[0] as RbacGrant], privilegeGroups: [] }
    : full;

  test("is told everything by BackupRBAC, with hashed passwords, and takes it back by RestoreRBAC", async () => {
    const source = await connected(version, told);
    const described = await source.milvus.describeRbac();
    await source.fake.close();
    const { milvus, fake } = await connected(version, none);

    const refused = await milvus.addRbac({ ...described, memberships: [] });

    expect(described).toEqual({ ...told, tellsPasswords: true });
    expect(refused).toEqual([]);
    expect(stateOf(fake)).toEqual(told);
    expect(calls(fake)).toEqual(["RestoreRBAC"]);
  });

  test("gets grants of every privilege one by one, as its RestoreRBAC does not take them", async () => {
    const { milvus, fake } = await connected(version, none);

    const refused = await milvus.addRbac({ ...told, grants: [everything, grant("Search")], memberships: [] });

    expect(refused).toEqual([]);
    expect(stateOf(fake).grants).toEqual([grant("Search"), everything]);
  });

  test("gets roles for users that are there, and nothing is asked for nothing", async () => {
    const standing = { ...none, users: [{ name: "app", password: "x", roles: [] }], roles: ["reader"] };
    const { milvus, fake } = await connected(version, standing);

    await milvus.addRbac({ ...none, memberships: [] });
    expect(calls(fake)).toEqual([]);
    await milvus.addRbac({ ...none, memberships: [{ user: "app", role: "reader" }] });

    expect(stateOf(fake).users).toEqual([{ name: "app", password: "x", roles: ["reader"] }]);
    expect(calls(fake)).toEqual(["OperateUserRole"]);
  });
});

test("a grant of a privilege that the server names as unknown is left out, and the rest restored", async () => {
  const { milvus, fake } = await connected("2.6.12", none);

  const refused = await milvus.addRbac(addition({ grants: [grant("Search"), grant("Levitate")] }));

  expect(refused).toEqual([{ grant: grant("Levitate"), reason: "there is no privilege Levitate" }]);
  expect(stateOf(fake)).toEqual({ ...full, grants: [grant("Search")] });
});

test("what RestoreRBAC refuses for another reason is an error with that reason, and nothing of it is done; no password is told", async () => {
  const { milvus, fake } = await connected("2.5.12", { ...none, roles: ["reader"] });

  const failed = await milvus.addRbac(addition()).catch((error: unknown) => error);

  expect(failed).toMatchObject({
    name: "MilvusFailed",
    message: expect.stringMatching(/role .*reader.* already exists/),
  });
  expect(JSON.stringify([failed, (failed as Error).message, (failed as Error).stack])).not.toContain("$2a$10$hash");
  expect(stateOf(fake).users).toEqual([]);
});

describe("Milvus 2.3", () => {
  const grants = [grant("Search"), grant("Query", { database: "*" }), grant("Insert", { database: "shop" })];
  const listed: Rbac = { ...full, grants, privilegeGroups: [] };

  test("is asked for users, roles and the grants of each role in each database, each once; passwords are not told", async () => {
    const { milvus } = await connected("2.3.5", listed);
    await milvus.createDatabase("shop", []);

    const { grants: told, ...others } = await milvus.describeRbac();

    expect(others).toEqual({
      users: [{ name: "app", password: "", roles: ["reader"] }],
      roles: ["reader"],
      privilegeGroups: [],
      tellsPasswords: false,
    });
    expect(told).toHaveLength(3);
    expect(told).toEqual(expect.arrayContaining(grants));
  });

  test("gets roles, grants and memberships one by one; what it does not know is told", async () => {
    const { milvus, fake } = await connected("2.3.5", { ...none, users: [{ name: "app", password: "x", roles: [] }] });
    const reason = "not found the privilege name[Levitate]";
    fake.grpc.once("OperatePrivilege", () => ({ error_code: "UnexpectedError", code: 65535, reason }));

    const refused = await milvus.addRbac({
      ...none,
      roles: ["reader"],
      grants: [grant("Levitate"), everything, grant("Search")],
      memberships: [{ user: "app", role: "reader" }],
    });

    const [first, ...others] = fake.grpc.requests.filter(({ call }) => call === "OperatePrivilege");
    expect(others).toHaveLength(2);
    expect(refused).toEqual([{ grant: everything, reason }]);
    expect(JSON.stringify(first)).toContain('"name":"*"');
    expect(stateOf(fake)).toEqual({
      users: [{ name: "app", password: "x", roles: ["reader"] }],
      roles: ["reader"],
      grants: [grant("Levitate"), grant("Search")],
      privilegeGroups: [],
    });
  });

  test("has other calls to try than a server with BackupRBAC; neither has anybody more after it", async () => {
    const old = await connected("2.3.5", none);
    const before = await old.milvus.tryCalls("rbac");
    expect(stateOf(old.fake)).toEqual(none);
    closeMilvusConnections();
    await fake?.close();
    const newer = await connected("2.5.12", none);
    const after = await newer.milvus.tryCalls("rbac");
    expect(stateOf(newer.fake)).toEqual(none);

    const names = (tried: typeof before) => tried.map(({ call, outcome }) => (outcome === "allowed" ? call : outcome));
    expect(names(before)).toEqual([
      "SelectUser",
      "SelectRole",
      "SelectGrant",
      "CreateRole",
      "OperateUserRole",
      "OperatePrivilege",
    ]);
    expect(names(after)).toEqual(["BackupRBAC", "RestoreRBAC", "OperateUserRole", "OperatePrivilege"]);
  });
});
