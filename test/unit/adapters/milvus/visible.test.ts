import { afterEach, expect, test } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import type { RbacGrant } from "../../../../src/core/milvus/rbac.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

let fake: FakeMilvus | undefined;

afterEach(async () => {
  closeMilvusConnections();
  await fake?.close();
});

const grant = (parts: Partial<RbacGrant>): RbacGrant => ({
  ...{ role: "keeper", object: "Collection", objectName: "*", privilege: "Flush", grantor: "root", database: "*" },
  ...parts,
});

/** Whether lists of a fake server leave something out for the user `app`, whose role has these grants. */
async function isHidden(version: string, grants: readonly RbacGrant[], roles = ["keeper"], user = "app") {
  fake = await startFakeMilvus({ version });
  const { rbac } = fake.model;
  rbac.createRole("keeper");
  for (const one of grants) rbac.grant(one);
  rbac.users.set("app", "$2a$10$hash");
  for (const role of roles) rbac.addMember("app", role);
  const environment = milvusEnvironment(fake.port);
  const milvus = await connectMilvus({ ...environment, milvus: { ...environment.milvus, user, password: "secret" } });
  return milvus.listsOnlyGranted();
}

test.each([
  ["about one collection", [grant({ objectName: "books", database: "default" })]],
  ["about one database", [grant({ database: "default" })]],
  ["to make databases", [grant({ object: "Global", privilege: "CreateDatabase" })]],
  ["nothing", []],
])("what a user may do %s: others are left out of the lists", async (_, grants) => {
  expect(await isHidden("v2.5.12", grants)).toBe(true);
});

test.each([
  ["about every collection of every database", [grant({})]],
  ["in the group of readers", [grant({ object: "Global", privilege: "CollectionReadOnly" })]],
  ["of every privilege", [grant({ object: "Global", privilege: "*" })]],
])("what a user may do %s: nothing is left out", async (_, grants) => {
  expect(await isHidden("v2.5.12", grants)).toBe(false);
});

test("nothing is left out for admins, for root, for a user that the server does not have, and before 2.4.1", async () => {
  expect(await isHidden("v2.6.12", [], ["admin"])).toBe(false);
  expect(await isHidden("v2.6.12", [], [], "root")).toBe(false);
  expect(await isHidden("v2.6.12", [], [], "nobody")).toBe(false);
  expect(await isHidden("v2.4.0", [])).toBe(false);
});
