import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { environmentNamed, FakeCli, stackOutputs, yamlText } from "./support/fake-cli.ts";

let directory: string;
let from: string;
let into: string;
let cli: FakeCli;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "milvus-backup-cli-"));
  from = join(directory, "milvus-b.yaml");
  into = join(directory, "staging.yaml");
  writeFileSync(from, yamlText);
  writeFileSync(into, yamlText);
  cli = new FakeCli();
});
afterEach(() => rmSync(directory, { recursive: true }));

const succeeded = (output: object) =>
  ({ status: "succeeded", stoppedAt: new Date("2026-11-21T11:03:29.500Z"), output: JSON.stringify(output) }) as const;

const good = {
  outcome: "drilled",
  backupName: "my_backup",
  environment: "milvus-b",
  rtoSeconds: 94.2,
  rpoSeconds: 10801.7,
  collections: [
    {
      ...{ from: "default.coll", to: "default.coll_drill_20261121_1a2b3c4d", id: "462359186347560071", rows: "40000" },
      ...{ counted: "40000", compared: 20, fields: ["id", "vec"] },
      searched: [{ field: "vec", indexType: "HNSW", metricType: "L2", queries: 20, found: 19, recall: 0.95 }],
      leftOut: ["text (Text) is not compared: it is not read from backups, or not answered by queries"],
    },
  ],
  warnings: [],
};

describe("drill", () => {
  test("starts the machine, and sums up what it found", async () => {
    cli.executions.script = [() => succeeded(good)];

    const { code, stdout, stderr } = await cli.run("--config", from, "drill", "-n", "my_backup");

    expect(code).toBe(0);
    expect(cli.executions.started).toEqual([
      {
        stateMachineArn: stackOutputs.DrillStateMachineArn,
        name: expect.stringMatching(/^drill-my_backup-20261121T110307-[0-9a-f]{6}$/),
        input: { environment: "milvus-b", backupName: "my_backup" },
      },
    ]);
    expect(stdout).toContain(
      "Backup my_backup was restored into milvus-b, answered, and what was made is dropped again.",
    );
    expect(stdout).toMatch(/default\.coll +40,000 +40,000 +20 rows +vec 19\/20 +vec 95 %/);
    expect(stdout).toContain("RTO   1 min 34 s until it answered searches");
    expect(stdout).toContain("RPO   3 h 00 min");
    expect(stderr).toContain("default.coll: text (Text) is not compared");
  });

  test.each([
    [["-n", "my_backup", "-c", "coll"], { backupName: "my_backup", collections: ["coll"] }],
    [[], {}],
    [["--of", "nightly", "--pick", "random"], { of: "nightly", pick: "random" }],
  ])("%j into another environment", async (options, input) => {
    cli.executions.script = [() => succeeded(good)];

    const { code } = await cli.run("--config", from, "drill", "--into", into, ...options);

    expect(code).toBe(0);
    expect(cli.executions.started[0]?.input).toEqual({ environment: "staging", from: "milvus-b", ...input });
    expect([...cli.environments.keys()].sort()).toEqual(["milvus-b", "staging"]);
  });

  test("with registered environments", async () => {
    cli.environments.set("prod", environmentNamed("prod"));
    cli.environments.set("dr", environmentNamed("dr"));
    cli.executions.script = [() => succeeded(good)];

    const { code } = await cli.run("--environment", "prod", "drill", "-n", "my_backup", "--into-environment", "dr");

    expect(code).toBe(0);
    expect(cli.executions.started[0]?.input).toEqual({ environment: "dr", from: "prod", backupName: "my_backup" });
  });

  test("prints the document of its kind", async () => {
    cli.executions.script = [() => succeeded(good)];

    const { stdout } = await cli.run("--config", from, "--json", "drill", "-n", "my_backup");

    expect(JSON.parse(stdout)).toMatchObject({
      ...{ kind: "drill", outcome: "drilled", rtoSeconds: 94.2 },
      collections: [{ rows: 40_000, countedRows: 40_000, searches: [{ queryCount: 20, foundCount: 19 }] }],
    });
  });

  test("--clean removes what others left", async () => {
    cli.executions.script = [() => succeeded({ outcome: "cleaned", drills: 2, warnings: [] })];

    const { code, stdout } = await cli.run("--config", from, "drill", "--clean");

    expect(code).toBe(0);
    expect(stdout).toBe("What 2 drills left is removed.\n");
    expect(cli.executions.started[0]?.input).toEqual({ environment: "milvus-b", clean: true });
  });

  test("fails with the reason and exit code 1", async () => {
    const cause = JSON.stringify({ errorType: "DrillFailed", errorMessage: "DrillFailed: 2 of 20 rows differ" });
    cli.executions.script = [() => ({ status: "failed", stoppedAt: new Date(), error: "DrillFailed", cause })];

    const { code, stdout, stderr } = await cli.run("--config", from, "drill", "-n", "my_backup");

    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("Error (DrillFailed): 2 of 20 rows differ");
  });

  test.each([
    [["-n", "bad name"], 'backupName "bad name" is not valid'],
    [["-n", "x", "--pick", "random"], "--pick chooses a backup, and -n names one"],
    [["--of", "no schedule"], "--of: use a letter or digit"],
    [["--clean", "-n", "x"], "cannot be used with option"],
    [["-n", "x", "--pick", "oldest"], "Allowed choices are newest, random"],
    [["-n", "x", "-c", "bad-name"], 'collections: "bad-name" is not valid'],
  ])("%j is refused before anything is started", async (options, message) => {
    const { code, stderr } = await cli.run("--config", from, "drill", ...options);

    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(cli.executions.started).toEqual([]);
  });
});
