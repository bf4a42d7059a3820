import { beforeEach, describe, expect, test } from "vitest";
import { copyBatch } from "../../../../src/core/execution/copy-plan.ts";
import type { RestoreInput } from "../../../../src/core/execution/messages.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import type { RestorePlan } from "../../../../src/core/plan/planned-restore.ts";
import { deleteBackup } from "../../../../src/steps/catalog/delete-backup.ts";
import { prepareRestore } from "../../../../src/steps/restore/prepare-restore.ts";
import { releaseRestore } from "../../../../src/steps/restore/release-restore.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { PipelineWorld, type WorldEnvironment } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";
import { heldTargets, stagedKeys } from "../../../support/targets.ts";

const execution = executionOf("restore-1");
const layout = workLayout("restore", execution.name);
const input: RestoreInput = { environment: "dr", backupName: "nightly", suffix: "_bak" };

let world: PipelineWorld;

async function backedUp(environments?: Record<string, WorldEnvironment>): Promise<void> {
  world = new PipelineWorld(environments);
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
}

beforeEach(() => backedUp());

function prepare(rest: Partial<RestoreInput> = {}) {
  return prepareRestore({ execution, input: { ...input, ...rest }, attempt: 0 }, world.context());
}

function plan(): RestorePlan {
  return JSON.parse(world.work.read(layout.plan) ?? "null");
}

/** Nothing of a restore in Milvus, in its bucket, and held. */
function expectUntouched(): void {
  const { calls } = world.milvus("dr");
  expect(calls.join()).not.toMatch(/create|drop|rename|submitImport|load /);
  expect(stagedKeys(world.bucket("bucket-b"))).toEqual([]);
  expect(heldTargets(world.bucket("bucket-b"))).toEqual([]);
  expect(world.work.keys("restores/")).toEqual([]);
}

describe("a plan", () => {
  test("names, stages and imports, without touching the target", async () => {
    const result = await prepare();

    expect(result).toMatchObject({ outcome: "planned", collections: 2, segments: 3, batches: 1 });
    expect(plan().collections.map(({ target }) => `${target.database}.${target.collection}`)).toEqual([
      "default.books_bak",
      "shop.carts_bak",
    ]);
    expect(plan().databases).toEqual([{ name: "shop", properties: [] }]);
    expect(plan().totals).toMatchObject({ collections: 2, segments: 3, rows: "35" });
    expect(world.milvus("dr").calls.join()).not.toMatch(/create|drop|rename|submitImport/);
  });

  test("reads a backup in another environment's bucket", async () => {
    await backedUp({
      prod: { milvusAt: "bucket-a/files", backupAt: "bucket-a/backup" },
      dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup" },
    });

    const elsewhere = { execution: executionOf("restore-2"), input, attempt: 0 };
    await expect(prepareRestore(elsewhere, world.context())).rejects.toMatchObject({ name: "BackupNotFound" });
    await expect(prepare({ from: "prod" })).resolves.toMatchObject({ outcome: "planned", segments: 3 });
  });

  test.each([
    ["in one bucket, the backup is read where it lies", false, 0],
    ["with crossStorage it is staged all the same", true, 13],
  ])("%s", async (_, crossStorage, staged) => {
    await backedUp({
      prod: { milvusAt: "bucket-a/files_A", backupAt: "bucket-a/backup", settings: { crossStorage } },
      dr: {
        milvusAt: "bucket-a/files_B",
        backupAt: "bucket-a/backup",
        settings: { crossStorage },
        milvus: { version: "2.4.0" },
      },
    });
    let seen = 0;

    await runRestore(world.context(), input, execution, {
      after: (step) => {
        if (step === "copy") seen = stagedKeys(world.bucket("bucket-a")).length;
      },
    });

    expect(seen).toBe(staged);
    expect(await world.milvus("dr").rowCount({ database: "default", collection: "books_bak" })).toBe(32n);
  });

  test("has what an import reads in a file of its own, and of every segment what the backup must hold", async () => {
    const { itemsKey } = await prepare();

    const files = plan()
      .collections.flatMap(({ imports }) => imports)
      .map(({ task }) => JSON.parse(world.work.read(layout.importFiles(task)) ?? "null"));
    expect(files).toEqual(
      files.map(() => [
        { insert: expect.stringMatching(/^(milvus-backup-staging|backup\/nightly)\//), delta: expect.any(String) },
      ]),
    );
    const [{ batchKey }] = JSON.parse(world.work.read(itemsKey) ?? "[]");
    const { segments } = copyBatch.parse(JSON.parse(world.work.read(batchKey) ?? "null"));
    expect(segments).toHaveLength(3);
    const expected = segments.flatMap(({ prefixes }) =>
      prefixes.flatMap(({ from, expect: logs = [] }) => logs.map(({ path }) => from + path)),
    );
    expect(expected.sort()).toEqual(world.bucket("bucket-b").keys(backupLayout("backup", "nightly").binlogs));
  });

  test.each([
    ["its metas are small: until it is marked as being read", 0, "readers/"],
    ["they are large: until the batches are planned", 2 ** 20, layout.plan],
  ])("stops where the backup is replaced while it is read (%s)", async (_, padding, written) => {
    const key = backupLayout("backup", "nightly").meta.full_meta;
    const bucket = world.bucket("bucket-b");
    const text = `${bucket.read(key)}${" ".repeat(padding)}`;
    bucket.seed(key, text);
    if (padding > 0) bucket.remove(backupLayout("backup", "nightly").manifest);
    world.work.failOn(
      (call) => {
        if (call.startsWith(`putText ${written}`)) bucket.seed(key, `${text} `);
        return false;
      },
      () => new Error("never"),
    );

    await expect(prepare()).rejects.toMatchObject({
      name: "CopyMismatch",
      message: expect.stringContaining("backup nightly in bucket-b in memory under backup/nightly/ was replaced"),
    });
    expect(world.work.read(layout.items(0))).toBeUndefined();
  });

  test("goes for a backup without full_meta.json, with a loud warning", async () => {
    world.bucket("bucket-b").remove(backupLayout("backup", "nightly").meta.full_meta);

    await prepare();

    expect(plan().warnings).toEqual([expect.stringContaining("full_meta.json is missing")]);
  });
});

describe("bad input fails before anything is made or held", () => {
  test.each<[string, Partial<RestoreInput>, string, string]>([
    ["an unknown environment", { environment: "staging" }, "UnknownEnvironment", "staging"],
    ["a backup that does not exist", { backupName: "weekly" }, "BackupNotFound", "there is no backup weekly"],
    [
      "a collection that the backup does not have",
      { collections: ["novels"] },
      "CollectionNotFound",
      "default.novels in backup nightly",
    ],
    ["a suffix that Milvus does not take", { suffix: "-bak" }, "InvalidInput", 'suffix "-bak" is not valid'],
    ["dropExisting with skipCreate", { dropExisting: true, skipCreate: true }, "InvalidInput", "skipCreate"],
    ["metadataOnly with skipCreate", { metadataOnly: true, skipCreate: true }, "InvalidInput", "metadataOnly"],
    [
      "skipCreate without a collection",
      { skipCreate: true },
      "CollectionNotFound",
      "skipCreate: there is no collection",
    ],
  ])("%s", async (_, wrong, name, message) => {
    await expect(prepare(wrong)).rejects.toMatchObject({ name, message: expect.stringContaining(message) });

    expectUntouched();
    expect(world.work.keys(layout.root).filter((key) => key !== layout.environments)).toEqual([]);
  });

  test.each([
    ["a collection", {}],
    ["an alias", { aliases: ["books_bak"] }],
  ])("a target that exists as %s", async (_, description) => {
    const name = "aliases" in description ? "other" : "books_bak";
    world.milvus("dr").addCollection(collectionDescription(name, description));

    await expect(prepare()).rejects.toMatchObject({
      name: "TargetExists",
      message: expect.stringContaining("default.books_bak"),
    });
    expectUntouched();
  });

  test("an alias is refused under dropExisting and skipCreate as well: it can neither be replaced nor imported into", async () => {
    world.milvus("dr").addCollection(collectionDescription("other", { aliases: ["books_bak"] }));

    for (const option of [{ dropExisting: true }, { skipCreate: true }]) {
      await expect(prepare({ ...option, collections: ["books"] })).rejects.toMatchObject({
        name: "TargetExists",
        message: expect.stringContaining("is an alias of collection other"),
      });
    }
    expectUntouched();
  });

  test("every target that exists is named at once", async () => {
    await runRestore(world.context(), { environment: "dr", backupName: "nightly" }, executionOf("earlier"));

    await expect(prepare({ suffix: "" })).rejects.toThrow(/default\.books, shop\.carts exist already/);
  });

  test("a Milvus that cannot rename is not made to drop the old collection first", async () => {
    world = new PipelineWorld({ prod: { milvusAt: "a/files", backupAt: "a/backup", milvus: { version: "2.2.8" } } });
    world.milvus("prod").addCollection(collectionDescription("books"), { partitions: [{ id: "1", name: "_default" }] });
    await runBackup(world.context(), { environment: "prod", backupName: "nightly" });

    await expect(prepare({ environment: "prod", suffix: "", dropExisting: true })).rejects.toMatchObject({
      name: "UnsupportedByTarget",
      message: expect.stringContaining("cannot rename"),
    });
  });

  test.each([["newer than the target", "2.2.9", "newer than the target"]])(
    "a backup that is %s",
    async (_, version, message) => {
      await backedUp({
        prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
        dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: { version } },
      });

      await expect(prepare()).rejects.toMatchObject({
        name: "UnsupportedByTarget",
        message: expect.stringContaining(message),
      });
      expectUntouched();
    },
  );

  test("a corrupt meta", async () => {
    const { full_meta } = backupLayout("backup", "nightly").meta;
    const text = world.bucket("bucket-b").read(full_meta) ?? "";
    world.bucket("bucket-b").seed(full_meta, text.slice(0, text.length / 2));

    await expect(prepare()).rejects.toMatchObject({ name: "CorruptBackup" });
    expectUntouched();
  });

  test("skipCreate into another schema names what differs", async () => {
    world.milvus("dr").addCollection(collectionDescription("books_bak", { schema: { enableDynamicField: true } }));

    await expect(prepare({ skipCreate: true, collections: ["books"] })).rejects.toMatchObject({
      name: "SchemaMismatch",
      message: expect.stringContaining("the dynamic field is off in the backup and on in the target"),
    });
  });
});

describe("the lease", () => {
  test("keeps a second execution of the same restore out, until the first has released it", async () => {
    const first = { execution, input, attempt: 0 };
    const second = { ...first, execution: executionOf("restore-2") };
    await prepareRestore(first, world.context());
    world.memory.running.add(execution.id);

    await expect(prepareRestore(second, world.context())).rejects.toMatchObject({ name: "AlreadyRunning" });
    await releaseRestore({ ...second, failure: { Error: "AlreadyRunning", Cause: "" } }, world.context());
    await expect(prepareRestore(second, world.context())).rejects.toMatchObject({ name: "AlreadyRunning" });

    await releaseRestore({ ...first, failure: { Error: "States.Timeout", Cause: "" } }, world.context());
    await expect(prepareRestore(second, world.context())).resolves.toMatchObject({ outcome: "planned" });
  });

  test("is given back where the step failed after it had taken it", async () => {
    const context = world.context();
    const work = new Proxy(context.work, {
      get: (target, property) =>
        property !== "putText"
          ? Reflect.get(target, property)
          : async (key: string, body: string, options?: object) => {
              if (key === layout.plan) throw new Error("cut off");
              return target.putText(key, body, options);
            },
    });

    await expect(prepareRestore({ execution, input, attempt: 0 }, { ...context, work })).rejects.toThrow("cut off");
    expect(heldTargets(world.bucket("bucket-b"))).toHaveLength(3);
    await releaseRestore({ execution, input, attempt: 0, failure: { Error: "Error", Cause: "cut off" } }, context);

    expectUntouched();
  });
});

describe("the mark of a reader", () => {
  const request = { execution, input, attempt: 0 };
  const marks = () => world.work.keys("readers/");
  const remove = (holder: string) => {
    const context = { ...world.context(), work: world.work };
    const place = world.environment("prod").backupStorage;
    const stored = new StoredBackup(world.bucket("bucket-b"), place, "nightly");
    return deleteBackup(stored, { place, holder, deployment: execution.id, incomplete: true }, context);
  };

  test("keeps the backup from being deleted while it is restored, and is gone at the end", async () => {
    world.memory.running.add(execution.id);
    const before = world.bucket("bucket-b").keys("backup/nightly/");

    await runRestore(world.context(), input, execution, {
      after: async (step) => {
        if (step === "finish") return;
        await expect(remove(step), step).rejects.toMatchObject({
          name: "BackupInUse",
          message: expect.stringContaining("being read by restore execution restore-1"),
        });
      },
    });

    expect(world.bucket("bucket-b").keys("backup/nightly/")).toEqual(before);
    expect(marks()).toEqual([]);
    await remove("now");
    expect(world.bucket("bucket-b").keys("backup/nightly/")).toEqual([]);
  });

  test("is taken away by Release and by a discard", async () => {
    await prepareRestore(request, world.context());
    expect(marks()).toHaveLength(1);
    await releaseRestore({ ...request, failure: { Error: "States.Timeout", Cause: "" } }, world.context());
    expect(marks()).toEqual([]);

    await prepare({ discard: true });
    expect(marks()).toEqual([]);
  });

  test("comes too late for a backup that is being deleted, or was just now", async () => {
    const bucket = world.bucket("bucket-b");
    const { claim, meta } = backupLayout("backup", "nightly");
    bucket.failOn(
      (call) => call.startsWith("deleteKeys") && call.includes(meta.full_meta),
      () => new Error("killed"),
    );
    await expect(remove("first")).rejects.toThrow("killed");
    await expect(prepareRestore(request, world.context())).rejects.toMatchObject({ name: "BackupInUse" });

    bucket.remove(claim);
    const text = bucket.read(meta.full_meta) ?? "";
    bucket.failOn(
      (call) => {
        if (call === `getText ${claim}`) bucket.remove(meta.full_meta);
        return false;
      },
      () => new Error("never"),
    );
    await expect(prepareRestore(request, world.context())).rejects.toMatchObject({ name: "BackupNotFound" });
    expect(text).not.toBe("");
    // the lease is asked for beside the look at the backup
    await releaseRestore({ ...request, failure: { Error: "BackupNotFound", Cause: "" } }, world.context());
    expectUntouched();
  });
});
