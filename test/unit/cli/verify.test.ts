import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { backupLayout } from "../../../src/core/format/layout.ts";
import type { ExecutionDescription } from "../../../src/ports/pipeline-executions.ts";
import { seedGolden } from "../../support/golden-backup.ts";
import { FakeCli, stackOutputs, yamlText } from "./support/fake-cli.ts";

let directory: string;
let config: string;
let cli: FakeCli;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "milvus-backup-cli-"));
  config = join(directory, "prod.yaml");
  writeFileSync(config, yamlText);
  cli = new FakeCli();
  seedGolden(cli.backups, "old");
});
afterEach(() => rmSync(directory, { recursive: true }));

const verify = (...options: string[]) => cli.run("--config", config, "verify", "-n", "old", ...options);
const looked = { depth: "size", percent: 0, objects: 405, bytes: 21_000_000, readObjects: 0, readBytes: 0, bySize: 2 };
const stoppedAt = new Date("2026-11-21T11:03:09.500Z");
const passed = (more: object = {}) => {
  const output = { outcome: "verified", backupName: "old", ...looked, warnings: ["2 by size"], ...more };
  return { status: "succeeded", stoppedAt, output: JSON.stringify(output) } as const;
};

/** An execution that found problems, with the files that it leaves. */
function damaged(count: number) {
  return ({ name }: ExecutionDescription) => {
    const root = `executions/verify/${name}`;
    const problems = { missing: count, extra: 0, truncated: 0, altered: 0 };
    cli.work.seed(
      `${root}/findings.json`,
      JSON.stringify({ backupName: "old", outcome: "failed", ...looked, problems, problemFiles: 1, warnings: [] }),
    );
    const line = (index: number) => JSON.stringify({ key: `k${index}`, kind: "missing", detail: "" });
    cli.work.seed(
      `${root}/problems/0.jsonl`,
      `${Array.from({ length: count }, (_, index) => line(index)).join("\n")}\n`,
    );
    const cause = JSON.stringify({ errorType: "CorruptBackup", errorMessage: "CorruptBackup: backup old is damaged" });
    return { status: "failed", stoppedAt, error: "CorruptBackup", cause } as const;
  };
}

test("checksums are not named where there were none to compare with", async () => {
  cli.executions.script = [() => passed({ bySize: looked.objects })];

  expect((await verify()).stdout).toContain("as far as was looked: keys and sizes.\n");
});

test("what was read of the rows is told, in words and in the document, with what a record of an earlier version has not", async () => {
  const rows = { percent: 40.5, segments: 3, rows: 1200, living: 1100 };
  const collections = [{ collection: "default.coll", rows: 1200, living: 1100, repeated: 2 }];
  cli.executions.script = [() => passed({ rows: { ...rows, collections } })];

  const { stdout } = await verify("--rows=40%", "--yes");
  expect(stdout).toContain("as far as was looked: keys, sizes and the store's checksums, 40.5 % of the rows.");
  expect(stdout).toMatch(/rows +1,200 of 3 segments \(40\.5 %\), 1,100 of them living/);
  const document = JSON.parse(
    (await cli.run("--config", config, "--json", "verify", "-n", "old", "--rows", "--yes")).stdout,
  );
  expect(document.rows).toEqual({
    ...rows,
    collections: [{ collection: "default.coll", name: "default.coll", rows: 1200, living: 1100, repeated: 2 }],
  });
});

describe("what is started", () => {
  test.each([
    [[], {}],
    [["--read-data"], { readData: 100 }],
    [["--read-data=10%"], { readData: 10 }],
    [["--read-data", "2.5"], { readData: 2.5 }],
    [["--rows"], { rows: 100 }],
    [["--rows=10%", "--read-data"], { readData: 100, rows: 10 }],
    [["--seal"], { seal: true }],
  ])("the machine verify with %j", async (options, input) => {
    cli.executions.script = [() => passed()];

    const { code } = await verify(...options);

    expect(code).toBe(0);
    expect(cli.executions.started).toEqual([
      {
        stateMachineArn: stackOutputs.VerifyStateMachineArn,
        name: expect.stringMatching(/^verify-old-20261121T110307-[0-9a-f]{6}$/),
        input: { environment: "prod", backupName: "old", ...input },
      },
    ]);
  });

  test.each([
    [["--read-data=0"], "--read-data=10%"],
    [["--read-data=120%"], "--read-data=10%"],
    [["--read-data=some"], "--read-data=10%"],
    [["--read-data", "--seal"], "cannot be used with"],
    [["--rows=none"], "use --rows alone for all of them, or --rows=10% for a sample"],
  ])("nothing with %j", async (options, advice) => {
    const { code, stderr } = await verify(...options);

    expect(code).toBe(1);
    expect(stderr).toContain(advice);
    expect(cli.executions.started).toEqual([]);
  });

  test("--detach prints the execution and leaves", async () => {
    const { stdout } = await verify("--detach");
    expect(stdout).toMatch(/^arn:.*:verify:verify-old-/);
  });
});

describe("what reading costs", () => {
  beforeEach(() => {
    cli.executions.script = [() => passed()];
  });

  test("is told before it starts, and asked about where somebody can answer", async () => {
    cli.answer = "n";
    const declined = await verify("--read-data");
    expect(declined.stderr).toMatch(/^Reads \d+ objects?, .*: under a minute and less than \$0\.01 on AWS/m);
    expect(declined).toMatchObject({ code: 1, stderr: expect.stringContaining("nothing was read") });
    expect(cli.executions.started).toEqual([]);

    cli.answer = "y";
    expect((await verify("--read-data")).code).toBe(0);
    cli.answer = "n";
    expect((await verify("--read-data", "--yes")).code).toBe(0);
    expect(cli.executions.started).toHaveLength(2);
  });

  test("is not asked where nobody can answer, nor where nothing is read", async () => {
    expect((await verify("--read-data")).code).toBe(0);
    const free = await verify();
    expect(free.code).toBe(0);
    expect(free.stderr).not.toContain("Reads ");
  });

  test("a damaged manifest keeps nobody from looking; a backup that is not there does", async () => {
    cli.backups.seed(backupLayout("backup", "old").manifest, "{");
    const { code, stderr } = await verify("--read-data");
    expect(code).toBe(0);
    expect(stderr).toContain("what reading costs cannot be told from here");

    const missing = await cli.run("--config", config, "verify", "-n", "none", "--read-data");
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining("BackupNotFound") });
    expect(cli.executions.started).toHaveLength(1);
  });
});

describe("what is shown", () => {
  test("a backup that passed, by what was looked at", async () => {
    cli.executions.script = [() => passed({ depth: "sample", percent: 10.04, readObjects: 40, readBytes: 2_100_000 })];

    const { code, stdout, stderr } = await verify();

    expect(code).toBe(0);
    expect(stdout).toContain("is what it was, as far as was looked: keys, sizes and 10.04 % of the contents.");
    expect(stdout).toMatch(/read +40 objects, 2.1 MB/);
    expect(stdout).toMatch(/by size only +2 objects/);
    expect(stderr).toContain("2 by size");
  });

  test("--json: one document, its problems whole, exit code 1 where there are some", async () => {
    cli.executions.script = [damaged(300)];

    const { code, stdout } = await cli.run("--config", config, "--json", "verify", "-n", "old");

    expect(code).toBe(1);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({
      backupName: "old",
      location: "bucket-b/backup/old/",
      state: "failed",
      outcome: "failed",
      objects: 405,
      bytes: 21_000_000,
      milliseconds: 2500,
    });
    expect(document.problems).toHaveLength(300);
    expect(document.problems[0]).toEqual({ key: "k0", problem: "missing", detail: "" });
  });

  test("for people up to some hundred of them, and how many more there are", async () => {
    cli.executions.script = [damaged(300)];

    const { code, stdout } = await verify();

    expect(code).toBe(1);
    expect(stdout).toContain("Backup old is damaged: 300 missing.\n  missing: k0\n");
    expect(stdout.match(/missing: k/g)).toHaveLength(200);
    expect(stdout).toContain("and 100 more");
  });

  test("status --follow shows the same of an execution that a schedule started", async () => {
    const arn = await cli.executions.start({
      stateMachineArn: stackOutputs.VerifyStateMachineArn,
      name: "scheduled",
      input: { environment: "prod", schedule: "nightly" },
    });
    cli.environments.set("prod", (await import("./support/fake-cli.ts")).environmentNamed("prod"));
    cli.executions.script = [damaged(1)];

    const { code, stdout } = await cli.run("status", arn, "--follow");

    expect(code).toBe(1);
    expect(stdout).toContain("Backup old is damaged: 1 missing.");
  });

  test("why it could not look is an error as everywhere", async () => {
    const cause = JSON.stringify({
      errorType: "BackupNotFound",
      errorMessage: "BackupNotFound: there is no backup old",
    });
    cli.executions.script = [() => ({ status: "failed", stoppedAt, error: "BackupNotFound", cause })];

    expect(await verify()).toMatchObject({ code: 1, stderr: expect.stringContaining("Error (BackupNotFound)") });
  });

  test("list and get say what was found and when", async () => {
    const { verified } = backupLayout("backup", "old");
    const one = { percent: 100, objects: 1, bytes: 1, executionArn: "arn:aws:states:execution" };
    const good = { ...one, at: "2026-11-20T12:00:00.000Z", outcome: "passed", depth: "content", problems: 0 };
    cli.backups.seed(verified, JSON.stringify({ version: 1, last: good, lastPassed: good }));

    const list = await cli.run("--config", config, "list");
    expect(list.stdout).toMatch(/VERIFIED/);
    expect(list.stdout).toContain("2026-11-20 (content)");
    const bad = { ...one, at: "2026-11-21T12:00:00.000Z", outcome: "failed", depth: "size", percent: 0, problems: 3 };
    cli.backups.seed(verified, JSON.stringify({ version: 1, last: bad, lastPassed: good }));
    const get = await cli.run("--config", config, "get", "-n", "old");
    expect(get.stdout).toMatch(/verified +DAMAGED 2026-11-21 \(3 problems\), good 2026-11-20 \(content\)/);
    const json = await cli.run("--config", config, "--json", "list");
    expect(JSON.parse(json.stdout).backups[0].verified.last).toMatchObject({ outcome: "failed", problemCount: 3 });
  });
});
