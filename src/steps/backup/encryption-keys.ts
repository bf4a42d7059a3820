import { isEncrypted } from "../../core/milvus/encryption.ts";
import type { BackupPlan } from "../../core/plan/backup.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

type Databases = BackupPlan["databases"];

/**
 * The keys of the encrypted databases of a backup, by their names, as its metas have them: read right before these are written, and kept nowhere
 * else. Of a backup that is committed already they are what that one has: a server may wrap a key otherwise each time.
 * @throws MilvusUnreachable, MilvusFailed
 */
export async function readEncryptionKeys(
  stored: StoredBackup,
  databases: Databases,
  connect: () => Promise<Milvus>,
): Promise<ReadonlyMap<string, string>> {
  const encrypted = databases.filter(({ properties }) => isEncrypted(properties));
  if (encrypted.length === 0) return new Map();
  const metas = await stored.streamCommitRecord();
  if (metas) {
    const { backup } = await metas.outline();
    return new Map(backup.database_backups.map(({ db_name, ezk }) => [db_name, ezk]));
  }
  const milvus = await connect();
  const keys = new Map<string, string>();
  for (const { name } of encrypted) keys.set(name, await milvus.encryptionKey(name));
  return keys;
}

/** Whoever cannot have the keys is told before anything is copied. @throws MilvusUnreachable, MilvusFailed */
export async function checkEncryptionKeys(milvus: Milvus, databases: Databases): Promise<void> {
  for (const { name, properties } of databases) if (isEncrypted(properties)) await milvus.encryptionKey(name);
}
