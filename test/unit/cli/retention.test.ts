import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { backupLayout } from "../../../src/core/format/layout.ts";
import { manifestFileOf, printManifestIndex } from "../../../src/core/format/manifest.ts";
import { goldenFiles } from "../../support/golden-backup.ts";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli, stackOutputs } from "./support/fake-cli.ts";

let cli: FakeCli;
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "milvus-backup-retention-"));
  file = join(folder, "pipeline.yaml");
  writeFileSync(
    file,
    `environments: { prod: }
schedules:
  - { name: nightly, environment: prod, expression: rate(1 day), keep: { last: 1 } }
  - { name: weekly, environment: prod, expression: rate(7 days) }
`,
  );
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
  for (const day of [18, 19, 20]) seed(`nightly_${day}`, day);
  seedBackup(cli.backups, "by_hand");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function seed(name: string, day: number): void {
  seedBackup(cli.backups, name);
  const manifest = printManifestIndex({
    backupName: name,
    backupId: "id",
    created: `2026-11-${day}T03:00:00.000Z`,
    pipelineVersion: "0.1.0",
    schedule: { name: "nightly", environment: "prod", stateMachine: stackOutputs.BackupStateMachineArn },
    instants: [],
    metas: [manifestFileOf("meta/full_meta.json", goldenFiles.full_meta)],
    parts: [],
  });
  cli.backups.seed(backupLayout("backup", name).manifest, manifest);
}
const retention = (...args: string[]) => cli.run("retention", ...args, "--pipeline", file);
const backups = () => [...new Set(cli.backups.keys("backup/").map((key) => key.split("/")[1]))];

describe("retention", () => {
  test("--dry-run shows what is kept and why, and what would go", async () => {
    const { code, stdout } = await retention("nightly", "--dry-run");

    expect(code).toBe(0);
    expect(stdout).toMatch(/nightly_20 .*last good, last/);
    expect(stdout).toMatch(/nightly_19 .*goes/);
    expect(stdout).toContain("2 backups would go by last 1; nothing was deleted.");
    expect(stdout).not.toContain("by_hand");
    expect(backups()).toEqual(["by_hand", "nightly_18", "nightly_19", "nightly_20"]);
  });

  test("deletes after a yes, and only then", async () => {
    cli.answer = "n";
    const refused = await retention("nightly");
    expect(refused.stderr).toContain("nothing was deleted");
    expect(backups()).toContain("nightly_18");

    cli.answer = "y";
    expect(await retention("nightly")).toMatchObject({ code: 0, stdout: expect.stringContaining("Deleted 2 backups") });
    expect(backups()).toEqual(["by_hand", "nightly_20"]);
  });

  test("--json prints one document", async () => {
    const { stdout } = await retention("nightly", "--yes", "--json");

    expect(JSON.parse(stdout)).toMatchObject({
      schedule: "nightly",
      rules: { last: 1 },
      kept: [{ backupName: "nightly_20", reasons: ["last good", "last"] }],
      expired: [{ backupName: "nightly_18" }, { backupName: "nightly_19" }],
      deleted: true,
    });
  });

  test.each([
    ["hourly", /has no schedule "hourly"; it has: nightly, weekly/],
    ["weekly", /schedule weekly has no rules \(keep\)/],
  ])("of %s is refused", async (name, message) => {
    expect(await retention(name, "--dry-run")).toMatchObject({ code: 1, stderr: expect.stringMatching(message) });
  });

  test("without the file says how to name it", async () => {
    const { code, stderr } = await cli.run("retention", "nightly", "--pipeline", join(folder, "none.yaml"));

    expect(code).toBe(1);
    expect(stderr).toContain("name the deploy-time file with --pipeline FILE");
  });
});
