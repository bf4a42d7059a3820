import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli, yamlText } from "./support/fake-cli.ts";

const protectedYaml = `${yamlText}backup: { protected: true }\n`;
let cli: FakeCli;
let folder: string;

beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod", protectedYaml));
  // keeps its backups where prod does
  cli.environments.set("dr", environmentNamed("dr"));
  folder = mkdtempSync(join(tmpdir(), "milvus-backup-protected-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const refused = (name = "prod") =>
  expect.objectContaining({
    code: 1,
    stderr: expect.stringMatching(
      new RegExp(
        `^Error \\(EnvironmentProtected\\): environment ${name} is protected \\(backup\\.protected .*--confirm ${name}\\)`,
        "m",
      ),
    ),
  });

test.each(["prod", "dr"])(
  "delete of a backup that lies where a protected environment keeps its own, by %s",
  async (environment) => {
    seedBackup(cli.backups, "golden");

    const plain = await cli.run("--environment", environment, "delete", "-n", "golden", "--yes");
    const wrong = await cli.run("--environment", environment, "delete", "-n", "golden", "--yes", "--confirm", "other");
    expect(cli.backups.keys("backup/golden/").length).toBeGreaterThan(0);
    const named = await cli.run("--environment", environment, "delete", "-n", "golden", "--yes", "--confirm", "prod");

    expect(plain).toEqual(refused());
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("confirm names other") });
    expect(named.code).toBe(0);
    expect(cli.backups.keys("backup/golden/")).toEqual([]);
  },
);

test("a file without the key deletes no more than the registered environment does", async () => {
  seedBackup(cli.backups, "golden");
  const file = join(folder, "mine.yaml");
  writeFileSync(file, yamlText);

  expect(await cli.run("--config", file, "delete", "-n", "golden", "--yes")).toEqual(refused());
});

test("sweep needs it, and its dry run does not", async () => {
  expect((await cli.run("--environment", "prod", "sweep", "--dry-run")).code).toBe(0);
  expect(await cli.run("--environment", "prod", "sweep", "--yes")).toEqual(refused());
});

test("restore and drill hand it to the pipeline, which refuses", async () => {
  cli.executions.script = [() => ({ status: "failed", error: "EnvironmentProtected", cause: "..." })];

  await cli.run("--environment", "prod", "restore", "-n", "golden", "--confirm", "prod");
  await cli.run("--environment", "prod", "drill", "-n", "golden", "--confirm", "prod");
  await cli.run("--environment", "prod", "restore", "-n", "golden");

  expect(cli.executions.started.map(({ input }) => input.confirm)).toEqual(["prod", "prod", undefined]);
});

test("a registration is replaced, unprotected and forgotten only by its name", async () => {
  const file = join(folder, "prod.yaml");
  writeFileSync(file, yamlText);

  expect(await cli.run("--config", file, "env", "set", "prod", "--replace")).toEqual(refused());
  // A file that is only used never replaces it, whatever else is said.
  expect(await cli.run("--config", file, "create", "-n", "b", "--replace")).toEqual(refused());
  expect(await cli.run("env", "rm", "prod", "--yes")).toEqual(refused());
  expect(cli.environments.get("prod")?.protected).toBe(true);
  expect((await cli.run("--config", file, "env", "set", "prod", "--replace", "--confirm", "prod")).code).toBe(0);
  expect(cli.environments.get("prod")?.protected).toBe(false);
  expect((await cli.run("env", "rm", "prod", "--yes")).code).toBe(0);
});
