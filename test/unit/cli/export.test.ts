import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeCli, stackOutputs, yamlText } from "./support/fake-cli.ts";

let directory: string;
let config: string;
let cli: FakeCli;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "milvus-backup-cli-"));
  config = join(directory, "prod.yaml");
  writeFileSync(config, yamlText);
  cli = new FakeCli();
});
afterEach(() => rmSync(directory, { recursive: true }));

const run = (...options: string[]) => cli.run("--config", config, "export", "-n", "nightly", ...options);
const stoppedAt = new Date("2026-11-21T11:03:09.500Z");
const output = {
  ...{ outcome: "exported", backupName: "nightly", format: "parquet", destination: "s3://lake/out/", collections: 2 },
  ...{ rows: 2_997, leftOut: 3, files: 4, bytes: 12_000, warnings: ["field half of default.a is Float16Vector"] },
};
const exported = () => ({ status: "succeeded", stoppedAt, output: JSON.stringify(output) }) as const;

describe("what is started", () => {
  test.each([
    [["--to", "s3://lake/out"], { destination: "s3://lake/out", format: "parquet" }],
    [
      ["--to", "s3://lake/out", "--format", "jsonl", "-c", "a,db.b"],
      { destination: "s3://lake/out", format: "jsonl", collections: ["a", "db.b"] },
    ],
  ])("the machine export with %j", async (options, input) => {
    cli.executions.script = [exported];

    const { code, stderr } = await run(...options);

    expect(code).toBe(0);
    expect(stderr).toContain("Float16Vector");
    expect(cli.executions.started).toEqual([
      {
        stateMachineArn: stackOutputs.ExportStateMachineArn,
        name: expect.stringMatching(/^export-nightly-20261121T110307-[0-9a-f]{6}$/),
        input: { environment: "prod", backupName: "nightly", ...input },
      },
    ]);
  });

  test.each([
    [[], "--to"],
    [["--to", "lake/out"], "use s3://bucket/folder"],
    [["--to", "s3://lake"], "a whole bucket is none"],
    [["--to", "s3://bucket-b/backup/out"], "lies where the backups of environment prod are kept"],
    [["--to", "s3://lake/out", "--format", "csv"], "parquet, arrow, jsonl"],
    [["--to", "s3://lake/out", "-c", "a b"], "use coll (database default), db.coll or db.*"],
  ])("nothing with %j", async (options, advice) => {
    const { code, stderr } = await run(...options);

    expect(code).toBe(1);
    expect(stderr).toContain(advice);
    expect(cli.executions.started).toEqual([]);
  });
});

test("what came of it is told for people, and as a document", async () => {
  cli.executions.script = [exported];
  const { stdout } = await run("--to", "s3://lake/out");
  expect(stdout).toContain("Exported 2,997 rows of backup nightly as parquet.");
  expect(stdout).toContain("3 rows: deleted, or later than the backup's instant");
  expect(stdout).toContain("s3://lake/out/");

  cli.executions.script = [exported];
  const document = JSON.parse((await run("--json", "--to", "s3://lake/out")).stdout);
  expect(document).toMatchObject({
    kind: "export",
    version: 1,
    rows: 2_997,
    leftOut: 3,
    files: 4,
    collectionCount: 2,
    environment: "prod",
  });
});

test("a pipeline that was deployed before there were exports is named", async () => {
  const { ExportStateMachineArn: _, ...earlier } = stackOutputs;
  cli.outputs = earlier;

  const { stderr } = await run("--to", "s3://lake/out");

  expect(stderr).toContain("has no state machine export: deploy the current version");
});
