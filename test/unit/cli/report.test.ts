import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { workLayout } from "../../../src/core/execution/work-layout.ts";
import { backupLayout } from "../../../src/core/format/layout.ts";
import { verification } from "../../support/report-facts.ts";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli, stackOutputs } from "./support/fake-cli.ts";

let cli: FakeCli;
let folder: string;
let out: string;

beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
  folder = mkdtempSync(join(tmpdir(), "milvus-backup-report-"));
  out = join(folder, "report.html");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (...argv: string[]) => cli.run("--environment", "prod", "report", ...argv);

describe("a report of a root", () => {
  test("is written as a page, and the line says of what", async () => {
    seedBackup(cli.backups, "golden");
    cli.backups.seed(backupLayout("backup", "golden").verified, JSON.stringify(verification("2026-11-20T09:00:00Z")));

    const { code, stdout } = await run("--out", out);

    expect(code).toBe(0);
    expect(stdout).toMatch(/report\.html: 1 backup in bucket-b\/backup \(\d/);
    const page = readFileSync(out, "utf8");
    expect(page).toMatch(/golden[\s\S]*2026-11-20 \(content\)/);
  });

  test("counts problems as list does", async () => {
    seedBackup(cli.backups, "golden");
    const failed = JSON.stringify(verification("2026-11-20T09:00:00Z", "failed"));
    cli.backups.seed(backupLayout("backup", "golden").verified, failed);

    const report = JSON.parse((await run("--json")).stdout);
    const listed = JSON.parse((await cli.run("--environment", "prod", "--json", "list")).stdout);

    const { problemCount } = listed.backups[0].verified.last;
    expect(problemCount).toBe(3);
    expect(report.backups[0].verification.last).toMatchObject({ problemCount, problems: problemCount });
  });

  test("of an empty root says so, exit code 0", async () => {
    const { code, stdout } = await run("--out", out);

    expect(code).toBe(0);
    expect(stdout).toContain("there are no backups in bucket-b/backup");
    expect(readFileSync(out, "utf8")).toContain("There are no backups in bucket-b/backup.");
  });

  test("holds what the stack's outputs promise against it", async () => {
    const promise = { name: "nightly", environment: "prod", expression: "rate(1 day)", timeZone: "UTC", enabled: true };
    cli.outputs = { ...stackOutputs, Schedule1: JSON.stringify(promise) };

    const { stdout } = await run("--json");

    expect(JSON.parse(stdout)).toMatchObject({ kind: "root-report", schedules: [{ schedule: "nightly", late: true }] });
  });

  test("goes to stdout with --out -", async () => {
    seedBackup(cli.backups, "golden");

    const { stdout } = await run("--out", "-");

    expect(stdout).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
    expect(existsSync(out)).toBe(false);
  });
});

describe("the file", () => {
  test("replaces an earlier report, and nothing else without --force", async () => {
    expect(await run("--out", out)).toMatchObject({ code: 0 });
    expect(await run("--out", out)).toMatchObject({ code: 0 });
    writeFileSync(out, "my notes");

    const refused = await run("--out", out);

    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("is there and is no report") });
    expect(readFileSync(out, "utf8")).toBe("my notes");
    expect(await run("--out", out, "--force")).toMatchObject({ code: 0 });
    expect(readFileSync(out, "utf8")).toMatch(/^<!doctype html>/);
  });

  test.each([
    ["a folder", () => folder, "is a directory"],
    ["a folder that is not there", () => join(folder, "missing", "report.html"), "cannot be written (ENOENT)"],
  ])("cannot be %s", async (_, file, problem) => {
    const { code, stderr } = await run("--out", file());

    expect(code).toBe(1);
    expect(stderr).toContain(problem);
  });
});

describe("a report of a backup", () => {
  test("shows its collections", async () => {
    seedBackup(cli.backups, "golden");

    expect(await run("-n", "golden", "--out", out)).toMatchObject({ code: 0 });

    expect(readFileSync(out, "utf8")).toContain("Schema of shop.auto_ids");
  });

  test("that is not there is an error, and leaves no file", async () => {
    const { code, stderr } = await run("-n", "nothing", "--out", out);

    expect(code).toBe(1);
    expect(stderr).toContain("BackupNotFound");
    expect(existsSync(out)).toBe(false);
  });
});

describe("a report of an execution", () => {
  async function start(): Promise<string> {
    const stateMachineArn = stackOutputs.BackupStateMachineArn;
    const arn = await cli.executions.start({ stateMachineArn, name: "create-x", input: { environment: "prod" } });
    const at = (seconds: number) => new Date(Date.UTC(2026, 10, 21, 11, 3, 7 + seconds));
    cli.executions.script = [() => ({ status: "succeeded", stoppedAt: at(20), output: '{"warnings":["look here"]}' })];
    cli.executions.events = [
      { at: at(0), kind: "entered", state: "Copy Segments" },
      { at: at(10), kind: "exited", state: "Copy Segments" },
    ];
    cli.executions.items.set("CopySegments", [
      { arn: `${arn}/1`, state: "succeeded", startedAt: at(1), stoppedAt: at(9) },
    ]);
    // the first attempt copied two collections, of which the other was copied anew
    const segment = (collectionId: string, size: number) => ({
      ...{ collectionId, partitionId: "2", segmentId: collectionId, outcome: "copied", deltaLogs: [] },
      insertLogs: [{ from: "a", key: "a", size, etag: "e" }],
    });
    const layout = workLayout("backup", "create-x");
    const seed = (batch: string, bytes: number, ...segments: ReturnType<typeof segment>[]) => {
      const totals = { outcome: "copied", objects: segments.length, bytes, skippedObjects: 0 };
      cli.work.seed(layout.receipt(batch), JSON.stringify({ batch, ...totals, segments }));
    };
    seed("0-000000", 700, segment("1", 400), segment("2", 300));
    seed("1-000000", 600, segment("2", 600));
    const collections = [
      { id: "1", attempt: 0 },
      { id: "2", attempt: 1 },
    ];
    cli.work.seed(layout.plan, JSON.stringify({ attempt: 1, collections }));
    return arn;
  }

  test("has its steps, its throughput by the receipts of what is planned, and its warnings", async () => {
    const arn = await start();

    const { stdout, stderr } = await cli.run("--json", "report", "--execution", "create-x");

    expect(JSON.parse(stdout)).toMatchObject({
      ...{ kind: "execution-report", executionArn: arn, state: "succeeded", warnings: ["look here"] },
      steps: [{ step: "Copy Segments", milliseconds: 10_000 }],
      batches: { total: 1, succeeded: 1 },
      copies: { segments: 2, objects: 2, bytes: 1_000, bytesPerSecond: 100 },
    });
    expect(stderr).toContain("look here");
  });

  test("that nobody knows is an error", async () => {
    expect(await cli.run("report", "--execution", "nothing")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("ExecutionNotFound"),
    });
  });

  test("is not one of a backup as well", async () => {
    expect(await run("-n", "golden", "--execution", "create-x")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("cannot be used with"),
    });
  });
});
