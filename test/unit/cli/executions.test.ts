import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { PipelineError } from "../../../src/core/execution/errors.ts";
import { MemoryMilvus } from "../../support/memory-milvus.ts";
import { environmentNamed, FakeCli, stackOutputs, yamlText } from "./support/fake-cli.ts";

let cli: FakeCli;
let arn: string;

beforeEach(async () => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
  arn = await cli.executions.start({
    stateMachineArn: stackOutputs.BackupStateMachineArn,
    name: "create-nightly-1",
    input: { environment: "prod", backupName: "nightly" },
  });
});

describe("status", () => {
  test.each(["create-nightly-1", "its ARN"])("finds an execution by %s", async (by) => {
    const { code, stdout } = await cli.run("--json", "status", by === "its ARN" ? arn : by);

    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      executionName: "create-nightly-1",
      executionArn: arn,
      machine: "backup",
      backupName: "nightly",
      environment: "prod",
      state: "running",
      step: "Copy Segments",
      progress: { phase: "copying", copied: { segments: 0, objects: 0, bytes: 0 } },
      input: { environment: "prod", backupName: "nightly" },
    });
  });

  test("says why one failed", async () => {
    cli.executions.script = [
      () => ({
        status: "failed",
        error: "X",
        cause: '{"errorType":"BackupExists","errorMessage":"backup nightly exists"}',
      }),
    ];

    const { code, stdout } = await cli.run("status", "create-nightly-1");

    expect(code).toBe(1);
    expect(stdout).toContain("BackupExists: backup nightly exists");
  });

  test("--follow ends as the execution does", async () => {
    const output = { outcome: "backed-up", backupName: "nightly", collections: 1, segments: 2, objects: 3, bytes: 4 };
    cli.executions.script = [() => ({}), () => ({}), () => ({ status: "succeeded", output: JSON.stringify(output) })];

    const { code, stdout } = await cli.run("status", "create-nightly-1", "--follow");

    expect(code).toBe(0);
    expect(stdout).toContain("Backup nightly is complete.");
  });

  test("an execution nobody knows", async () => {
    const { code, stderr } = await cli.run("status", "nope");

    expect(code).toBe(1);
    expect(stderr).toContain("Error (ExecutionNotFound)");
  });
});

describe("stop", () => {
  test("marks the execution cancelled, then stops it", async () => {
    const { code } = await cli.run("stop", "create-nightly-1");

    expect(code).toBe(0);
    expect(cli.executions.stopped).toEqual([arn]);
    expect(cli.work.keys()).toEqual(["executions/backup/create-nightly-1/cancelled"]);
  });

  test("leaves one that is over alone", async () => {
    cli.executions.script = [() => ({ status: "failed" })];

    const { code, stdout } = await cli.run("stop", "create-nightly-1");

    expect(code).toBe(0);
    expect(stdout).toContain("is over: failed");
    expect(cli.executions.stopped).toEqual([]);
    expect(cli.work.keys()).toEqual([]);
  });
});

test("executions lists what the machines ran", async () => {
  const { stdout } = await cli.run("executions");

  expect(stdout).toMatch(/^create-nightly-1 +backup +running/m);
});

test("env set registers a file under a name, and replaces what is registered only where it is told to", async () => {
  const directory = mkdtempSync(join(tmpdir(), "milvus-backup-cli-"));
  try {
    const config = join(directory, "backup.yaml");
    writeFileSync(config, yamlText);

    const { code } = await cli.run("--config", config, "env", "set", "staging");

    expect(code).toBe(0);
    expect(cli.environments.get("staging")?.storage.bucket).toBe("bucket-a");

    const other = ["--config", config, "--set", "MINIO_BUCKET_NAME=bucket-z", "env", "set", "staging"];
    const refused = await cli.run(...other);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("minio.bucketName (registered bucket-a, in the file bucket-z)");
    expect(refused.stderr).toContain("--replace");
    expect(cli.environments.get("staging")?.storage.bucket).toBe("bucket-a");

    expect(await cli.run(...other, "--replace")).toMatchObject({ code: 0 });
    expect(cli.environments.get("staging")?.storage.bucket).toBe("bucket-z");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("env show hides secrets, list names places, rm forgets", async () => {
  const shown = await cli.run("env", "show", "prod");
  expect(shown.stdout).toContain('"bucket": "bucket-a"');
  expect(shown.stdout).not.toMatch(/top-secret|storage-secret/);

  expect((await cli.run("env", "list")).stdout).toMatch(/^prod +127\.0\.0\.1:19530 +bucket-a\/files at/m);

  await cli.run("env", "rm", "prod");
  expect(cli.environments.size).toBe(0);
});

test("check tells right from wrong and fails where something is wrong", async () => {
  const wrong = await cli.run("--environment", "prod", "check");
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toMatch(/^✗ milvus +Milvus at 127\.0\.0\.1 does not answer$/m);
  expect(wrong.stdout).toMatch(/^✓ backup bucket /m);

  const right = await cli.run("--environment", "prod", "check", "--no-milvus");
  expect(right.code).toBe(0);
});

test.each([
  ["2.6.8", "http://127.0.0.1:9091 pauses and resumes"],
  ["2.3.5", "Milvus 2.3.5 has no such call; backups go on without"],
])("check tries to pause garbage collection of Milvus %s, and leaves it running", async (version, told) => {
  const milvus = new MemoryMilvus({ version });
  cli.milvus = milvus;

  const { code, stdout } = await cli.run("--environment", "prod", "check");

  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`^✓ gc pause +${told}$`, "m"));
  expect(milvus.openPauses).toEqual([]);
});

test("check says that backups go on without a pause where the management port is out of reach", async () => {
  cli.milvus = new MemoryMilvus({ version: "2.6.8" });
  const refused = new PipelineError("MilvusUnreachable", "Milvus's management port cannot be reached");
  vi.spyOn(cli.milvus, "pauseGarbageCollection").mockRejectedValue(refused);

  const { code, stdout } = await cli.run("--environment", "prod", "check");

  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^✓ gc pause +not possible, backups go on without: Milvus's management port cannot be reached$/m,
  );
});
