import { beforeEach, describe, expect, test } from "vitest";
import { promiseOutputs } from "../../../src/core/deployment/schedule-promise.ts";
import { parsePipelineYaml } from "../../../src/core/deployment/yaml.ts";
import { backupLayout } from "../../../src/core/format/layout.ts";
import { manifestFileOf, printManifestIndex } from "../../../src/core/format/manifest.ts";
import { hybridTimestamp } from "../../../src/core/milvus/instant.ts";
import { goldenFiles } from "../../support/golden-backup.ts";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli, stackOutputs } from "./support/fake-cli.ts";

// It is 2026-11-21 11:03:07 UTC.
let cli: FakeCli;

beforeEach(() => {
  cli = new FakeCli();
  deploy(`
  - { name: nightly, environment: prod, expression: "cron(0 3 * * ? *)" }
  - { name: hourly, environment: prod, expression: rate(1 hour), alarmAfter: 3h }`);
});

function deploy(schedules: string): void {
  const { schedules: parsed } = parsePipelineYaml(
    `environments: { prod: , dr: }\nalarms: {}\nschedules:${schedules}\n`,
    "pipeline.yaml",
  );
  cli.outputs = { ...stackOutputs, ...Object.fromEntries(promiseOutputs(parsed).map(({ id, value }) => [id, value])) };
  cli.environments.set("prod", environmentNamed("prod"));
}

/** A backup of a schedule, complete or not; `created` of its manifest, and T of its collections. */
function seed(
  name: string,
  created: string,
  more: { schedule?: string; instants?: string[]; stateMachine?: string; backupName?: string } = {},
): void {
  const {
    schedule = "nightly",
    instants = [],
    stateMachine = stackOutputs.BackupStateMachineArn,
    backupName = name,
  } = more;
  seedBackup(cli.backups, name);
  const manifest = printManifestIndex({
    backupName,
    backupId: "id",
    created,
    pipelineVersion: "0.1.0",
    schedule: { name: schedule, environment: "prod", stateMachine },
    instants: instants.map((time, index) => ({
      collectionId: String(index + 1),
      collection: `default.c${index}`,
      timestamp: hybridTimestamp(BigInt(Date.parse(time))),
      time,
      laterRows: [],
    })),
    metas: [manifestFileOf("meta/full_meta.json", goldenFiles.full_meta)],
    parts: [],
  });
  cli.backups.seed(backupLayout("backup", name).manifest, manifest);
}
const last = (...args: string[]) => cli.run("status", "--last", ...args);

describe("status --last", () => {
  test("is content with a backup of each schedule that is as new as it promises", async () => {
    seed("nightly_20", "2026-11-20T03:00:00.000Z");
    seed("nightly_21", "2026-11-21T03:00:09.000Z", {
      instants: ["2026-11-21T03:00:05.000Z", "2026-11-21T03:00:01.000Z"],
    });
    seed("hourly_10", "2026-11-21T10:30:00.000Z", { schedule: "hourly" });

    expect(await last()).toEqual({
      code: 0,
      stdout: "OK - nightly (prod): nightly_21 is 8 h 03 min old\nOK - hourly (prod): hourly_10 is 33 min 07 s old\n",
      stderr: "",
    });
  });

  test("tells with exit code 1, the worst first, what is too old and since when one is expected", async () => {
    seed("nightly_21", "2026-11-21T03:00:09.000Z");
    seed("hourly_07", "2026-11-21T07:30:00.000Z", { schedule: "hourly" });

    expect(await last()).toEqual({
      code: 1,
      stdout:
        "CRITICAL - hourly (prod): hourly_07 is 3 h 33 min old, expected is one since 2026-11-21 08:03:07 UTC\nOK - nightly (prod): nightly_21 is 8 h 02 min old\n",
      stderr: "",
    });
    const { code, stdout } = await last("--json", "--schedule", "hourly");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "schedules",
      stack: "MilvusBackup",
      ok: false,
      schedules: [
        {
          schedule: "hourly",
          environment: "prod",
          state: "late",
          backupName: "hourly_07",
          asOf: "2026-11-21T07:30:00.000Z",
          ageSeconds: 12_787,
          expectedSince: "2026-11-21T08:03:07.000Z",
          warnings: [],
        },
      ],
    });
  });

  test("counts by T, not by when the manifest was written: a backup that took a day is as old as its rows", async () => {
    seed("nightly_21", "2026-11-21T04:00:00.000Z", { instants: ["2026-11-20T03:00:00.000Z"] });

    expect((await last("--schedule", "nightly")).stdout).toMatch(
      /^CRITICAL - nightly \(prod\): nightly_21 is 32 h 03 min old/,
    );
  });

  test("--max-age stands in for what the schedule promises", async () => {
    seed("nightly_20", "2026-11-20T03:00:00.000Z");

    expect(await last("--schedule", "nightly", "--max-age", "33h")).toMatchObject({ code: 0 });
    expect(await last("--schedule", "nightly", "--max-age", "32h")).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^CRITICAL .* expected is one since 2026-11-20 03:03:07 UTC\n$/),
    });
  });

  test("counts only whole backups that this schedule of this deployment made, under their own names", async () => {
    seed("nightly_19", "2026-11-19T03:00:00.000Z");
    seed("foreign_21", "2026-11-21T03:00:00.000Z", {
      stateMachine: "arn:aws:states:eu-west-1:111122223333:stateMachine:Other-backup",
    });
    seed("copied_21", "2026-11-21T03:00:00.000Z", { backupName: "nightly_21" });
    seed("unfinished_21", "2026-11-21T03:00:00.000Z");
    await cli.backups.deleteKeys([backupLayout("backup", "unfinished_21").meta.full_meta]);
    seed("altered_21", "2026-11-21T03:01:00.000Z");
    cli.backups.seed(backupLayout("backup", "altered_21").meta.full_meta, `${goldenFiles.full_meta} `);

    const { code, stdout } = await last("--schedule", "nightly");

    expect(code).toBe(1);
    expect(stdout).toBe(
      "CRITICAL - nightly (prod): nightly_19 is 56 h 03 min old, expected is one since 2026-11-21 02:55:00 UTC, backup altered_21 is not whole: its commit record is not the one that its manifest lists\n",
    );
  });

  test("takes the one before, and says so, where objects of the newest are missing", async () => {
    seed("nightly_21", "2026-11-21T03:00:00.000Z");
    seed("nightly_22", "2026-11-21T03:01:00.000Z");
    const { manifest, root } = backupLayout("backup", "nightly_22");
    const text = cli.backups.read(manifest) ?? "";
    const damaged = JSON.parse(text);
    damaged.metas.push({ ...damaged.metas[0], key: "meta/segment_meta.json", size: 1 });
    cli.backups.seed(manifest, JSON.stringify(damaged));
    expect(cli.backups.keys(root)).not.toEqual([]);

    expect(await last("--schedule", "nightly")).toEqual({
      code: 0,
      stdout:
        "OK - nightly (prod): nightly_21 is 8 h 03 min old, backup nightly_22 is not whole: meta/segment_meta.json missing or of another size\n",
      stderr: "",
    });
  });

  test("says UNKNOWN with exit code 1 for what nobody could look at, and looks at the others all the same", async () => {
    deploy(`
  - { name: nightly, environment: prod, expression: "cron(0 3 * * ? *)" }
  - { name: far, environment: dr, expression: rate(1 day) }`);
    seed("nightly_21", "2026-11-21T03:00:00.000Z");

    expect(await last()).toEqual({
      code: 1,
      stdout:
        "UNKNOWN - far (dr): UnknownEnvironment: environment dr is not registered\nOK - nightly (prod): nightly_21 is 8 h 03 min old\n",
      stderr: "",
    });
  });

  test("promises nothing for a schedule that is off, unless it is asked how old its backups may be", async () => {
    deploy(`
  - { name: nightly, environment: prod, expression: "cron(0 3 * * ? *)", enabled: false }`);

    expect(await last()).toMatchObject({
      code: 0,
      stdout: "OK - nightly (prod): no good backup, nothing is promised: it is disabled, or has not been due yet\n",
    });
    expect(await last("--max-age", "1d")).toMatchObject({ code: 1, stdout: expect.stringContaining("CRITICAL") });
  });

  test.each([
    [["--last", "--schedule", "weekly"], 'has no schedule "weekly"; it has: nightly, hourly'],
    [["--last", "--max-age", "soon"], '--max-age: "soon" is no time; use a number and m, h or d, such as 26h'],
    [["--last", "create-one"], "name an execution, or use --last"],
    [[], "name an execution, or use --last"],
    [["create-one", "--max-age", "2d"], "--schedule and --max-age go with --last"],
  ])("status %j is refused with what to do", async (args, problem) => {
    expect(await cli.run("status", ...args)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining(problem),
    });
  });

  test("is never content where there is nothing to look at", async () => {
    cli.outputs = { ...stackOutputs };

    expect(await last()).toMatchObject({ code: 1, stderr: expect.stringContaining("has no schedules to look after") });
  });
});
