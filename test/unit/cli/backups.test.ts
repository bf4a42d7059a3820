import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { backupLayout } from "../../../src/core/format/layout.ts";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli, stackOutputs, yamlText } from "./support/fake-cli.ts";

let cli: FakeCli;

beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
});

const run = (...argv: string[]) => cli.run("--environment", "prod", ...argv);

describe("list", () => {
  test("a line a backup", async () => {
    seedBackup(cli.backups, "golden");
    seedBackup(cli.backups, "half", { without: ["full_meta"] });

    const { stdout } = await run("list");

    const [head, ...lines] = stdout.trimEnd().split("\n");
    expect(head?.split(/\s{2,}/)).toEqual(["NAME", "CREATED", "COLLECTIONS", "SIZE", "MILVUS", "STATE"]);
    expect(lines.map((line) => line.split(/\s{2,}/))).toEqual([
      ["golden", "2026-11-21 09:59:38 UTC", "4", "89.2 kB", "v2.3.5-lite", "complete"],
    ]);
  });

  test("--all shows incomplete ones too", async () => {
    seedBackup(cli.backups, "half", { without: ["full_meta"] });

    const { stdout } = await run("list", "--all");

    expect(stdout).toMatch(/^half .* incomplete$/m);
  });

  test.each([
    ["shop.auto_ids", ["golden"]],
    ["shop.*", ["golden"]],
    ["auto_ids", []],
  ])("-c %s shows the backups that hold it", async (selector, expected) => {
    seedBackup(cli.backups, "golden");

    const { stdout } = await run("--json", "list", "-c", selector);

    expect(JSON.parse(stdout).backups.map((it: { backupName: string }) => it.backupName)).toEqual(expected);
  });

  test("that no backup holds a collection is not said of an empty bucket", async () => {
    seedBackup(cli.backups, "golden");

    expect((await run("list", "-c", "auto_ids")).stdout).toBe("No backup in bucket-b/backup holds auto_ids.\n");
  });

  test("an empty bucket is said to be empty", async () => {
    expect((await run("list")).stdout).toBe("There are no backups in bucket-b/backup.\n");
  });
});

describe("get", () => {
  test("shows collections with their partitions, indexes and aliases", async () => {
    seedBackup(cli.backups, "golden");

    const { stdout } = await run("get", "-n", "golden");

    expect(stdout).toContain("bucket-b/backup/golden/");
    expect(stdout).toMatch(/^default\.all_types +- +301 +7 .* vec HNSW +all_types_alias$/m);
    expect(stdout).toMatch(/^ {2}p1 +100 +2 /m);
  });

  test("--json gives IDs as text and loses no digit", async () => {
    seedBackup(cli.backups, "golden");

    const { stdout } = await run("--json", "get", "-n", "golden");

    const { collections, bytes } = JSON.parse(stdout);
    expect(collections[0].id).toBe("470615367219551002");
    expect(bytes).toBe(89153);
  });

  test("counts users and roles, and shows none of them, with --detail neither", async () => {
    seedBackup(cli.backups, "golden");
    const { full_meta } = backupLayout("backup", "golden").meta;
    const users =
      '{"users":[{"user":"app","password":"a-hash","roles":[{"name":"reader"}]}],"roles":[{"name":"reader"}]}';
    const text = cli.backups.read(full_meta) ?? "";
    cli.backups.seed(full_meta, text.replace('"milvus_version"', `"rbac_meta":${users},"milvus_version"`));

    const [plain, detail, json] = [
      await run("get", "-n", "golden"),
      await run("get", "-n", "golden", "--detail"),
      await run("--json", "get", "-n", "golden"),
    ];

    expect(plain.stdout).toMatch(/^rbac +1 user, 1 role$/m);
    expect(JSON.parse(json.stdout).rbac).toEqual({ users: 1, roles: 1, grants: 0, privilegeGroups: 0 });
    expect(detail.stdout).toContain('"collection_id": 470615367219551002,');
    for (const { stdout, stderr } of [plain, detail, json]) expect(stdout + stderr).not.toMatch(/a-hash|"app"/);
  });

  test("--detail prints the meta with its 64-bit numbers", async () => {
    seedBackup(cli.backups, "golden");

    const { stdout } = await run("get", "-n", "golden", "--detail");

    expect(stdout).toContain('"collection_id": 470615367219551002,');
    expect(stdout).toContain('"log_id": 470615367219351053');
  });

  test("a backup that is not there", async () => {
    const { code, stderr } = await run("get", "-n", "nope");

    expect(code).toBe(1);
    expect(stderr).toContain("Error (BackupNotFound)");
  });
});

describe("get of a backup that is none", () => {
  const { claim, root } = backupLayout("backup", "half");
  const record = {
    version: 1,
    backupName: "half",
    purpose: "backup",
    state: "writing",
    holder: "arn:aws:states:us-east-1:000000000000:execution:backup:one",
    startedAt: "2026-11-21T11:00:00Z",
    heartbeatAt: "2026-11-21T11:02:00Z",
  };
  const claimed = (more: object = {}) => cli.backups.seed(claim, JSON.stringify({ ...record, ...more }));
  const got = async () => {
    const { code, stdout } = await run("--json", "get", "-n", "half");
    return { code, document: JSON.parse(stdout) };
  };
  const running = () =>
    cli.executions.start({ stateMachineArn: stackOutputs.BackupStateMachineArn, name: "one", input: {} });

  test("yet: says who makes it, since when, and how far that is", async () => {
    claimed();
    await running();
    const totals = { collections: 1, segments: 4, rows: "10" };
    cli.work.seed("executions/backup/one/plan.json", JSON.stringify({ attempt: 0, totals }));

    expect(await got()).toEqual({
      code: 1,
      document: {
        kind: "backup",
        version: 1,
        state: "writing",
        backupName: "half",
        location: "bucket-b/backup/half/",
        claim: {
          purpose: "backup",
          holder: record.holder,
          executionArn: record.holder,
          startedAt: record.startedAt,
          heartbeatAt: record.heartbeatAt,
        },
        progress: {
          phase: "copying",
          percent: 0,
          copied: { segments: 0, objects: 0, bytes: 0 },
          planned: { collectionCount: 1, segments: 4, rows: 10 },
        },
      },
    });
    const { stdout, code } = await run("get", "-n", "half", "--detail");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^state +writing: it is being made, and is none yet$/m);
    expect(stdout).toMatch(/^progress +copying {2}0\/4 segments/m);
    expect((await run("list", "--all")).stdout).toMatch(/^half .* writing$/m);
  });

  test("with its level metas there already: still none, as full_meta.json comes last", async () => {
    seedBackup(cli.backups, "half", { without: ["full_meta"] });
    claimed();
    await running();

    expect(await got()).toMatchObject({ code: 1, document: { state: "writing" } });
  });

  test.each([
    ["its execution is over", {}, "failed"],
    ["it is marked as failed", { state: "failed" }, "failed"],
    ["another deployment's execution spoke lately", { holder: "arn:aws:states:eu-west-1:1:execution:x:y" }, "writing"],
    [
      "another deployment's execution was silent for hours",
      { holder: "arn:aws:states:eu-west-1:1:execution:x:y", heartbeatAt: "2026-11-21T09:00:00Z" },
      "failed",
    ],
    [
      "it is deleted by hand",
      { purpose: "delete", state: "deleting", holder: "milvus-backup delete of x" },
      "deleting",
    ],
    [
      "its deletion was broken off",
      { purpose: "delete", state: "deleting", holder: "d", heartbeatAt: "2026-11-21T10:30:00Z" },
      "failed",
    ],
  ])("where %s", async (_, more, state) => {
    claimed(more);

    expect(await got()).toMatchObject({ code: 1, document: { state } });
  });

  test("without a pipeline goes by the claim alone", async () => {
    claimed();
    const yaml = join(mkdtempSync(join(tmpdir(), "milvus-backup-get-")), "milvus-a.yaml");
    writeFileSync(yaml, yamlText);
    cli.outputs = undefined;

    const { code, stdout, stderr } = await cli.run("--config", yaml, "--json", "get", "-n", "half");

    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 1, state: "writing" });
    expect(stderr).toContain("How far its execution is cannot be asked");
  });

  test("any more, with nobody's claim: incomplete", async () => {
    cli.backups.seed(`${root}binlogs/insert_log/1/2/3/100/4`, "rows");

    expect(await got()).toMatchObject({ code: 1, document: { state: "incomplete" } });
  });

  test("level metas of another tool alone are read, as they can be", async () => {
    seedBackup(cli.backups, "half", { without: ["full_meta"] });

    expect(await got()).toMatchObject({ code: 0, document: { state: "incomplete", bytes: 89_153 } });
  });
});

describe("delete", () => {
  test("asks, and deletes on yes", async () => {
    seedBackup(cli.backups, "golden");
    cli.answer = "y";

    const { code, stdout } = await run("delete", "-n", "golden");

    expect(code).toBe(0);
    expect(stdout).toContain("6 objects");
    expect(cli.backups.keys()).toEqual([]);
  });

  test.each([
    ["no", "nothing was deleted"],
    ["", "nothing was deleted"],
    [undefined, "--yes"],
  ])("the answer %j deletes nothing", async (answer, said) => {
    seedBackup(cli.backups, "golden");
    cli.answer = answer;

    const { code, stderr } = await run("delete", "-n", "golden");

    expect(code).toBe(1);
    expect(stderr).toContain(said);
    expect(cli.backups.keys()).toHaveLength(6);
  });

  test("--yes does not ask", async () => {
    seedBackup(cli.backups, "golden");

    expect((await run("delete", "-n", "golden", "--yes")).code).toBe(0);
    expect(cli.backups.keys()).toEqual([]);
  });

  test("a backup without its commit record does not exist", async () => {
    seedBackup(cli.backups, "half", { without: ["full_meta"] });

    const refused = await run("delete", "-n", "half", "--yes");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("--incomplete");

    const { code } = await run("delete", "-n", "half", "--yes", "--incomplete");
    expect(code).toBe(0);
    expect(cli.backups.keys()).toEqual([]);
  });

  test("--incomplete with an empty root path never takes a live Milvus for a backup", async () => {
    cli.environments.set(
      "prod",
      environmentNamed("prod", yamlText.replace("backupRootPath: backup", 'backupRootPath: ""')),
    );
    cli.backups.seed("files/insert_log/1/2/3/100/4", "rows");

    const { code, stderr } = await run("delete", "-n", "files", "--yes", "--incomplete");

    expect(code).toBe(1);
    expect(stderr).toMatch(/holds what no backup has: insert_log\/\. Nothing was deleted/);
    expect(cli.backups.keys()).toEqual(["files/insert_log/1/2/3/100/4"]);
  });

  test("--incomplete is refused while the backup is written, and goes once its execution is over", async () => {
    const { claim } = backupLayout("backup", "half");
    const arn = await cli.executions.start({
      stateMachineArn: stackOutputs.BackupStateMachineArn,
      name: "one",
      input: {},
    });
    const record = {
      version: 1,
      backupName: "half",
      purpose: "backup",
      state: "writing",
      holder: arn,
      startedAt: "2026-11-21T11:00:00Z",
      heartbeatAt: "2026-11-21T09:00:00Z",
    };
    cli.backups.seed(claim, JSON.stringify(record));

    const refused = await run("delete", "-n", "half", "--yes", "--incomplete");
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("by backup execution one: wait until") });
    cli.answer = "n";
    const asked = await run("delete", "-n", "half", "--incomplete");
    expect(asked.stderr, "before anybody is asked").toContain("AlreadyRunning");

    cli.executions.script = [() => ({ status: "failed" })];
    expect((await run("delete", "-n", "half", "--yes", "--incomplete")).code).toBe(0);
    expect(cli.backups.keys()).toEqual([]);
  });

  test("is refused while a restore reads the backup", async () => {
    seedBackup(cli.backups, "golden");
    const { RestoreStateMachineArn: stateMachineArn } = stackOutputs;
    const arn = await cli.executions.start({ stateMachineArn, name: "slow", input: {} });
    const key = "readers/127.0.0.1%3A9000%20bucket-b%20backup%2Fgolden%2F/restore-slow.json";
    cli.work.seed(key, JSON.stringify({ executionArn: arn, since: "2026-11-21T11:00:00Z" }));

    const { code, stderr } = await run("delete", "-n", "golden", "--yes");

    expect(code).toBe(1);
    expect(stderr).toContain("being read by restore execution slow");
    expect(cli.backups.keys()).toHaveLength(6);
  });

  test("without a pipeline says that nobody can be asked", async () => {
    const folder = mkdtempSync(join(tmpdir(), "milvus-backup-delete-"));
    writeFileSync(join(folder, "milvus-a.yaml"), yamlText);
    cli.outputs = undefined;
    seedBackup(cli.backups, "golden");

    const { code, stderr } = await cli.run(
      "--config",
      join(folder, "milvus-a.yaml"),
      "delete",
      "-n",
      "golden",
      "--yes",
    );

    rmSync(folder, { recursive: true });
    expect(code).toBe(0);
    expect(stderr).toContain("nobody can be asked who reads or writes the backup");
  });
});
