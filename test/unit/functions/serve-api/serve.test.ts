import { beforeEach, describe, expect, test } from "vitest";
import { fitting, type HttpAnswer, serveApi } from "../../../../functions/serve-api/serve.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { caller, httpEvent } from "../../../support/http-event.ts";
import { MemoryMilvus } from "../../../support/memory-milvus.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { seedBackup } from "../../../support/seed-backup.ts";
import { environmentNamed, FakeCli, yamlText } from "../../cli/support/fake-cli.ts";

let cli: FakeCli;
let log: string[];
/** Milliseconds that have passed. */
let passed: number;

beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
  const milvus = new MemoryMilvus();
  milvus.addCollection(collectionDescription("coll"));
  cli.milvus = milvus;
  seedBackup(cli.backups, "golden");
  log = [];
  passed = 0;
});

/** One instance of the function. */
function instance(patience = { wait: 18_000, answer: 25_000 }) {
  const { connections } = cli.context({
    ...{ stdout: { write: () => true }, stderr: { write: () => true }, env: {} },
    ...{ ask: async () => undefined, onInterrupt: () => () => {} },
  });
  let keys: Readonly<Record<string, string>> = {};
  const line = (text: string, own?: Readonly<Record<string, string>>) => {
    log.push(`${JSON.stringify({ ...keys, ...own })} ${text}`);
  };
  const serve = serveApi({
    connections: { ...connections, inPipelineNetwork: true },
    clock: {
      now: () => new Date(Date.parse("2026-11-29T00:00:00Z") + passed),
      sleep: async (milliseconds) => {
        passed += milliseconds;
        await new Promise((resolve) => setImmediate(resolve));
      },
    },
    environment: "prod",
    log: { info: line, warn: line, appendKeys: (more) => (keys = { ...keys, ...more }) },
    patience,
  });
  return async (...request: Parameters<typeof httpEvent>) => {
    const answer: HttpAnswer = await serve(httpEvent(...request));
    const isJson = answer.headers?.["content-type"]?.startsWith("application/json");
    return { ...answer, json: isJson ? JSON.parse(answer.body) : undefined };
  };
}

describe("requests of payload format 2.0", () => {
  test("a query, a header and a base64 body arrive as they were sent", async () => {
    const ask = instance();

    const listed = await ask("GET", "/list");
    const found = await ask("GET", "/get_backup", { query: "backup_name=gold%65n" });
    const body = { backup_name: "new", async: true, collection_names: ["coll"] };
    const made = await ask("POST", "/create", { body, base64: true, headers: { request_id: "mine" } });

    expect(listed).toMatchObject({
      statusCode: 200,
      headers: { "content-type": "application/json; charset=utf-8" },
      json: { data: [{ name: "golden" }] },
    });
    expect(found.json).toMatchObject({ msg: "success", data: { name: "golden", state_code: 2 } });
    expect(made.json).toMatchObject({ requestId: "mine" });
    expect(cli.executions.started).toMatchObject([
      { name: "mine", input: { environment: "prod", backupName: "new", collections: ["coll"] } },
    ]);
  });

  test("what is wrong with a request is said, by names of keys", async () => {
    const ask = instance();

    expect(await ask("POST", "/create", { body: { colection_names: [] } })).toMatchObject({
      statusCode: 400,
      json: { error: expect.stringContaining("colection_names") },
    });
    expect(await ask("POST", "/restore", { body: { backup_name: "nope" } })).toMatchObject({
      statusCode: 200,
      json: { code: 400, msg: expect.stringContaining("nope") },
    });
    expect(await ask("GET", "/nope")).toMatchObject({ statusCode: 404 });
    expect(await ask("GET", "/list", { body: "a body" })).toMatchObject({ statusCode: 400 });
  });

  test("each has a line in the log with who asked, and nothing of query, body and signature", async () => {
    await instance()("POST", "/restore", {
      ...{ query: "of=the-query", body: { backup_name: "nope", requestId: "of-the-body" } },
      headers: { request_id: "of-the-header" },
    });

    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(/POST \/api\/v1\/restore 200 \d+ ms code 400/);
    expect(log[0]).toContain(`"caller":"${caller}"`);
    expect(log[0]).not.toMatch(/of-the|the-query|Signature|secret/);
  });
});

describe("what did not come through API Gateway's authorisation", () => {
  test.each([
    ["no authorizer", null],
    ["another one", { jwt: { claims: { sub: "me" }, scopes: [] } }],
    ["nobody", { iam: { userArn: "" } }],
  ])("%s: is refused before anything is asked", async (_, authorizer) => {
    const refused = await instance()("DELETE", "/delete", { query: "backup_name=golden", authorizer });

    expect(refused).toMatchObject({ statusCode: 403, json: { error: expect.stringContaining("SigV4") } });
    expect(cli.backups.calls).toEqual([]);
  });

  test("an event that is no request is an error", async () => {
    const serve = serveApi({
      ...{ connections: cli.context({} as never).connections, environment: "prod" },
      clock: { now: () => new Date(), sleep: async () => {} },
      log: { info: () => {}, warn: () => {}, appendKeys: () => {} },
    });

    await expect(serve({ environment: "prod", backupName: "golden" })).rejects.toMatchObject({ name: "InvalidInput" });
    await expect(serve(undefined)).rejects.toMatchObject({ name: "InvalidInput" });
  });
});

describe("instances", () => {
  test("one that was killed after it started something: the same ID is told as started, by another", async () => {
    const request = { body: { backup_name: "new", async: true }, headers: { request_id: "mine" } };
    await instance()("POST", "/create", request);

    const other = instance();
    const again = await other("POST", "/create", request);

    expect(again.json).toMatchObject({ code: 400, msg: expect.stringContaining("mine was started at") });
    expect(cli.executions.started).toHaveLength(1);
    const told = await other("GET", "/get_backup", { query: "backup_id=mine" });
    expect(told.json).toMatchObject({ data: { name: "new", state_code: 0 } });
  });

  test("two at once with one ID: Step Functions starts it once", async () => {
    const taken = new Set<string>();
    const { start } = cli.executions;
    cli.executions.start = async (request) => {
      // as Step Functions answers another input; the same one is answered the same way
      if (taken.has(request.name)) throw Object.assign(new Error("it exists"), { name: "ExecutionAlreadyExists" });
      taken.add(request.name);
      return start.call(cli.executions, request);
    };
    const ask = (backup_name: string) =>
      instance()("POST", "/restore", { body: { backup_name, async: true, id: "mine", collection_suffix: "_a" } });

    const answers = await Promise.all([ask("golden"), ask("golden")]);

    expect(cli.executions.started).toHaveLength(1);
    expect(answers.map(({ json }) => json.code ?? 0).sort()).toEqual([0, 3]);
  });
});

describe("within the time that API Gateway waits", () => {
  test("a request that waits for a long backup is answered as if it had not", async () => {
    cli.executions.script = [() => ({ status: "running" })];
    const ask = instance({ wait: 50, answer: 60_000 });

    const { json } = await ask("POST", "/create", { body: { backup_name: "new" } });

    expect(json).toEqual({ requestId: expect.any(String), msg: expect.stringContaining("under way"), data: null });
  });

  test("a Milvus and a store that do not answer are said at once, and nothing is started", async () => {
    cli.milvus = undefined;
    const ask = instance();

    const backup = await ask("POST", "/create", { body: { backup_name: "new", async: true } });
    const restore = await ask("POST", "/restore", { body: { backup_name: "golden", async: true } });

    for (const { json } of [backup, restore]) {
      expect(json).toMatchObject({ code: 3, msg: expect.stringMatching(/^MilvusUnreachable: .*does not answer/) });
    }
    expect(cli.executions.started).toEqual([]);
  });

  test("where looking took too long nothing is started any more", async () => {
    cli.backups.failOn(
      (call) => {
        if (call.startsWith("checkAccess")) passed += 20_000;
        return false;
      },
      () => new Error(),
    );

    const { json } = await instance()("POST", "/create", { body: { backup_name: "new" } });

    expect(json).toMatchObject({ code: 3, msg: expect.stringMatching(/^Unfinished: .*nothing was started/) });
    expect(cli.executions.started).toEqual([]);
  });

  test.each([
    ["GET", "/list", /ask again/],
    ["POST", "/create", /request_id/],
  ])("what never answers: %s %s is answered all the same", async (method, path, advice) => {
    const never = new Promise<never>(() => {});
    cli.executions.start = () => never;
    cli.backups.listChildren = () => never;
    cli.backups.listDirectories = () => never;
    const ask = instance({ wait: 10, answer: 30 });

    const late = await ask(method, path, method === "POST" ? { body: { backup_name: "new" } } : {});

    expect(late).toMatchObject({ statusCode: 504, json: { error: expect.stringMatching(advice) } });
    expect(log.at(-1)).toContain("504");
  });

  test("what goes on behind its answer is logged as its own, whoever asks next", async () => {
    let goOn = () => {};
    const stopped = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const { deleteKeys } = cli.backups;
    cli.backups.deleteKeys = async (...keys) => {
      await stopped;
      return deleteKeys.apply(cli.backups, keys);
    };
    const ask = instance({ wait: 60_000, answer: 30 });
    expect(await ask("DELETE", "/delete", { query: "backup_name=golden" })).toMatchObject({ statusCode: 504 });

    // the function thaws with the next request
    const other = { iam: { userArn: "arn:aws:iam::111122223333:user/other" } };
    expect(await ask("GET", "/hello", { authorizer: other })).toMatchObject({ statusCode: 200 });
    goOn();

    await expect.poll(() => log.at(-1)).toMatch(/DELETE \/api\/v1\/delete 200/);
    expect(log.at(-1)).toContain(`"caller":"${caller}"`);
  });

  test("an answer that Lambda would not hand on is an error that says so", () => {
    const small = { statusCode: 200, body: '"'.repeat(3_000_000) };
    expect(fitting(small)).toBe(small);

    const { statusCode, body } = fitting({ statusCode: 200, body: '"'.repeat(3_200_000) });

    expect(statusCode).toBe(500);
    expect(JSON.parse(body)).toEqual({ error: expect.stringMatching(/6\.1 MiB.*milvus-backup list/) });
  });

  test("a body that is too long is refused as the server refuses it", async () => {
    const body = { backup_name: "x".repeat(4 * 1024 * 1024) };

    expect(await instance()("POST", "/create", { body })).toMatchObject({ statusCode: 413 });
  });
});

describe("a deletion that takes longer", () => {
  const logs = (count: number) => {
    for (let at = 0; at < count; at += 1) cli.backups.seed(`backup/golden/binlogs/insert_log/1/2/3/100/${at}`, "log");
  };
  /** Each request to delete takes so long. */
  const slow = (milliseconds: number) =>
    cli.backups.failOn(
      (call) => {
        if (call.startsWith("deleteKeys")) passed += milliseconds;
        return false;
      },
      () => new Error(),
    );

  test("is broken off, lists the backup no more, and goes on with each request until it is done", async () => {
    logs(4_500);
    slow(7_000);
    const answers: string[] = [];
    let left = cli.backups.keys("backup/golden/").length;
    for (let round = 0; round < 10 && left > 0; round += 1) {
      const { json } = await instance()("DELETE", "/delete", { query: "backup_name=golden" });
      answers.push(json.msg);
      const now = cli.backups.keys("backup/golden/").length;
      expect(now).toBeLessThan(left);
      left = now;
      expect((await instance()("GET", "/list")).json.data).toEqual([]);
      if (left > 0)
        expect(json).toMatchObject({ code: 3, msg: expect.stringMatching(/^Unfinished: .*delete it again/) });
    }

    expect(left).toBe(0);
    expect(answers.at(-1)).toBe("success");
    expect(answers.length).toBeGreaterThan(1);
    const gone = await instance()("DELETE", "/delete", { query: "backup_name=golden" });
    expect(gone.json).toMatchObject({ code: 3, msg: expect.stringMatching(/^BackupNotFound/) });
  });

  test("goes on too where the bucket locks objects, whose locks take longer to look at than there is time", async () => {
    cli.backups = new MemoryObjectStore("bucket-b", { objectLock: true });
    seedBackup(cli.backups, "golden");
    logs(4_500);
    cli.backups.failOn(
      (call) => {
        if (call.startsWith("lockOf")) passed += 10;
        if (call.startsWith("deleteKeys")) passed += 7_000;
        return false;
      },
      () => new Error(),
    );

    const answers: string[] = [];
    for (let round = 0; round < 10 && answers.at(-1) !== "success"; round += 1) {
      answers.push((await instance()("DELETE", "/delete", { query: "backup_name=golden" })).json.msg);
    }

    expect(answers.at(-1)).toBe("success");
    expect(answers.length).toBeGreaterThan(1);
  });

  test("for which no time is left before anything is deleted leaves the backup to whoever reads it", async () => {
    cli.backups.failOn(
      () => {
        passed += 3_000;
        return false;
      },
      () => new Error(),
    );

    const { json } = await instance()("DELETE", "/delete", { query: "backup_name=golden" });

    expect(json).toMatchObject({ code: 3, msg: expect.stringMatching(/^Unfinished/) });
    expect((await instance()("GET", "/list")).json.data).toMatchObject([{ name: "golden" }]);
    expect(cli.backups.keys("backup/golden/milvus-backup-claim.json")).toEqual([]);
  });

  test("what was not deleted but failed to be written is not taken for it", async () => {
    cli.backups.seed("backup/half/binlogs/insert_log/1/2/3/100/1", "log");

    const { json } = await instance()("DELETE", "/delete", { query: "backup_name=half" });

    expect(json).toMatchObject({ code: 3, msg: expect.stringMatching(/^BackupNotFound: .*--incomplete/) });
    expect(cli.backups.keys("backup/half/")).toHaveLength(1);
  });

  test("killed before any request, the same request finishes it", async () => {
    logs(1_200);
    const before = cli.backups.calls.length;
    await instance()("DELETE", "/delete", { query: "backup_name=golden" });
    const calls = cli.backups.calls.length - before;
    expect(cli.backups.keys("backup/golden/")).toEqual([]);
    for (let at = 0; at < calls; at += 1) {
      seedBackup(cli.backups, "golden");
      logs(1_200);
      let seen = 0;
      cli.backups.failOn(
        () => seen++ === at,
        () => new Error("killed"),
      );
      await instance()("DELETE", "/delete", { query: "backup_name=golden" });
      if (cli.backups.keys("backup/golden/").length > 0) {
        await instance()("DELETE", "/delete", { query: "backup_name=golden" });
      }
      expect(cli.backups.keys("backup/golden/"), `killed before call ${at}`).toEqual([]);
    }
  });

  test("a protected environment is named twice here too", async () => {
    cli.environments.set("prod", environmentNamed("prod", `${yamlText}backup: { protected: true }\n`));
    const ask = instance();

    expect((await ask("DELETE", "/delete", { query: "backup_name=golden" })).json).toMatchObject({ code: 2 });
    const restore = await ask("POST", "/restore", { body: { backup_name: "golden", async: true } });
    expect(restore.json).toMatchObject({ code: 2 });
    const done = await ask("DELETE", "/delete", { query: "backup_name=golden&confirm=prod" });
    expect(done.json).toMatchObject({ msg: "success" });
  });
});

test("check asks the functions of the pipeline, whose roles are meant", async () => {
  const asked: string[] = [];
  cli.invoke = (name) => {
    asked.push(name);
    return { checks: [{ check: "milvus", ok: name.endsWith("copy-segments"), detail: "tried" }] };
  };

  const { statusCode, json } = await instance()("GET", "/check");

  expect(asked.sort()).toEqual(["MilvusBackup-copy-segments", "MilvusBackup-prepare-backup"]);
  expect(statusCode).toBe(500);
  expect(json.error).toContain("✗ milvus");
});
