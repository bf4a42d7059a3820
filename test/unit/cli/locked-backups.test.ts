import { beforeEach, describe, expect, test } from "vitest";
import { backupLayout } from "../../../src/core/format/layout.ts";
import { MemoryObjectStore } from "../../support/memory-object-store.ts";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli } from "./support/fake-cli.ts";

let cli: FakeCli;

beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
});

const run = (...argv: string[]) => cli.run("--environment", "prod", ...argv);
const lock = { mode: "governance", until: "2026-12-21T11:03:07.000Z" } as const;

/** A bucket with Object Lock, and a locked backup in it. */
async function seedLocked(): Promise<void> {
  cli.backups = new MemoryObjectStore("bucket-b", { objectLock: true });
  seedBackup(cli.backups, "golden");
  await cli.backups.extendLock(backupLayout("backup", "golden").meta.full_meta, lock);
}

describe("create and copy", () => {
  test.each([
    [["--lock", "30d"], { for: "30d", mode: "governance" }],
    [["--lock", "12h", "--lock-mode", "compliance"], { for: "12h", mode: "compliance" }],
    [[], undefined],
  ])("%j asks for the lock %j, and tells until when it is", async (options, expected) => {
    const result = { collections: 1, segments: 1, objects: 1, bytes: 1, warnings: [], ...(expected && { lock }) };
    const output = JSON.stringify({ outcome: "backed-up", backupName: "b", ...result });
    cli.executions.script = [() => ({ status: "succeeded", stoppedAt: new Date("2026-11-21T11:03:09Z"), output })];

    const { code, stdout } = await run("create", "-n", "b", ...options);

    expect(code).toBe(0);
    expect(cli.executions.started[0]?.input.lock).toEqual(expected);
    if (expected) expect(stdout).toMatch(/locked +until 2026-12-21 11:04 UTC \(governance\)/);
    else expect(stdout).not.toContain("locked");
  });

  test.each([
    [["create", "-n", "b", "--lock", "soon"], /--lock: "soon" is no time .* --lock 30d/],
    [["create", "-n", "b", "--lock", "0d"], /--lock: "0d" is no time/],
    [["create", "-n", "b", "--lock-mode", "governance"], /--lock-mode needs --lock/],
    [["create", "-n", "b", "--lock", "1d", "--lock-mode", "ever"], /governance, compliance/],
    [["copy", "-n", "b", "--to-environment", "dr", "--lock", "1"], /--lock: "1" is no time/],
  ])("%j is refused with what is accepted, and starts nothing", async (argv, message) => {
    const { code, stderr } = await run(...argv);

    expect(code).not.toBe(0);
    expect(stderr).toMatch(message);
    expect(cli.executions.started).toEqual([]);
  });
});

test("list and get show until when", async () => {
  await seedLocked();

  expect((await run("list")).stdout).toMatch(/golden .* complete, locked until 2026-12-21 11:04 UTC \(governance\)/);
  expect(JSON.parse((await run("--json", "list")).stdout).backups).toMatchObject([{ backupName: "golden", lock }]);
  expect((await run("get", "-n", "golden")).stdout).toMatch(/locked +until 2026-12-21 11:04 UTC \(governance\)/);
  expect(JSON.parse((await run("--json", "get", "-n", "golden")).stdout)).toMatchObject({ lock });
});

test("delete refuses before it asks, with exit code 1", async () => {
  await seedLocked();
  const before = cli.backups.keys();

  const { code, stderr } = await run("delete", "-n", "golden");

  expect(code).toBe(1);
  expect(stderr).toMatch(/Error \(BackupLocked\).*locked until 2026-12-21 11:04 UTC \(governance\)/s);
  expect(cli.backups.keys()).toEqual(before);
});

describe("check", () => {
  const line = async () => (await run("check")).stdout.split("\n").find((text) => text.includes("backup bucket"));

  test("says whether the bucket can lock", async () => {
    expect(await line()).toMatch(/✓ backup bucket .*, no Object Lock$/);
    cli.backups = new MemoryObjectStore("bucket-b", { objectLock: true });
    expect(await line()).toMatch(/✓ backup bucket .*, Object Lock on$/);
  });

  test("an environment that locks in a bucket that cannot is wrong", async () => {
    const prod = environmentNamed("prod");
    const objectLock = { for: "30d", mode: "compliance" } as const;
    cli.environments.set("prod", { ...prod, backupStorage: { ...prod.backupStorage, objectLock } });

    expect(await line()).toMatch(/✗ backup bucket .*minio.backupObjectLock is 30d, and .* has no Object Lock/);
    cli.backups = new MemoryObjectStore("bucket-b", { objectLock: true });
    expect(await line()).toMatch(/Object Lock on, backups are locked for 30d \(compliance\)$/);
  });
});
