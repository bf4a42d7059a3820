import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeCli, yamlText } from "./support/fake-cli.ts";

let directory: string;
let config: string;
let cli: FakeCli;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "milvus-backup-config-"));
  config = join(directory, "milvus-b.yaml");
  writeFileSync(config, `${yamlText}\ncloud:\n  apikey: hunter2\n`);
  cli = new FakeCli();
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("environment variables of milvus-backup win over the file of --config, and are named", async () => {
  cli.env = { MINIO_BACKUP_ROOT_PATH: "elsewhere", MINIO_SECRET_KEY: "hunter2" };

  const { code, stderr } = await cli.run("--config", config, "env", "set", "prod");

  expect(code).toBe(0);
  expect(cli.environments.get("prod")?.backupStorage.rootPath).toBe("elsewhere");
  expect(stderr).toContain("MINIO_SECRET_KEY, MINIO_BACKUP_ROOT_PATH, as the environment has it");
  expect(stderr).not.toContain("hunter2");
});

test("they are about no other file of the command", async () => {
  const from = join(directory, "milvus-a.yaml");
  writeFileSync(from, yamlText);
  cli.env = { MINIO_BACKUP_ROOT_PATH: "elsewhere" };
  cli.executions.script = [() => ({ status: "failed", stoppedAt: new Date(0), error: "BackupNotFound", cause: "{}" })];

  await cli.run("--config", config, "restore", "-n", "my_backup", "--from", from);

  expect(cli.environments.get("milvus-b")?.backupStorage.rootPath).toBe("elsewhere");
  expect(cli.environments.get("milvus-a")?.backupStorage.rootPath).toBe("backup");
});

test("check config shows every value and where it comes from, and no secret", async () => {
  cli.env = { MILVUS_PORT: "19540", MINIO_SECRET_KEY: "hunter2" };
  const command = ["--config", config, "--set", "backup.keepTempFiles=true", "check", "config"];

  const { code, stdout, stderr } = await cli.run(...command);
  const { stdout: json } = await cli.run("--json", ...command);

  expect(code).toBe(0);
  expect(stdout).toMatch(/milvus\.port +19540 +MILVUS_PORT$/m);
  expect(stdout).toMatch(/minio\.secretAccessKey +\(given\) +MINIO_SECRET_KEY$/m);
  expect(stdout).toMatch(/minio\.backupRootPath +backup +\S+milvus-b\.yaml:\d+$/m);
  expect(stdout).toMatch(/backup\.keepTempFiles +true +--set$/m);
  expect(stdout).toMatch(/backup\.gcPause\.enable +true +default$/m);
  expect(JSON.parse(json).settings).toContainEqual({
    key: "milvus.port",
    value: 19_540,
    from: "variable",
    variable: "MILVUS_PORT",
  });
  expect(JSON.parse(json).settings).toContainEqual({
    key: "minio.secretAccessKey",
    from: "variable",
    variable: "MINIO_SECRET_KEY",
  });
  expect(stdout + stderr + json).not.toContain("hunter2");
});

test("--set takes several values with commas between, and leaves the commas of a value", async () => {
  const set = ["--set", "MILVUS_USER=a,b,MILVUS_PORT=19540,minio.rootPath=x,y=z"];

  const { stdout } = await cli.run("--json", "--config", config, ...set, "check", "config");

  expect(JSON.parse(stdout).settings).toEqual(
    expect.arrayContaining([
      { key: "milvus.user", value: "a,b", from: "--set" },
      { key: "milvus.port", value: 19_540, from: "--set" },
      { key: "minio.rootPath", value: "x,y=z", from: "--set" },
    ]),
  );
});

test("a file that is not there is looked for where MILVUSCONF says", async () => {
  const folder = join(directory, "conf");
  mkdirSync(folder);
  writeFileSync(join(folder, "other.yaml"), yamlText);
  cli.env = { MILVUSCONF: folder };

  const found = await cli.run("--config", "other.yaml", "check", "config");
  const missing = await cli.run("--config", "nowhere.yaml", "check", "config");

  expect(found.code).toBe(0);
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining("there is no file nowhere.yaml") });
});

test.each([
  [{ MILVUS_PORT: "abc" }, [], "environment variable MILVUS_PORT: milvus.port must be a whole number"],
  [{}, ["--environment", "prod"], "check config reads a file: env show prod shows what is registered"],
])("%j %j is refused", async (env: Record<string, string>, options, message) => {
  cli.env = env;

  const { code, stderr } = await cli.run(...(options.length > 0 ? options : ["--config", config]), "check", "config");

  expect(code).toBe(1);
  expect(stderr).toContain(message);
});
