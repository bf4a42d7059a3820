import type { RbacMeta } from "../../core/format/meta.ts";
import { toRbacMeta } from "../../core/milvus/rbac.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

/**
 * Who may do what in the Milvus, as the metas have it: with hashed passwords, so it is read right before these are written and kept nowhere
 * else. Of a backup that is committed already it is what that one has: in Milvus it may be another by now.
 */
export async function readRbac(stored: StoredBackup, connect: () => Promise<Milvus>): Promise<RbacMeta> {
  const committed = await stored.streamCommitRecord();
  const found = committed && (await committed.outline()).backup.rbac_meta;
  return found ?? toRbacMeta(await (await connect()).describeRbac());
}

/** What is told of a backup's users; empty where there is nothing to tell. */
export function rbacWarnings({ users }: RbacMeta, version: string): string[] {
  const without = users.filter(({ password }) => password === "");
  if (without.length === 0) return [];
  return [
    `the users (${without.length}) are in the backup with their roles and without their passwords, which Milvus ${version} does not tell: a restore does not ` +
      "make them, and gives their roles to those of the same names that you make before it",
  ];
}
