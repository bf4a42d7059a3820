import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PipelineWorld } from "../../support/pipeline-world.ts";
import { runBackup } from "../../support/run-machines.ts";
import { seedShop } from "../../support/seed-shop.ts";
import { FakeCli, yamlText } from "./support/fake-cli.ts";

let directory: string;
let config: string;
let other: string;
let cli: FakeCli;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "milvus-backup-estimate-"));
  [config, other] = [join(directory, "milvus-a.yaml"), join(directory, "other.yaml")];
  writeFileSync(config, yamlText);
  writeFileSync(other, yamlText.replace("backupRootPath: backup", "backupRootPath: elsewhere"));
  const world = new PipelineWorld();
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  cli = new FakeCli();
  cli.milvus = world.milvus("dr");
  cli.backups = world.bucket("bucket-b");
});

afterEach(() => {
  expect(cli.executions.started).toEqual([]);
  expect(cli.environments.size).toBe(0);
  rmSync(directory, { recursive: true });
});

describe("restore --estimate", () => {
  const estimate = (...more: string[]) =>
    cli.run("--config", config, "restore", "-n", "nightly", "-c", "books", "-s", "_bak", "--estimate", ...more);

  test("tells what would be staged under which name, and what that costs; starts and registers nothing", async () => {
    const { code, stdout } = await estimate();

    expect(code).toBe(0);
    expect(stdout).toMatch(/default\.books +default\.books_bak +35 +3 +13/);
    expect(stdout).toMatch(/imports +\d/);
    expect(stdout).toContain("and what Milvus takes to import it");
    expect(stdout).not.toContain("a month");
  });

  test("as one document; nothing is copied where Milvus reads the backup where it lies", async () => {
    writeFileSync(config, yamlText.replace(/bucketName: \S+/, "bucketName: bucket-b"));
    cli.milvus = new PipelineWorld({
      prod: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: { version: "2.4.15" } },
    }).milvus("prod");

    const { stdout } = await estimate("--json");

    expect(JSON.parse(stdout)).toMatchObject({
      ...{ kind: "estimate", of: "restore", environment: "milvus-a", backupName: "nightly", copies: "in-place" },
      collections: [{ collection: "default.books", to: "default.books_bak", rows: 35, segments: 3 }],
      ...{ objects: 0, bytes: 0, dollarsAMonth: 0 },
    });
  });

  test.each([
    [["--detach"], "--detach"],
    [["-r", "novels:x"], "novels is not among the collections to restore"],
    [["--from", "nowhere.yaml"], "there is no file nowhere.yaml: name its backup.yaml with --from FILE"],
  ])("%j is refused", async (options, part) => {
    const named = ["--config", config, "restore", "-n", "nightly", "--estimate", ...options];

    const { code, stderr } = await cli.run(...named);

    expect(code).toBe(1);
    expect(stderr).toContain(part);
  });
});

describe("copy --estimate", () => {
  test("tells what would be moved, and what that costs", async () => {
    const command = ["--config", config, "copy", "-n", "nightly", "--to", other, "--estimate"];

    const { code, stdout } = await cli.run(...command);
    const { stdout: json } = await cli.run("--json", ...command);

    expect(code).toBe(0);
    expect(stdout).toContain("13 objects of 3 segments");
    expect(stdout).toContain("a month in S3 Standard");
    const { bytes, collections } = JSON.parse(json);
    expect(collections[0].bytes + collections[1].bytes).toBe(bytes);
    expect(JSON.parse(json)).toMatchObject({
      ...{ kind: "estimate", of: "copy", backupName: "nightly", copies: "server-side", objects: 13, segments: 3 },
      collections: [
        { collection: "default.books", rows: 35 },
        { collection: "shop.carts", segments: 0 },
      ],
    });
  });

  test("of what lies there already is refused, as the copy is", async () => {
    writeFileSync(other, yamlText);
    const { code, stderr } = await cli.run("--config", config, "copy", "-n", "nightly", "--to", other, "--estimate");

    expect(code).toBe(1);
    expect(stderr).toContain("keep their backups in one place (bucket-b/backup): there is nothing to transfer");
  });

  test("of a file that is not there names the option", async () => {
    const { code, stderr } = await cli.run("--config", config, "copy", "-n", "nightly", "--to", "x.yaml", "--estimate");

    expect(code).toBe(1);
    expect(stderr).toContain("there is no file x.yaml: name its backup.yaml with --to FILE");
  });

  test("a backup that is not there is named", async () => {
    const { code, stderr } = await cli.run("--config", config, "copy", "-n", "weekly", "--to", other, "--estimate");

    expect(code).toBe(1);
    expect(stderr).toContain("weekly");
  });
});
