import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { PipelineError } from "../../../src/core/execution/errors.ts";
import { drillRestoreExecution } from "../../../src/core/plan/drill.ts";
import { MemoryMilvus } from "../../support/memory-milvus.ts";
import { environmentNamed, FakeCli, stackOutputs, yamlText } from "./support/fake-cli.ts";

let cli: FakeCli;
let arn: string;

const backup = stackOutputs.BackupStateMachineArn;
const start = (name: string, input: object, startedAt: string) =>
  cli.executions.start({ stateMachineArn: backup, name, input, startedAt: new Date(startedAt) });

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

  const backedUp = { outcome: "backed-up", backupName: "nightly", collections: 1, segments: 2, objects: 3, bytes: 4 };

  test.each([
    ["create", "backup", backedUp, { outcome: "backed-up", environment: "prod", bytes: 4 }],
    [
      "restore",
      "restore",
      { outcome: "restored", backupName: "nightly", collections: [], waitSeconds: 0 },
      { outcome: "restored", environment: "prod", collections: [] },
    ],
    [
      "copy",
      "transfer",
      { ...backedUp, outcome: "transferred", skippedObjects: 1 },
      { outcome: "transferred", fromEnvironment: "prod", toEnvironment: "gone", skippedObjects: 1 },
    ],
  ] as const)("with what came of it, as %s prints it", async (kind, machine, output, expected) => {
    const input = machine === "transfer" ? { from: "prod", to: "gone" } : { environment: "prod" };
    await cli.executions.start({
      stateMachineArn: backup.replace(/:backup$/, `:${machine}`),
      name: "ended",
      input: { ...input, backupName: "nightly" },
    });
    const stoppedAt = new Date("2026-11-21T11:04:07Z");
    cli.executions.script = [() => ({ status: "succeeded", stoppedAt, output: JSON.stringify(output) })];

    const asDocument = await cli.run("--json", "status", "ended");
    const followed = await cli.run("--json", "status", "ended", "--follow");

    const document = JSON.parse(asDocument.stdout);
    expect(document).toMatchObject({
      state: "succeeded",
      milliseconds: 60_000,
      result: { kind, state: "succeeded", backupName: "nightly", milliseconds: 60_000, warnings: [], ...expected },
    });
    expect(document).not.toHaveProperty("progress");
    expect(followed.stdout).toBe(asDocument.stdout);
    expect([asDocument.code, followed.code]).toEqual([0, 0]);
  });

  test.each([
    ["failed", "X"],
    ["timed-out", "States.Timeout"],
    ["aborted", "Stopped"],
  ] as const)("exits with 1 for one that is %s, followed or not, and tells how far it came", async (state, name) => {
    cli.work.seed(
      "executions/backup/create-nightly-1/plan.json",
      JSON.stringify({ attempt: 0, totals: { collections: 1, segments: 4, rows: "100" } }),
    );
    cli.executions.script = [() => ({ status: state, error: "X", cause: "broken" })];

    for (const follow of [[], ["--follow"]]) {
      const { code, stdout } = await cli.run("--json", "status", "nightly", ...follow);

      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        state,
        error: { name },
        progress: { planned: { collectionCount: 1, segments: 4, rows: 100 }, copied: { segments: 0 } },
      });
    }
  });

  describe("by the name of a backup", () => {
    test("takes the newest execution that is about it, whoever started it", async () => {
      await start("create-nightly-2", { environment: "prod", backupName: "nightly" }, "2026-11-22T00:00:00Z");
      await start("from-a-console", { environment: "prod", backupName: "nightly" }, "2026-11-23T00:00:00Z");
      await start("create-nightly-other", { environment: "prod", backupName: "nightly_other" }, "2026-11-24T00:00:00Z");

      expect(JSON.parse((await cli.run("--json", "status", "nightly")).stdout).executionName).toBe("from-a-console");
    });

    test("takes a drill, and not the restore that it runs", async () => {
      const input = { environment: "prod", backupName: "nightly" };
      const started = (stateMachineArn: string, name: string, at: string) =>
        cli.executions.start({ stateMachineArn, name, input, startedAt: new Date(at) });
      await started(stackOutputs.DrillStateMachineArn, "drill-nightly-20261122T000000-0a1b2c", "2026-11-22T00:00:00Z");
      const made = drillRestoreExecution("nightly", "arn:drill");
      await started(stackOutputs.RestoreStateMachineArn, made, "2026-11-22T00:00:01Z");

      const { executionName, machine } = JSON.parse((await cli.run("--json", "status", "nightly")).stdout);
      expect([executionName, machine]).toEqual(["drill-nightly-20261122T000000-0a1b2c", "drill"]);
      expect(JSON.parse((await cli.run("--json", "status", made)).stdout).machine).toBe("restore");
    });

    test("also one that is longer than a name of an execution", async () => {
      const backupName = "n".repeat(100);
      await start("cut", { environment: "prod", backupName }, "2026-11-22T00:00:00Z");

      expect(JSON.parse((await cli.run("--json", "status", backupName)).stdout).executionName).toBe("cut");
    });

    test("finds one that a schedule named, and the name of an execution wins", async () => {
      const input = { environment: "prod", schedule: "weekly", scheduledTime: "2026-11-22T03:00:00Z" };
      await start("0b1c", input, "2026-11-22T03:00:02Z");
      await start("later", { environment: "prod", backupName: "create-nightly-1" }, "2026-11-23T00:00:00Z");

      const scheduled = JSON.parse((await cli.run("--json", "status", "weekly_2026_11_22_03_00_00")).stdout);
      expect(scheduled).toMatchObject({ executionName: "0b1c", backupName: "weekly_2026_11_22_03_00_00" });
      const named = JSON.parse((await cli.run("--json", "status", "create-nightly-1")).stdout);
      expect(named.backupName).toBe("nightly");
    });
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

  test("says of a verification that it copied nothing", async () => {
    const stateMachineArn = stackOutputs.VerifyStateMachineArn;
    await cli.executions.start({ stateMachineArn, name: "verify-nightly-1", input: { backupName: "nightly" } });

    const { stdout } = await cli.run("stop", "verify-nightly-1");

    expect(stdout).toContain("It changed nothing");
    expect(stdout).not.toContain("copied");
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

  const asked = await cli.run("env", "rm", "prod");
  expect(asked).toMatchObject({ code: 1, stderr: expect.stringContaining("env rm asks first") });
  expect(cli.environments.size).toBe(1);
  const removed = await cli.run("env", "rm", "prod", "--yes");
  expect(removed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Environment prod is not registered any/) });
  expect(removed.stdout).toMatch(
    /Until 2026-11-28 11:03:\d\d UTC it can be brought back: milvus-backup env restore prod$/m,
  );
  expect(cli.environments.size).toBe(0);
});

test("env restore brings back what rm forgot, unless that was for good", async () => {
  expect((await cli.run("env", "restore", "prod")).stdout).toBe(
    "Environment prod is registered: nothing was forgotten.\n",
  );
  const removed = JSON.parse((await cli.run("--json", "env", "rm", "prod", "--yes")).stdout);
  expect(removed).toMatchObject({ outcome: "removed", restorableUntil: expect.stringMatching(/^2026-11-28T11:03/) });
  expect((await cli.run("env", "restore", "prod")).stdout).toMatch(/^Environment prod is registered again/);
  expect(cli.environments.size).toBe(1);

  const gone = await cli.run("env", "rm", "prod", "--yes", "--force");
  expect(gone.stdout).toBe("Environment prod is not registered any more. Nothing brings it back.\n");
  expect(await cli.run("env", "restore", "prod")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("Error (UnknownEnvironment)"),
  });
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

test("check fails where what it has paused is not resumed", async () => {
  cli.milvus = new MemoryMilvus({ version: "2.6.8" });
  const refused = new PipelineError("MilvusFailed", "HTTP 500");
  vi.spyOn(cli.milvus, "resumeGarbageCollection").mockRejectedValue(refused);

  const { code, stdout } = await cli.run("--environment", "prod", "check");

  expect(code).toBe(1);
  expect(stdout).toMatch(/^✗ gc pause +http:\/\/127.0.0.1:9091 pauses, and does not resume: HTTP 500$/m);
});

test.each([
  ["2.6.8", undefined, /^✓ milvus rest +answers: imports of up to 256 pairs of directories each go over it$/m],
  [
    "2.6.8",
    true,
    /^✓ milvus rest +nothing answers at http:\/\/milvus.test:19530 .* over gRPC, one pair of directories each.*milvus.restPort say so$/m,
  ],
  ["2.3.5", undefined, /^✓ milvus {2}/m],
] as const)("check tells which way imports of Milvus %s go (REST closed: %s)", async (version, restClosed, told) => {
  cli.milvus = new MemoryMilvus({ version, ...(restClosed && { restClosed }) });

  const { code, stdout } = await cli.run("--environment", "prod", "check");

  expect(code).toBe(0);
  expect(stdout).toMatch(told);
  if (version === "2.3.5") expect(stdout).not.toMatch(/milvus rest /);
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
