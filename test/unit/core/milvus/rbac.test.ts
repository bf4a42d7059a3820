import { expect, test } from "vitest";
import { backupInfo } from "../../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { countRbac, fromRbacMeta, type Rbac, toRbacMeta } from "../../../../src/core/milvus/rbac.ts";

const rbac: Rbac = {
  users: [
    { name: "app", password: "$2a$10$hash", roles: ["reader"] },
    { name: "lonely", password: "x<&>y", roles: [] },
  ],
  roles: ["reader"],
  grants: [
    {
      ...{ role: "reader", object: "Collection", objectName: "books" },
      ...{ privilege: "Search", grantor: "", database: "default" },
    },
  ],
  privilegeGroups: [{ name: "looking", privileges: ["Query"] }],
};

test("prints the bytes that milvus-backup's structs print, and reads them back", () => {
  const text = backupInfo.print(
    backupInfo.create({ name: "n", milvus_version: "2.5.12", rbac_meta: toRbacMeta(rbac) }),
  );

  // printed by encoding/json of backuppb.BackupInfo (0.5.16)
  expect(text).toBe(
    '{"state_code":0,"name":"n","size":0,"milvus_version":"2.5.12","rbac_meta":{"users":[{"user":"app","password":"$2a$10$hash","roles":[{"name":"reader"}]},' +
      '{"user":"lonely","password":"x\\u003c\\u0026\\u003ey"}],"roles":[{"name":"reader"}],"grants":[{"role":{"name":"reader"},"object":{"name":"Collection"},' +
      '"object_name":"books","grantor":{"user":{},"privilege":{"name":"Search"}},"db_name":"default"}],"privilege_groups":[{"group_name":"looking",' +
      '"privileges":[{"name":"Query"}]}]}}',
  );
  const { value } = parseFullMeta(text);
  expect(value.rbac_meta && fromRbacMeta(value.rbac_meta)).toEqual(rbac);
});

test("of a Milvus without users and roles an empty record is left, which says that it was looked at", () => {
  const none: Rbac = { users: [], roles: [], grants: [], privilegeGroups: [] };

  const text = backupInfo.print(backupInfo.create({ name: "n", rbac_meta: toRbacMeta(none) }));

  expect(text).toBe('{"state_code":0,"name":"n","size":0,"rbac_meta":{}}');
  const { value } = parseFullMeta(text);
  expect(value.rbac_meta && countRbac(fromRbacMeta(value.rbac_meta))).toEqual({
    ...{ users: 0, roles: 0, grants: 0, privilegeGroups: 0 },
  });
});

test("what is no password where one is expected is told by its kind alone", () => {
  const damaged = '{"rbac_meta":{"users":"$2a$10$hash"}}';
  const message = "full_meta.json: rbac_meta.users: expected a list, found string";

  expect(() => parseFullMeta(damaged)).toThrow(expect.objectContaining({ name: "CorruptBackup", message }));
});
