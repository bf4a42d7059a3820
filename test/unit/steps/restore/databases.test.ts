import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { RestoreInput } from "../../../../src/core/execution/messages.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { aroundCalls } from "../../../support/around-calls.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import type { MemoryMilvusOptions } from "../../../support/memory-milvus.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const all: RestoreInput = { environment: "dr", backupName: "nightly" };
const replicas = (value: string) => [{ key: "database.replica.number", value }];

let world: PipelineWorld;

/** A server with the databases `default`, `shop` and, without collections, `archive`. */
async function seeded(milvus: MemoryMilvusOptions = { version: "2.4.15" }): Promise<void> {
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus },
  });
  seedShop(world);
  await world.milvus("prod").createDatabase("archive", replicas("2"));
}

function backUp(collections?: readonly string[]) {
  return runBackup(world.context(), {
    environment: "prod",
    backupName: "nightly",
    ...(collections && { collections: [...collections] }),
  });
}

function restore(request: RestoreInput, name = "restore-1", faults = new FaultInjector()) {
  return runRestore(world.context(faults), request, executionOf(name));
}

async function databases(): Promise<Record<string, unknown>> {
  const milvus = world.milvus("dr");
  const names = (await milvus.listDatabases()).filter((name) => name !== "default");
  const described = await Promise.all(names.map((name) => milvus.describeDatabase(name)));
  return Object.fromEntries(described.map(({ name, properties }) => [name, properties]));
}

beforeEach(() => seeded());

describe("a database without collections", () => {
  test("comes back with everything, with its properties, and is told", async () => {
    await backUp();

    const result = await restore(all);

    expect(await databases()).toEqual({ archive: replicas("2"), shop: [] });
    expect(result).toMatchObject({ outcome: "restored", databases: ["archive"], warnings: [] });
  });

  test.each<[string, Partial<RestoreInput>, Record<string, unknown>]>([
    ["not with others alone", { collections: ["books"] }, {}],
    ["by its name", { collections: ["archive.*"] }, { archive: replicas("2") }],
    ["as another one", { renames: { "archive.*": "old.*" } }, { old: replicas("2"), shop: [] }],
    ["not where the target is to have something else", { targets: ["shop.*"] }, { shop: [] }],
    ["with metadata alone", { metadataOnly: true }, { archive: replicas("2"), shop: [] }],
  ])("comes back %s", async (_, options, expected) => {
    await backUp();

    await restore({ ...all, ...options });

    expect(await databases()).toEqual(expected);
  });

  test("is backed up by its name, and nothing else with it", async () => {
    const result = await backUp(["archive.*"]);

    expect(result).toMatchObject({ outcome: "backed-up", collections: 0 });
    const { full_meta } = backupLayout("backup", "nightly").meta;
    const { database_backups, collection_backups } = parseFullMeta(
      world.bucket("bucket-b").read(full_meta) ?? "",
    ).value;
    expect(collection_backups).toEqual([]);
    expect(database_backups.map(({ db_name, properties }) => [db_name, properties])).toEqual([
      ["archive", replicas("2")],
    ]);
    expect(await restore(all)).toMatchObject({ databases: ["archive"], collections: [] });
    expect(await databases()).toEqual({ archive: replicas("2") });
  });

  test("that is not there is an error, as a name within it is", async () => {
    await backUp();

    for (const collections of [["archiv.*"], ["archive.books"]]) {
      await expect(restore({ ...all, collections })).rejects.toThrow(
        `CollectionNotFound: there is no collection ${collections[0]} in backup nightly (bucket-b in memory); ` +
          "there is: default.books, shop.carts, archive.*",
      );
    }
  });

  test.each<FaultMoment>(["before", "after"])(
    "is there after a fault %s any call, in a new execution",
    async (moment) => {
      const only = { ...all, collections: ["archive.*"] };
      await backUp();
      const counted = new FaultInjector();
      await restore(only, "restore-1", counted);
      for (let at = 0; at < counted.calls.length; at += 1) {
        await seeded();
        await backUp();
        const broken = new FaultInjector(at, moment);
        await restore(only, "restore-1", broken).catch(() => restore(only, "restore-2"));

        expect(await databases(), `${moment} ${counted.calls[at]}`).toEqual({ archive: replicas("2") });
        expect(world.work.keys("restores/"), `${moment} ${counted.calls[at]}`).toEqual([]);
      }
    },
  );
});

describe("a database that is there", () => {
  test("with other properties stays as it is, which is told", async () => {
    await backUp();
    const dr = world.milvus("dr");
    await dr.createDatabase("archive", replicas("1"));
    await dr.createDatabase("shop", [{ key: "database.max.collections", value: "8" }]);

    const { warnings } = await restore(all);

    expect(warnings).toEqual([
      "database archive is there, and stays as it is: database.replica.number is 1 (in the backup 2)",
      "database shop is there, and stays as it is: database.max.collections is 8 (in the backup not set)",
    ]);
    expect(await databases()).toEqual({
      archive: replicas("1"),
      shop: [{ key: "database.max.collections", value: "8" }],
    });
  });

  test("is another one where a single collection is renamed into it", async () => {
    await backUp();
    await world.milvus("dr").createDatabase("other", replicas("1"));

    const { warnings } = await restore({ ...all, collections: ["books"], renames: { books: "other.books" } });

    expect(warnings).toEqual([]);
  });

  test("as it is in the backup is nothing to tell of, and neither is it where the server does not describe any", async () => {
    await backUp();
    await restore(all);
    expect(await restore({ ...all, suffix: "_2", aliases: false }, "restore-2")).toMatchObject({ warnings: [] });

    await seeded({ version: "2.3.5" });
    await backUp();
    await world.milvus("dr").createDatabase("archive", replicas("1"));
    expect(await restore(all)).toMatchObject({ databases: ["archive"], warnings: [] });
  });
});

test.each([
  ["somebody makes at that moment", replicas("1")],
  ["was made, and its answer was lost", replicas("2")],
])("a database that %s is there", async (_, properties) => {
  await backUp();
  const context = aroundCalls(world.context(), async (call, args, make) => {
    if (call !== "createDatabase" || args[0] !== "archive") return make();
    await world.milvus("dr").createDatabase("archive", properties);
    return make();
  });

  expect(await runRestore(context, all)).toMatchObject({ databases: ["archive"] });
  expect(await databases()).toEqual({ archive: properties, shop: [] });
});

test("a database that Milvus does not make ends the restore with its reason", async () => {
  await backUp();
  world.milvus("dr").fail("createDatabase", new PipelineError("MilvusFailed", "too many databases"));

  await expect(restore(all)).rejects.toThrow("too many databases");
});
