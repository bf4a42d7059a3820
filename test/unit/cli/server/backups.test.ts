import { beforeEach, describe, expect, test } from "vitest";
import { backupIdOf } from "../../../../src/core/execution/deterministic-id.ts";
import { executionArnOf } from "../../../../src/core/execution/state-machine-arn.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { seedBackup } from "../../../support/seed-backup.ts";
import { stackOutputs } from "../support/fake-cli.ts";
import { FakeServer } from "./fake-server.ts";

let server: FakeServer;

beforeEach(() => {
  server = new FakeServer();
});

/** A backup as the execution that was started last makes it. */
function seedMadeBackup(name: string): void {
  const { started } = server.cli.executions;
  const { stateMachineArn = "", name: execution = "" } = started.at(-1) ?? {};
  const id = backupIdOf(executionArnOf(stateMachineArn, execution));
  const layout = backupLayout("backup", name);
  for (const file of ["full_meta", "backup_meta"] as const) {
    server.cli.backups.seed(layout.meta[file], goldenFiles[file].replace(/"id":"[^"]*"/, `"id":"${id}"`));
  }
}

const ended = { stoppedAt: new Date("2026-11-21T11:03:15Z") };
const backedUp = {
  ...({ status: "succeeded", ...ended } as const),
  output: JSON.stringify({
    ...{ outcome: "backed-up", backupName: "new", collections: 1, segments: 1, objects: 1, bytes: 3, warnings: [] },
  }),
} as const;
const failed = { status: "failed", ...ended, error: "ImportFailed", cause: "no space left" } as const;

describe("create", () => {
  test("async starts an execution, answers its ID, and goes on without the server", async () => {
    const { status, body } = await server.ask("POST", "/create", {
      ...{ async: true, backup_name: "new", collection_names: ["coll"] },
    });

    expect(status).toBe(200);
    expect(body).toEqual({
      requestId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/),
      msg: expect.any(String),
      data: null,
    });
    expect(server.cli.executions.started).toEqual([
      {
        stateMachineArn: stackOutputs.BackupStateMachineArn,
        name: expect.stringMatching(/^create-new-/),
        input: { environment: "prod", backupName: "new", collections: ["coll"] },
      },
    ]);

    server.restart();
    const byId = await server.ask("GET", `/get_backup?backup_id=${body.requestId}`);
    const byName = await server.ask("GET", "/get_backup?backup_name=new");

    const running = { id: body.requestId, name: "new", state_code: 0n, progress: 1n, start_time: 1795258987n };
    expect(byId.body).toMatchObject({ msg: "success", data: running });
    expect(byName.body).toMatchObject({ msg: "success", data: running });
    expect(byName.body.data).not.toHaveProperty("end_time");
  });

  test("otherwise waits, and answers what is in the backup", async () => {
    server.cli.executions.script = [
      () => ({ status: "running" }),
      () => {
        seedMadeBackup("new");
        return backedUp;
      },
    ];

    const { body } = await server.ask("POST", "/create", { backup_name: "new" }, { request_id: "my id / 1" });

    expect(body).toMatchObject({
      requestId: "my id / 1",
      msg: "success",
      data: { id: "my id / 1", state_code: 2n, progress: 100n, start_time: 1795258987n, end_time: 1795258995n },
    });
    expect(body).not.toHaveProperty("code");
    expect(body.data.collection_backups[0]).toMatchObject({
      collection_name: expect.any(String),
      has_index: expect.any(Boolean),
    });
    expect(body.data.collection_backups[0]).not.toHaveProperty("partition_backups");
    expect(body.data.collection_backups[0].collection_id).toBeTypeOf("bigint");
    // names of executions have no such characters
    expect(server.cli.executions.started[0]?.name).toMatch(/^id-[0-9a-f]{40}$/);
    server.restart();
    expect((await server.ask("GET", "/get_backup?backup_id=my%20id%20%2F%201")).body.data.state_code).toBe(2n);
  });

  test("answers as async does when it may not wait so long", async () => {
    server.restart({ patienceMilliseconds: 5 });

    const { body } = await server.ask("POST", "/create", { backup_name: "new" });

    expect(body).toMatchObject({ msg: expect.stringContaining("get_backup"), data: null });
    expect(server.cli.executions.started).toHaveLength(1);
  });

  test("tells why the execution failed", async () => {
    server.cli.executions.script = [() => failed];

    const { body } = await server.ask("POST", "/create", { backup_name: "new" });
    const { body: found } = await server.ask("GET", "/get_backup?backup_name=new");

    expect(body).toEqual({ requestId: expect.any(String), code: 3n, msg: "ImportFailed: no space left", data: null });
    expect(found.data).toMatchObject({ state_code: 3n, errorMessage: "ImportFailed: no space left", progress: 0n });
  });

  test("an ID that is taken starts nothing", async () => {
    await server.ask("POST", "/create", { backup_name: "new", async: true }, { request_id: "mine" });

    const { body } = await server.ask("POST", "/create", { backup_name: "other", async: true }, { request_id: "mine" });

    expect(body).toMatchObject({
      requestId: "mine",
      code: 400n,
      msg: expect.stringMatching(/^request_id: mine was started at/),
    });
    expect(server.cli.executions.started).toHaveLength(1);
  });

  test.each([
    ["a backup that exists", { backup_name: "golden" }, 3n, /^BackupExists: /],
    ["a collection that is not there", { backup_name: "new", collection_names: ["nope"] }, 400n, /default\.nope/],
    ["a name that no folder has", { backup_name: "a/b" }, 400n, /backupName "a\/b"/],
    ["a strategy", { strategy: "fast" }, 400n, /^strategy: "fast" is none of .*bulk_flush.*, meta_only$/],
    ["another place", { backup_root_path: "elsewhere" }, 400n, /^backup_root_path: .*"backup"/],
    ["another address", { gc_pause_address: "http://10.0.0.1:9091" }, 400n, /^gc_pause_address: .*http:\/\/127/],
    ["two names in one", { collection_names: ["a,b"] }, 400n, /^collection_names: "a,b" is not valid/],
    ["a filter of nothing", { filter: {} }, 400n, /^filter: it names no database/],
    ["an empty database", { filter: { shop: {} } }, 400n, /^filter: shop has no colls/],
    ["text that is no JSON", { db_collections: "shop" }, 400n, /^db_collections: expected \{"db1"/],
  ])("refuses %s", async (_, body, code, msg) => {
    const answered = await server.ask("POST", "/create", body);

    expect(answered).toMatchObject({ status: 200, body: { code, msg: expect.stringMatching(msg), data: null } });
    expect(server.cli.executions.started).toEqual([]);
  });

  test.each([
    ["no JSON", "{", "invalid request body: it is no JSON"],
    ["another type", { async: "yes" }, "invalid request body: async: expected boolean, received string"],
    [
      "a key that nobody knows",
      { colection_names: ["coll"] },
      /unknown key "colection_names"; accepted: .*collection_names/,
    ],
    ["one further down", { filter: { shop: { coll: [] } } }, /unknown key "coll" in filter.shop; accepted: colls/],
  ])("%s is an HTTP 400", async (_, body, error) => {
    const answered = await server.ask("POST", "/create", body);

    expect(answered).toMatchObject({
      status: 400,
      body: { error: typeof error === "string" ? error : expect.stringMatching(error) },
    });
  });

  test.each([
    [{ collection_names: ["coll"] }, { collections: ["coll"] }],
    [{ db_collections: { default: ["coll"] } }, { collections: ["default.coll"] }],
    [{ db_collections: '{"default": []}' }, { collections: ["default.*"] }],
    [{ db_collections: "", collection_names: null }, {}],
    [{ filter: { default: { colls: ["*"] } }, collection_names: ["nope"] }, { collections: ["default.*"] }],
    [{ filter: { default: { colls: ["coll"] } } }, { collections: ["default.coll"] }],
    [{ strategy: "bulk_flush", force: true }, { strategy: "bulk_flush" }],
    [{ force: true }, { strategy: "skip_flush" }],
    [{ meta_only: true }, { strategy: "meta_only" }],
    [{ rbac: true }, { rbac: true }],
    [{ gc_pause_enable: true, gc_pause_seconds: 7200, gc_pause_address: "http://127.0.0.1:9091/" }, {}],
    [{ backup_root_path: "/backup/", with_index_extra: true, requestId: "is that of the header" }, {}],
  ])("%j is the input %j", async (request, input) => {
    const { body } = await server.ask("POST", "/create", { ...request, backup_name: "new", async: true });

    expect(body).not.toHaveProperty("code");
    expect(server.cli.executions.started[0]?.input).toEqual({ environment: "prod", backupName: "new", ...input });
  });

  test("a backup without a name is named after the time", async () => {
    await server.ask("POST", "/create", { async: true });

    expect(server.cli.executions.started[0]?.input.backupName).toBe("backup_2026_11_21_11_03_07");
  });
});

describe("get_backup", () => {
  test("tells a complete backup by its name, and by its ID in the metas", async () => {
    const byName = await server.ask("GET", "/get_backup?backup_name=golden&path=backup");
    const { id } = byName.body.data;
    const byId = await server.ask("GET", `/get_backup?backup_id=${id}`);

    const layout = backupLayout("backup", "golden");
    const metas = server.cli.backups.keys(layout.metas);
    const sizes = await Promise.all(metas.map(async (key) => (await server.cli.backups.head(key))?.size ?? 0));
    expect(byName.body).toMatchObject({
      msg: "success",
      data: { name: "golden", state_code: 2n, progress: 100n, meta_size: BigInt(sizes.reduce((a, b) => a + b)) },
    });
    expect(byId.body.data).toEqual(byName.body.data);
  });

  test.each([
    ["", 400n, "backup_name: backup_name or backup_id is required"],
    ["?backup_name=nope", 404n, "there is no backup nope"],
    ["?backup_id=nope", 3n, "there is no backup with the ID nope"],
    ["?backup_name=golden&path=elsewhere", 400n, expect.stringMatching(/^path: /)],
  ])("%s is none", async (query, code, msg) => {
    expect(await server.ask("GET", `/get_backup${query}`)).toMatchObject({
      status: 200,
      body: { code, msg, data: null },
    });
  });

  test("of two that were started for one name it tells of the one that has the claim", async () => {
    const first = await server.ask("POST", "/create", { async: true, backup_name: "new" });
    const second = await server.ask("POST", "/create", { async: true, backup_name: "new" });
    const [making] = server.cli.executions.started;
    const holder = executionArnOf(stackOutputs.BackupStateMachineArn, making?.name ?? "");
    const at = "2026-11-21T11:03:07Z";
    server.cli.backups.seed(
      backupLayout("backup", "new").claim,
      JSON.stringify({
        ...{ version: 1, backupName: "new", purpose: "backup", state: "writing", startedAt: at, heartbeatAt: at },
        ...{ holder, stateMachine: stackOutputs.BackupStateMachineArn },
      }),
    );

    const { body } = await server.ask("GET", "/get_backup?backup_name=new");

    expect(first.body.requestId).not.toBe(second.body.requestId);
    expect(body.data).toMatchObject({ id: first.body.requestId, state_code: 0n });
  });

  test("one that was deleted since, or made anew by another execution, is no more", async () => {
    server.cli.executions.script = [
      () => {
        seedMadeBackup("new");
        return backedUp;
      },
    ];
    const { body: made } = await server.ask("POST", "/create", { backup_name: "new" });
    expect(made.data).toMatchObject({ id: made.requestId, state_code: 2n });
    const { body: listed } = await server.ask("GET", "/list");
    expect(listed.data).toContainEqual(expect.objectContaining({ name: "new", id: made.requestId }));

    server.cli.executions.script = [() => backedUp];
    seedBackup(server.cli.backups, "new");
    const { body } = await server.ask("GET", `/get_backup?backup_id=${made.requestId}`);

    expect(body).toMatchObject({ code: 3n, data: null });
  });

  test("what Step Functions does not list yet, or not tell of, runs", async () => {
    const { executions } = server.cli;
    const { body: started } = await server.ask("POST", "/create", { async: true, backup_name: "new" });
    executions.list = async () => [];
    const unlisted = await server.ask("GET", "/get_backup?backup_name=new");
    executions.describe = async () => undefined;
    const untold = await server.ask("GET", `/get_backup?backup_id=${started.requestId}`);

    const running = { id: started.requestId, state_code: 0n, progress: 1n };
    expect(unlisted.body.data).toMatchObject(running);
    expect(untold.body.data).toMatchObject(running);
  });

  test("a backup of that name in another environment is none", async () => {
    await server.cli.executions.start({
      ...{ stateMachineArn: stackOutputs.BackupStateMachineArn, name: "of-another" },
      input: { environment: "dev", backupName: "nightly" },
    });

    expect((await server.ask("GET", "/get_backup?backup_name=nightly")).body.code).toBe(404n);
  });

  test("what another tool left is told as failed", async () => {
    seedBackup(server.cli.backups, "half", {
      without: ["full_meta", "backup_meta", "collection_meta", "partition_meta", "segment_meta"],
    });

    const { body } = await server.ask("GET", "/get_backup?backup_name=half");

    expect(body.data).toMatchObject({
      name: "half",
      state_code: 3n,
      errorMessage: expect.stringContaining("--incomplete"),
    });
  });
});

test("a key of an encrypted database is in no answer", async () => {
  const { full_meta } = backupLayout("backup", "golden").meta;
  const text = goldenFiles.full_meta.replace('"db_name":"shop"}', '"db_name":"shop","ezk":"secret-key"}');
  expect(text).toContain("secret-key");
  server.cli.backups.seed(full_meta, text);

  const { text: answered } = await server.ask("GET", "/get_backup?backup_name=golden");

  expect(answered).toContain('"db_name":"shop"}');
  expect(answered).not.toContain("secret-key");
});

test("list tells the complete backups, by ID, name, size and version", async () => {
  seedBackup(server.cli.backups, "half", { without: ["full_meta"] });
  const { body: golden } = await server.ask("GET", "/get_backup?backup_name=golden");

  const { body } = await server.ask("GET", "/list", undefined, { request_id: "r" });

  const { id, size, milvus_version } = golden.data;
  expect(body).toEqual({ requestId: "r", data: [{ id, name: "golden", size, milvus_version }] });
  expect((await server.ask("GET", "/list?collection_name=coll")).body).toMatchObject({ code: 400n, data: null });
});

test("list of nothing is an empty list", async () => {
  server.cli.backups = new MemoryObjectStore("bucket-b");
  expect((await server.ask("GET", "/list")).body).toEqual({ data: [] });
});

test("delete takes one backup, and says what it does not find", async () => {
  seedBackup(server.cli.backups, "other");

  expect((await server.ask("DELETE", "/delete?backup_name=golden")).body).toMatchObject({ msg: "success" });
  expect((await server.ask("DELETE", "/delete?backup_name=golden")).body).toMatchObject({
    code: 3n,
    msg: expect.stringMatching(/^BackupNotFound/),
  });
  expect((await server.ask("DELETE", "/delete")).body).toMatchObject({ code: 400n });
  expect((await server.ask("DELETE", "/delete?backup_name=..")).body).toMatchObject({ code: 400n });
  expect((await server.ask("GET", "/list")).body.data).toMatchObject([{ name: "other" }]);
});
