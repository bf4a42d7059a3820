import { beforeEach, describe, expect, test } from "vitest";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli } from "./support/fake-cli.ts";

let cli: FakeCli;

beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
});

const run = (...argv: string[]) => cli.run("--environment", "prod", ...argv);

describe("list", () => {
  test("a line a backup", async () => {
    seedBackup(cli.backups, "golden");
    seedBackup(cli.backups, "half", { without: ["full_meta"] });

    const { stdout } = await run("list");

    const [head, ...lines] = stdout.trimEnd().split("\n");
    expect(head?.split(/\s{2,}/)).toEqual(["NAME", "CREATED", "COLLECTIONS", "SIZE", "MILVUS", "STATE"]);
    expect(lines.map((line) => line.split(/\s{2,}/))).toEqual([
      ["golden", "2026-11-21 09:59:38 UTC", "4", "89.2 kB", "v2.3.5-lite", "complete"],
    ]);
  });

  test("--all shows incomplete ones too", async () => {
    seedBackup(cli.backups, "half", { without: ["full_meta"] });

    const { stdout } = await run("list", "--all");

    expect(stdout).toMatch(/^half .* incomplete$/m);
  });

  test.each([
    ["shop.auto_ids", ["golden"]],
    ["shop.*", ["golden"]],
    ["auto_ids", []],
  ])("-c %s shows the backups that hold it", async (selector, expected) => {
    seedBackup(cli.backups, "golden");

    const { stdout } = await run("--json", "list", "-c", selector);

    expect(JSON.parse(stdout).backups.map(({ name }: { name: string }) => name)).toEqual(expected);
  });

  test("an empty bucket is said to be empty", async () => {
    expect((await run("list")).stdout).toBe("There are no backups in bucket-b/backup.\n");
  });
});

describe("get", () => {
  test("shows collections with their partitions, indexes and aliases", async () => {
    seedBackup(cli.backups, "golden");

    const { stdout } = await run("get", "-n", "golden");

    expect(stdout).toContain("bucket-b/backup/golden/");
    expect(stdout).toMatch(/^default\.all_types +- +301 +7 .* vec HNSW +all_types_alias$/m);
    expect(stdout).toMatch(/^ {2}p1 +100 +2 /m);
  });

  test("--json gives IDs as text and loses no digit", async () => {
    seedBackup(cli.backups, "golden");

    const { stdout } = await run("--json", "get", "-n", "golden");

    const { collections, bytes } = JSON.parse(stdout);
    expect(collections[0].id).toBe("470615367219551002");
    expect(bytes).toBe(89153);
  });

  test("--detail prints the meta with its 64-bit numbers", async () => {
    seedBackup(cli.backups, "golden");

    const { stdout } = await run("get", "-n", "golden", "--detail");

    expect(stdout).toContain('"collection_id": 470615367219551002,');
    expect(stdout).toContain('"log_id": 470615367219351053');
  });

  test("a backup that is not there", async () => {
    const { code, stderr } = await run("get", "-n", "nope");

    expect(code).toBe(1);
    expect(stderr).toContain("Error (BackupNotFound)");
  });
});

describe("delete", () => {
  test("asks, and deletes on yes", async () => {
    seedBackup(cli.backups, "golden");
    cli.answer = "y";

    const { code, stdout } = await run("delete", "-n", "golden");

    expect(code).toBe(0);
    expect(stdout).toContain("6 objects");
    expect(cli.backups.keys()).toEqual([]);
  });

  test.each([
    ["no", "nothing was deleted"],
    ["", "nothing was deleted"],
    [undefined, "--yes"],
  ])("the answer %j deletes nothing", async (answer, said) => {
    seedBackup(cli.backups, "golden");
    cli.answer = answer;

    const { code, stderr } = await run("delete", "-n", "golden");

    expect(code).toBe(1);
    expect(stderr).toContain(said);
    expect(cli.backups.keys()).toHaveLength(6);
  });

  test("--yes does not ask", async () => {
    seedBackup(cli.backups, "golden");

    expect((await run("delete", "-n", "golden", "--yes")).code).toBe(0);
    expect(cli.backups.keys()).toEqual([]);
  });

  test("a backup without its commit record does not exist", async () => {
    seedBackup(cli.backups, "half", { without: ["full_meta"] });

    const refused = await run("delete", "-n", "half", "--yes");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("--incomplete");

    const { code } = await run("delete", "-n", "half", "--yes", "--incomplete");
    expect(code).toBe(0);
    expect(cli.backups.keys()).toEqual([]);
  });
});
