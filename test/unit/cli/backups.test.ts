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
    expect((await run("list", "--all")).stdout).toMatch(/^half .* incomplete$/m);
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
