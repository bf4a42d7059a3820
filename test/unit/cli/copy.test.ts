import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli, stackOutputs, yamlText } from "./support/fake-cli.ts";

let directory: string;
let from: string;
let to: string;
let cli: FakeCli;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "milvus-backup-cli-"));
  from = join(directory, "minio-a.yaml");
  to = join(directory, "minio-b.yaml");
  writeFileSync(from, yamlText);
  writeFileSync(to, yamlText.replace("backupBucketName: bucket-b", "backupBucketName: bucket-c"));
  cli = new FakeCli();
});
afterEach(() => rmSync(directory, { recursive: true }));

function succeeded(outcome: "transferred" | "already-there", skippedObjects = 0) {
  return {
    status: "succeeded",
    stoppedAt: new Date("2026-11-21T11:03:09.500Z"),
    output: JSON.stringify({
      outcome,
      backupName: "my_backup",
      collections: 2,
      segments: 80,
      objects: 405,
      bytes: 21_000_000,
      skippedObjects,
      warnings: ["the meta has keys this version does not know"],
    }),
  } as const;
}

describe("what is started", () => {
  test("the transfer machine with both environments, which are registered after their files", async () => {
    cli.executions.script = [() => succeeded("transferred")];

    const { code, stdout, stderr } = await cli.run("--config", from, "copy", "-n", "my_backup", "--to", to);

    expect(code).toBe(0);
    expect(cli.executions.started).toEqual([
      {
        stateMachineArn: stackOutputs.TransferStateMachineArn,
        name: expect.stringMatching(/^copy-my_backup-20261121T110307-[0-9a-f]{6}$/),
        input: { backupName: "my_backup", from: "minio-a", to: "minio-b" },
      },
    ]);
    expect(cli.environments.get("minio-b")?.backupStorage.bucket).toBe("bucket-c");
    expect(stdout).toContain("Backup my_backup is copied from minio-a to minio-b.");
    expect(stdout).toContain("bucket-c/backup/my_backup/ at 127.0.0.1:9000");
    expect(stderr).toContain("the meta has keys this version does not know");
  });

  test("registered environments are used as they are", async () => {
    cli.environments.set("prod", environmentNamed("prod"));
    cli.environments.set("dr", environmentNamed("dr"));
    cli.executions.script = [() => succeeded("transferred")];

    const { code } = await cli.run("--environment", "prod", "copy", "-n", "b", "--to-environment", "dr");

    expect(code).toBe(0);
    expect(cli.executions.started[0]?.input).toEqual({ backupName: "b", from: "prod", to: "dr" });
    expect([...cli.environments.keys()]).toEqual(["prod", "dr"]);
  });

  test("where one of two files differs from what is registered, neither is registered and nothing is started", async () => {
    cli.environments.set("minio-b", environmentNamed("minio-b"));

    const { code, stderr } = await cli.run("--config", from, "copy", "-n", "my_backup", "--to", to);

    expect(code).toBe(1);
    expect(stderr).toContain("environment minio-b is registered with other content");
    expect(stderr).toContain("--to-environment NAME");
    expect([...cli.environments.keys()]).toEqual(["minio-b"]);
    expect(cli.environments.get("minio-b")?.backupStorage.bucket).toBe("bucket-b");
    expect(cli.executions.started).toEqual([]);

    cli.executions.script = [() => succeeded("transferred")];
    const replaced = await cli.run("--config", from, "copy", "-n", "my_backup", "--to", to, "--replace");

    expect(replaced.code).toBe(0);
    expect(cli.environments.get("minio-b")?.backupStorage.bucket).toBe("bucket-c");
  });

  test("--detach answers the execution at once", async () => {
    seedBackup(cli.backups, "b");
    const { code, stdout } = await cli.run("--config", from, "copy", "-n", "b", "--to", to, "--detach");

    expect(code).toBe(0);
    expect(stdout).toMatch(/^arn:aws:states:us-east-1:000000000000:execution:transfer:copy-b-.*\n$/);
  });
});

describe("what is shown", () => {
  test("--json prints one document", async () => {
    cli.executions.script = [() => succeeded("transferred", 5)];

    const { stdout } = await cli.run("--config", from, "--json", "copy", "-n", "my_backup", "--to", to);

    expect(JSON.parse(stdout)).toMatchObject({
      backupName: "my_backup",
      outcome: "transferred",
      fromEnvironment: "minio-a",
      toEnvironment: "minio-b",
      location: "bucket-c/backup/my_backup/",
      collectionCount: 2,
      segments: 80,
      objects: 405,
      bytes: 21_000_000,
      skippedObjects: 5,
      milliseconds: 2500,
    });
  });

  test("segments and bytes of the running execution, of all there are", async () => {
    cli.executions.script = [
      (execution) => {
        const root = `executions/transfer/${execution.name}`;
        const totals = { collections: 1, segments: 3, bytes: 4_000_000 };
        const receipt = { batch: "0-000000", outcome: "copied", objects: 10, bytes: 1_500_000, skippedObjects: 0 };
        const segment = { collectionId: "7", partitionId: "8", outcome: "copied", insertLogs: [], deltaLogs: [] };
        const segments = ["1", "2"].map((segmentId) => ({ ...segment, segmentId }));
        cli.work.seed(`${root}/plan.json`, JSON.stringify({ totals }));
        cli.work.seed(`${root}/receipts/0-000000.json`, JSON.stringify({ ...receipt, segments }));
        return {};
      },
      () => succeeded("transferred"),
    ];

    const { stderr } = await cli.run("--config", from, "copy", "-n", "my_backup", "--to", to);

    expect(stderr).toContain("2/3 segments  1.5 MB of 4 MB");
  });

  test("a backup that was there already is told as such", async () => {
    cli.executions.script = [() => succeeded("already-there", 405)];

    const { code, stdout } = await cli.run("--config", from, "copy", "-n", "my_backup", "--to", to);

    expect(code).toBe(0);
    expect(stdout).toContain("Backup my_backup is in minio-b already");
    expect(stdout).toContain("405 objects");
  });
});

describe("bad input starts nothing", () => {
  test.each([
    ["no destination", ["copy", "-n", "b"], "Usage", "--to FILE"],
    ["no name", ["copy", "--to", "x.yaml"], "Usage", "--name"],
    ["two destinations", ["copy", "-n", "b", "--to", "x", "--to-environment", "y"], "Usage", "--to-environment"],
    ["a name with other characters", ["copy", "-n", "a/b", "--to", "x"], "InvalidInput", "[A-Za-z0-9_.-]"],
    ["a missing file", ["copy", "-n", "b", "--to", "none.yaml"], "ConfigNotFound", "none.yaml"],
    ["an unknown environment", ["copy", "-n", "b", "--to-environment", "nix"], "UnknownEnvironment", "nix"],
  ])("%s", async (_name, argv, error, part) => {
    const { code, stderr } = await cli.run("--config", from, ...argv);

    expect(code).toBe(1);
    expect(stderr).toContain(`Error (${error}):`);
    expect(stderr).toContain(part);
    expect(cli.executions.started).toEqual([]);
  });

  test("two files of one name", async () => {
    const { code, stderr } = await cli.run("--config", from, "copy", "-n", "b", "--to", from);

    expect(code).toBe(1);
    expect(stderr).toContain("--config and --to would both be registered as minio-a");
    expect(cli.environments.size).toBe(0);
  });
});
