import type { MilvusClient } from "@zilliz/milvus2-sdk-node";
import { type BackupDocument, milvusBackupJson, type RestoreDocument } from "./cli.ts";
import { must, named } from "./milvus.ts";
import { deleteRows, insertSegment, smallRow } from "./seeds.ts";
import { type Row, readRows } from "./snapshot.ts";

/** What is backed up night after night. */
export const nightly = { collection: "nightly" };

/** What `create --incremental --json` prints. */
export interface IncrementalDocument extends BackupDocument {
  readonly objects: number;
  readonly newObjects?: number;
}

export interface ListedBackup {
  readonly backupName: string;
  readonly incremental: boolean;
  readonly bytes: number;
  readonly ownBytes?: number;
}

/** Takes an incremental backup of it. */
export const createNight = (config: string, name: string) =>
  milvusBackupJson<IncrementalDocument>("--config", config, "create", "--incremental", "-c", "nightly", "-n", name);

/** Its backups, as `list --json` shows them. */
export const listNights = async (config: string) =>
  (await milvusBackupJson<{ backups: ListedBackup[] }>("--config", config, "list", "-c", "nightly")).backups;

/** Restores a backup under a name of its own and reads its rows; what it made is dropped again. */
export async function restored(config: string, client: MilvusClient, name: string): Promise<Row[]> {
  await milvusBackupJson<RestoreDocument>(
    ...["--config", config, "restore", "-c", "nightly", "-n", name, "-s", `_${name}`],
  );
  const rows = await readRows(client, { collection: `nightly_${name}` });
  await must(client.dropCollection(named({ collection: `nightly_${name}` })));
  return rows;
}

/** Writes of one day, by its number: new rows, some of them replaced, some deleted. */
export async function live(client: MilvusClient, day: number): Promise<void> {
  const first = day * 1_000;
  await insertSegment(
    client,
    nightly,
    Array.from({ length: 60 }, (_, row) => smallRow(first + row)),
  );
  await must(client.upsert({ ...named(nightly), data: [smallRow(first), smallRow(1)] as never[] }));
  await deleteRows(client, nightly, `id in [${first + 5}, ${day + 10}]`);
}
