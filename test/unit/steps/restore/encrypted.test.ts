import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { ExecutionFailed, executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";

const oldKey = "ZWFjaC1vbGQta2V5/+==";
const newKey = "YS1uZXctb25l+/8=";
const backup = { environment: "prod", backupName: "nightly" };
const restore = { environment: "dr", backupName: "nightly", suffix: "_bak" };
const { meta } = backupLayout("backup", "nightly");
const vault = { database: "vault", collection: "docs" };
const open = { database: "default", collection: "books" };

let world: PipelineWorld;

/** A database that is encrypted, and one that is not, with a collection of a segment each. */
async function begin(mapping?: Readonly<Record<string, string>>): Promise<void> {
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version: "2.6.4" } },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: { version: "2.6.4" } },
  });
  if (mapping) {
    const { milvus } = world.environment("dr");
    world.registerAnew("dr", { milvus: { ...milvus, ezkMapping: JSON.stringify(mapping) } });
  }
  const prod = world.milvus("prod");
  await prod.createDatabase("vault", [
    { key: "cipher.enabled", value: "true" },
    { key: "cipher.ezID", value: "7" },
    { key: "cipher.key", value: "root-1" },
  ]);
  prod.encryptionKeys.set("vault", oldKey);
  for (const [at, { database, collection }] of [vault, open].entries()) {
    const id = `47${at}`;
    const segment = { collectionId: id, partitionId: "1", id: `${id}1`, rows: 10n };
    world.seedSegment("prod", segment);
    const insertLogs = ["0", "1", "100", "101"].map((fieldId) => ({ fieldId, logIds: [`1${id}1`] }));
    const logs = { segmentId: segment.id, virtualChannel: "v", insertLogs, deltaLogs: [] };
    prod.addCollection(collectionDescription(collection, { id, database }), {
      partitions: [{ id: "1", name: "_default" }],
      segments: [{ ...segment, state: "Flushed", isL0: false, storageVersion: "0", logs }],
    });
  }
}

beforeEach(() => begin());

/** Everything that anybody but the store of the backup and Milvus keeps or shows. */
function shown(...answers: readonly unknown[]): string {
  const files = world.work.keys().map((key) => world.work.read(key));
  const told = answers.map((answer) =>
    answer instanceof Error ? [answer.message, answer.stack, answer.cause] : answer,
  );
  return JSON.stringify([files, world.memory.logged, told]);
}

/** The keys with which a collection's imports were submitted. */
const keysOf = ({ database, collection }: typeof vault) =>
  world
    .milvus("dr")
    .submittedImports({ database, collection: `${collection}_bak` })
    .map(({ encryptionKey }) => encryptionKey);

describe("a backup of an encrypted database", () => {
  test("has its key in full_meta.json alone, as milvus-backup keeps it", async () => {
    const result = await runBackup(world.context(), backup);

    const bucket = world.bucket("bucket-b");
    expect(bucket.keys().filter((key) => bucket.read(key)?.includes(oldKey))).toEqual([meta.full_meta]);
    const { database_backups } = parseFullMeta(bucket.read(meta.full_meta) ?? "").value;
    expect(database_backups.map(({ db_name, ezk }) => [db_name, ezk])).toEqual([
      ["default", ""],
      ["vault", oldKey],
    ]);
    expect(shown(result)).not.toContain(oldKey);
  });

  test("that cannot have the key ends before anything is copied, or claimed", async () => {
    world.milvus("prod").fail("encryptionKey", new PipelineError("MilvusFailed", "does not tell the key"));

    await expect(runBackup(world.context(), backup)).rejects.toThrow("does not tell the key");

    expect(world.bucket("bucket-b").keys()).toEqual([]);
    expect(world.milvus("prod").calls.filter((call) => call.startsWith("flush"))).toEqual([]);
  });

  test("without that database asks for no key", async () => {
    await runBackup(world.context(), { ...backup, collections: ["books"] });

    expect(world.milvus("prod").calls.filter((call) => call.startsWith("encryptionKey"))).toEqual([]);
  });

  test("is the same backup where its last step runs again, though the server wraps the key otherwise by then", async () => {
    const probe = new FaultInjector();
    await runBackup(world.context(probe), backup);
    const committed = probe.calls.findLastIndex((call) => call.includes("full_meta.json"));
    await begin();
    const again = new FaultInjector(committed + 1, "before");

    const context = world.context(again);
    await runBackup(context, backup, executionOf("backup-1"), {
      retries: 1,
      failed: () => world.milvus("prod").encryptionKeys.set("vault", "wrapped-anew"),
    });

    expect(world.bucket("bucket-b").read(meta.full_meta)).toContain(oldKey);
  });
});

describe("a restore of an encrypted database", () => {
  beforeEach(async () => {
    await runBackup(world.context(), backup);
  });

  test("gives the key with each import of it, and with no other; nothing else tells it", async () => {
    const result = await runRestore(world.context(), restore);

    expect(keysOf(vault)).toEqual([oldKey]);
    expect(keysOf(open)).toEqual([undefined]);
    expect(shown(result)).not.toContain(oldKey);
    expect(
      world
        .bucket("bucket-b")
        .keys()
        .filter((key) => !key.startsWith("backup/"))
        .some((key) => world.bucket("bucket-b").read(key)?.includes(oldKey)),
    ).toBe(false);
  });

  test("gives the key that the target's environment has in its place", async () => {
    await begin({ [oldKey]: newKey, other: "unused" });
    await runBackup(world.context(), backup);

    const result = await runRestore(world.context(), restore);

    expect(keysOf(vault)).toEqual([newKey]);
    expect(shown(result)).not.toMatch(/ZWFjaC1vbGQ|YS1uZXct/);
  });

  test("tells Milvus's reason without the key, should it repeat it", async () => {
    world.milvus("dr").failImportsWhen(() => true, `cannot unwrap ${oldKey}: wrong root key`);

    const failed = await runRestore(world.context(), restore).catch((error: unknown) => error);

    expect(failed).toBeInstanceOf(ExecutionFailed);
    expect((failed as ExecutionFailed).message).toContain("cannot unwrap ***: wrong root key");
    expect(shown(failed)).not.toContain(oldKey);
  });

  test("imports nothing with the key of another backup", async () => {
    const replace = (step: string) => {
      const text = world.bucket("bucket-b").read(meta.full_meta) ?? "";
      if (step === "recreate") world.bucket("bucket-b").seed(meta.full_meta, text.replace(oldKey, newKey));
    };
    const failed = await runRestore(world.context(), restore, executionOf("restore-1"), { after: replace }).catch(
      (error: unknown) => error,
    );

    expect(failed).toMatchObject({ name: "CopyMismatch" });
    expect(JSON.stringify(world.milvus("dr").calls)).not.toContain("submitImport vault");
  });
});
