import type { MilvusClient } from "@zilliz/milvus2-sdk-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stackInfo } from "../../local/index.ts";
import { type BackupInstant, instantOf } from "../../measure/backup-instant.ts";
import { type CompactingServer, startCompactingServer } from "../../measure/compacting-server.ts";
import { atTimestamp, judgeInstant } from "../../measure/instant-judge.ts";
import { startUpsertLoad, type UpsertLoadOptions } from "../../measure/upsert-load.ts";
import { loadKeys } from "../../measure/upsert-loop.ts";
import { readVersions } from "../../measure/version-rows.ts";
import type { LoadLog } from "../../measure/write-log.ts";
import { configs, milvusBackupJson } from "../support/e2e/cli.ts";
import { connectTo, connectToServer, dropCollections, must } from "../support/e2e/milvus.ts";
import { deletePrefix } from "../support/e2e/objects.ts";

const numbers = [1, 2, 3, 4, 5];
const suffix = "_x";
/** The load ends by itself after so long: more than five backups take on a busy machine. */
const forMs = 280_000;

/** A backup that was taken under the load. */
interface TakenBackup {
  readonly name: string;
  readonly instant: BackupInstant;
  /** Wall clock in milliseconds, of the command. */
  readonly began: number;
  readonly ended: number;
}

/** Five backups under a load, what was written meanwhile, and which segments Milvus listed before and after. */
interface UnderLoad {
  readonly backups: readonly TakenBackup[];
  readonly log: LoadLog;
  readonly segmentsBefore: readonly string[];
  readonly segmentsAfter: readonly string[];
}

const b = await connectToServer("milvus-b");

describe("backups of a collection that is upserted and flushed without a pause", () => {
  const collection = "one_instant";
  let taken: UnderLoad;

  beforeAll(async () => {
    await removeBackups(collection);
    const address = (await stackInfo()).milvus.find(({ name }) => name === "milvus-a")?.address ?? "";
    taken = await takeBackups(configs.a, { address, collection, forMs });
  });
  afterAll(async () => {
    await dropCollections(await connectToServer("milvus-a"), collection);
    await removeBackups(collection);
  });

  test("each tells its instant, in get and in list, and it lies within its run, under the load", async () => {
    await expectInstants(taken);
  });

  test.each(numbers)("backup %i restores every key, once, as it was at its instant", async (number) => {
    await expectOneInstant(taken, number, collection);
  });
});

describe("backups of such a collection while it is compacted, and what was replaced is removed", () => {
  const collection = "one_instant_compacted";
  let server: CompactingServer | undefined;
  let taken: UnderLoad;

  beforeAll(async () => {
    await removeBackups(collection);
    server = await startCompactingServer({ name: "milvus-one-instant", port: 19550 });
    taken = await takeBackups(server.config, { address: server.address, collection, forMs, compactEveryMs: 2_000 });
  });
  afterAll(async () => {
    await server?.stop();
    await removeBackups(collection);
  });

  test("segments were replaced meanwhile", () => {
    expect(taken.log.compactions).toBeGreaterThan(0);
    const after = new Set(taken.segmentsAfter);
    expect(taken.segmentsBefore.filter((segment) => !after.has(segment))).not.toEqual([]);
  });

  test("each tells its instant, in get and in list, and it lies within its run, under the load", async () => {
    await expectInstants(taken);
  });

  test.each(numbers)("backup %i restores every key, once, as it was at its instant", async (number) => {
    await expectOneInstant(taken, number, collection);
  });
});

/** Takes five backups, one after the other, while the load runs. */
async function takeBackups(config: string, load: UpsertLoadOptions): Promise<UnderLoad> {
  const client = await connectTo(load.address);
  const { stop } = await startUpsertLoad(load);
  const backups: TakenBackup[] = [];
  try {
    const segmentsBefore = await segmentsOf(client, load.collection);
    for (const number of numbers) {
      const name = backupName(load.collection, number);
      const began = Date.now();
      await milvusBackupJson("--config", config, "create", "-c", load.collection, "-n", name);
      const ended = Date.now();
      const instant = instantOf(await milvusBackupJson("--config", config, "get", "-n", name));
      backups.push({ name, instant, began, ended });
    }
    return { backups, log: await stop(), segmentsBefore, segmentsAfter: await segmentsOf(client, load.collection) };
  } finally {
    await stop();
  }
}

async function expectInstants({ backups, log }: UnderLoad): Promise<void> {
  const listed = JSON.stringify(await milvusBackupJson("--config", configs.b, "list"));
  const lastWrite = log.writes.findLast(({ acknowledged }) => acknowledged !== undefined)?.sent;
  expect(backups).toHaveLength(numbers.length);
  expect(log.flushes).toBeGreaterThan(numbers.length);
  for (const { name, instant, began, ended } of backups) {
    const { earliest } = atTimestamp(instant.timestamp);
    expect(Date.parse(instant.time)).toBe(earliest);
    expect(listed).toContain(name);
    expect(listed).toContain(instant.timestamp);
    // Milvus's clock moves in steps, and may be a little behind this machine's.
    expect(earliest).toBeGreaterThan(began - 100);
    expect(earliest).toBeLessThanOrEqual(ended);
    expect(lastWrite).toBeGreaterThan(earliest);
  }
}

/** Restores a backup into Milvus B and judges every row of it. */
async function expectOneInstant({ backups, log }: UnderLoad, number: number, collection: string): Promise<void> {
  const backup = backups[number - 1];
  if (backup === undefined) throw new Error(`backup ${number} was not taken`);
  await dropCollections(b, collection + suffix);
  await milvusBackupJson("--config", configs.b, "restore", "-n", backup.name, "-s", suffix);

  const rows = await readVersions(b, collection + suffix);
  await dropCollections(b, collection + suffix);

  const { expected, back, violations } = judgeInstant(log.writes, atTimestamp(backup.instant.timestamp), rows);
  // A few of them say what is wrong; thousands would hide it.
  expect({ violations: violations.slice(0, 5), wrongKeys: violations.length, expected, back }).toEqual({
    violations: [],
    wrongKeys: 0,
    expected: loadKeys,
    back: loadKeys,
  });
}

async function segmentsOf(client: MilvusClient, collectionName: string): Promise<string[]> {
  const { infos } = await must(client.getPersistentSegmentInfo({ collectionName }));
  return infos.map(({ segmentID }) => String(segmentID));
}

async function removeBackups(collection: string): Promise<void> {
  await dropCollections(b, collection + suffix);
  for (const number of numbers) await deletePrefix("bucket-b", `backup/${backupName(collection, number)}/`);
}

function backupName(collection: string, number: number): string {
  return `${collection}_${number}`;
}
