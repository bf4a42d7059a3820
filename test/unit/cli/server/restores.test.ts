import { beforeEach, describe, expect, test } from "vitest";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { seedRows } from "../../../support/row-backup.ts";
import { stackOutputs } from "../support/fake-cli.ts";
import { FakeServer } from "./fake-server.ts";

let server: FakeServer;

beforeEach(() => {
  server = new FakeServer();
});

const ended = { stoppedAt: new Date("2026-11-21T11:03:15Z") };
const restored = {
  ...({ status: "succeeded", ...ended } as const),
  output: JSON.stringify({
    ...{ outcome: "restored", backupName: "golden", waitSeconds: 0, warnings: [] },
    collections: [{ from: "default.all_types", to: "shop.again", id: "1", rows: "2", loaded: false }],
  }),
} as const;
const failed = { status: "failed", ...ended, error: "ImportFailed", cause: "no space left" } as const;

describe("restore", () => {
  test("async answers the task, which is found again by its ID after a restart", async () => {
    const { body } = await server.ask("POST", "/restore", {
      ...{ async: true, backup_name: "golden", collection_names: ["all_types"], collection_suffix: "_bak", id: "mine" },
    });

    expect(body).toMatchObject({ requestId: expect.any(String), data: { id: "mine", state_code: 0n, progress: 1n } });
    expect(server.cli.executions.started).toMatchObject([
      {
        stateMachineArn: stackOutputs.RestoreStateMachineArn,
        name: "mine",
        input: {
          environment: "prod",
          backupName: "golden",
          collections: ["all_types"],
          suffix: "_bak",
          indexes: false,
        },
      },
    ]);

    server.restart();
    server.cli.work.seed(
      workLayout("restore", "mine").plan,
      JSON.stringify({
        totals: { collections: 1, segments: 4, bytes: 100 },
        collections: [{ target: { database: "default", collection: "all_types_bak" } }],
      }),
    );
    server.cli.work.seed(
      workLayout("restore", "mine").progress,
      JSON.stringify({ phase: "importing", imports: 2, completed: 1, progress: 60 }),
    );
    const { body: found } = await server.ask("GET", "/get_restore?id=mine");

    expect(found.data).toEqual({
      ...{ id: "mine", state_code: 1n, start_time: 1795258987n, progress: 69n },
      collection_restore_tasks: [
        {
          ...{ state_code: 1n, start_time: 1795258987n, progress: 69n },
          ...{ target_db_name: "default", target_collection_name: "all_types_bak" },
        },
      ],
    });
  });

  test("otherwise waits; what it made is told from its result", async () => {
    server.cli.executions.script = [() => restored];

    const { body } = await server.ask("POST", "/restore", {
      backup_name: "golden",
      requestId: "r",
      restoreIndex: true,
    });

    expect(body).toMatchObject({
      ...{ requestId: "r", msg: "success" },
      data: {
        ...{ id: expect.stringMatching(/^restore-golden-/), state_code: 2n, progress: 100n, end_time: 1795258995n },
        collection_restore_tasks: [{ state_code: 2n, target_db_name: "shop", target_collection_name: "again" }],
      },
    });
    expect(server.cli.executions.started[0]?.input).toEqual({ environment: "prod", backupName: "golden" });
  });

  test.each([
    ["failed", failed, 3n, "ImportFailed: no space left"],
    ["was stopped", { status: "aborted", ...ended } as const, 3n, "Stopped: the execution was stopped"],
    [
      "ran out of time",
      { status: "timed-out", ...ended } as const,
      4n,
      "States.Timeout: the execution ran into its time limit",
    ],
  ])("of one that %s it tells why", async (_, how, state, msg) => {
    server.cli.executions.script = [() => how];

    const { body } = await server.ask("POST", "/restore", { backup_name: "golden", id: "mine" });
    const { body: found } = await server.ask("GET", "/get_restore?id=mine");

    expect(body).toMatchObject({ code: 3n, msg: `${msg} (get_restore?id=mine tells of it)`, data: null });
    expect(found.data).toMatchObject({ state_code: state, errorMessage: msg });
  });

  test.each([
    ["no name", {}, /^backup_name: it is required/],
    ["a backup that is not there", { backup_name: "nope" }, /no backup nope/],
    ["a collection that it does not hold", { collection_names: ["nope"] }, /default\.nope/],
    ["a suffix", { collection_suffix: "-x" }, /suffix "-x"/],
    ["a rename of nothing", { collection_renames: { nope: "other" } }, /nope is not among/],
    ["a rename that no name has", { collection_renames: { "a:b": "c" } }, /renames: /],
    [
      "to replace and to keep",
      { dropExistCollection: true, skipCreateCollection: true },
      /^skipCreateCollection: it excludes/,
    ],
    ["to drop indexes and make none", { dropExistIndex: true, skipCreateCollection: true }, /^dropExistIndex: /],
    [
      "a plan with a suffix",
      { restorePlan: {}, collection_suffix: "_x" },
      /^restorePlan: it excludes collection_suffix/,
    ],
    ["a plan of what is not there", { restorePlan: { mapping: [{ source: "nope", target: "x" }] } }, /nope/],
    ["a plan that filters nothing", { restorePlan: { filter: { shop: {} } } }, /filter picks no collection/],
    [
      "a plan with another filter",
      { restorePlan: {}, db_collections_after_rename: { shop: [] } },
      /^restorePlan: it excludes db_collections_after_rename/,
    ],
    ["another bucket", { bucket_name: "other" }, /^bucket_name: .*bucket-b/],
    ["another path", { path: "other" }, /^path: /],
    ["shards below none", { maxShardNum: -1 }, /^maxShardNum: /],
    ["two keys in one", { skipParams: { collectionProperties: ["a,b"] } }, /^skipParams.collectionProperties: /],
    ["keys of encryption", { ezkMapping: { a: "b" } }, /^ezkMapping: /],
  ])("refuses %s", async (name, request, msg) => {
    const body = name === "no name" ? {} : { backup_name: "golden", ...request };

    const answered = await server.ask("POST", "/restore", body);

    expect(answered).toMatchObject({ status: 200, body: { code: 400n, msg: expect.stringMatching(msg), data: null } });
    expect(server.cli.executions.started).toEqual([]);
  });

  test.each([
    [{ collection_renames: { all_types: "x" }, collection_suffix: "_y" }, { renames: { all_types: "x" } }],
    [{ dropExistCollection: true, dropExistIndex: true }, { dropExisting: true }],
    [{ skipCreateCollection: true }, { skipCreate: true }],
    [
      { skipCreateCollection: true, restoreIndex: true },
      { skipCreate: true, indexes: undefined, existingIndexes: "add" },
    ],
    [
      { skipCreateCollection: true, restoreIndex: true, dropExistIndex: true },
      { skipCreate: true, indexes: undefined, existingIndexes: "replace" },
    ],
    [{ rbac: true }, { rbac: true }],
    [{ metaOnly: true }, { metadataOnly: true }],
    [{ maxShardNum: 2 }, { maxShards: 2 }],
    [{ useAutoIndex: true, skipParams: { indexParams: ["mmap.enabled"] } }, {}],
    [
      { restoreIndex: true, useAutoIndex: true, skipParams: { indexParams: ["mmap.enabled"] } },
      { indexes: undefined, autoIndex: true, skipIndexParams: ["mmap.enabled"] },
    ],
    [
      { skipParams: { collectionProperties: ["collection.ttl.seconds"], fieldTypeParams: ["mmap.enabled"] } },
      { skipProperties: ["collection.ttl.seconds"], skipFieldParams: ["mmap.enabled"] },
    ],
    [
      { skipParams: { fieldIndexParams: ["mmap.enabled", "nlist"], fieldTypeParams: ["mmap.enabled"] } },
      { skipFieldParams: ["mmap.enabled", "nlist"] },
    ],
    [{ useV2Restore: true, truncateBinlogByTs: false, skipImportDiskQuotaCheck: true, bucket_name: "bucket-b" }, {}],
    [
      { db_collections_after_rename: { default: ["all_types_x"] }, collection_suffix: "_x" },
      { targets: ["default.all_types_x"], suffix: "_x" },
    ],
    [
      {
        restorePlan: {
          mapping: [
            {
              source: "default",
              target: "shop",
              colls: [
                { source: "all_types", target: "a" },
                { source: "all_types", target: "b", override: { shardNum: 1 } },
              ],
            },
          ],
          filter: { shop: { colls: ["b"] } },
        },
      },
      {
        renames: { "default.all_types": ["shop.a", "shop.b"] },
        targets: ["shop.b"],
        overrides: { "shop.b": { shards: 1 } },
      },
    ],
  ])("%j is the input %j", async (request, input) => {
    const { body } = await server.ask("POST", "/restore", { ...request, backup_name: "golden", async: true });

    expect(body.msg).toContain("get_restore");
    const expected = { environment: "prod", backupName: "golden", indexes: false, ...input };
    expect(server.cli.executions.started[0]?.input).toEqual(JSON.parse(JSON.stringify(expected)));
  });

  test("truncateBinlogByTs: nothing is left out by time of a backup that tells none", async () => {
    const asked = { truncateBinlogByTs: true, async: true };
    seedRows(server.cli.backups, "cut", { segments: [], until: 5 });

    const refused = await server.ask("POST", "/restore", { ...asked, backup_name: "golden" });
    expect(refused.body).toMatchObject({
      code: 400n,
      msg: expect.stringContaining("truncateBinlogByTs: golden does not"),
    });
    expect(server.cli.executions.started).toEqual([]);

    const { body } = await server.ask("POST", "/restore", { ...asked, backup_name: "cut" });
    expect(body.msg).toContain("get_restore");
    const none = await server.ask("POST", "/restore", { ...asked, backup_name: "none" });
    expect(none.body).toMatchObject({ code: 400n });
  });

  test("get_restore of nothing", async () => {
    expect((await server.ask("GET", "/get_restore")).body).toMatchObject({ code: 3n, msg: "id: it is required" });
    expect((await server.ask("GET", "/get_restore?id=nope")).body).toMatchObject({ code: 3n, data: null });
  });
});
