import { parse } from "lossless-json";
import { beforeEach, describe, expect, test } from "vitest";
import { seedGolden } from "../../support/golden-backup.ts";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli } from "./support/fake-cli.ts";

let cli: FakeCli;

beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
  seedGolden(cli.backups, "golden");
});

const run = (...argv: string[]) => cli.run("--environment", "prod", ...argv);
const peek = (...argv: string[]) => run("peek", "-n", "golden", ...argv);

/** The document of a peek, numbers as their text. */
async function peeked(
  ...argv: string[]
): Promise<{ entities: { partition: string; values: Record<string, unknown> }[] }> {
  const { stdout, stderr, code } = await run("--json", "peek", "-n", "golden", ...argv);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return parse(stdout, undefined, { parseNumber: (text) => text }) as Awaited<ReturnType<typeof peeked>>;
}

describe("peek", () => {
  test("a table of the first ten rows, vectors and long values shortened", async () => {
    const { stdout, stderr } = await peek("-c", "all_types");

    const [title, , head, ...lines] = stdout.trimEnd().split("\n");
    expect(title).toBe("default.all_types");
    expect(head?.split(/\s{2,}/)).toEqual(
      ["id", "flag", "i8", "i16", "i32", "i64", "f", "d", "title", "meta", "tags", "nums", "vec"].concat([
        "extra_str",
        "extra_num",
        "PARTITION",
      ]),
    );
    expect(lines).toHaveLength(10);
    expect(lines[0]).toMatch(/ \[-?[\d.]+, -?[\d.]+, -?[\d.]+, \.\.\. 8\] /);
    expect(stderr).toContain("backup golden does not say at which instant it was taken");
    expect(stderr).toContain("The first 10 rows; --limit shows more.");
  });

  test("--json has 64-bit integers to the last digit, those in arrays too, and whole vectors", async () => {
    const { entities } = await peeked("-c", "all_types", "--filter", "id == 0");

    expect(entities).toEqual([
      {
        partition: "_default",
        values: expect.objectContaining({
          id: "0",
          i64: "9007199254740993",
          nums: ["0", "9007199254740995"],
          vec: expect.objectContaining({ 0: "0.1646151840686798", length: 8 }),
        }),
      },
    ]);
  });

  test("--picture shows vectors as half blocks, captioned by the other fields, as many beside each other as fit", async () => {
    const { stdout } = await peek("-c", "all_types", "--fields", "id,flag", "--picture", "vec=4x2", "--limit", "3");

    const [title, , picture, caption] = stdout.trimEnd().split("\n");
    expect(title).toBe("default.all_types");
    expect(picture).toMatch(/^[ ▀▄█]{4,18}$/);
    expect(caption).toMatch(/^id \d {3}id \d {3}id \d$/);
    const whole = await peek("-c", "all_types", "--fields", "id", "--picture", "vec=8x1", "--limit", "1");
    expect(whole.stdout.split("\n")[2]).toMatch(/^[ ▀]{1,8}$/);
  });

  test.each([
    ["id", "--picture: id is no dense vector of default.all_types; there is: vec"],
    ["vec", "--picture: vec has 8 dimensions, as many as width times height must be: vec=WIDTHxHEIGHT"],
    ["vec=3x3", "--picture: vec has 8 dimensions, as many as width times height must be: vec=WIDTHxHEIGHT"],
    ["vec=0x0", "--picture: vec has 8 dimensions"],
    ["vec=big", "--picture: vec=big is no dense vector"],
  ])("--picture %s is refused with what it takes", async (picture, message) => {
    const { code, stderr } = await peek("-c", "all_types", "--picture", picture);

    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });

  test.each([
    ["i64 == 9007199254740993", ["0"]],
    ["i64 in [9007199254740993, 9007199254740994]", ["0", "1"]],
    ["9007199254740993 < i64 <= 9007199254740995", ["1", "2"]],
    ["title like 'title 1 %'", ["1"]],
    ["extra_num < 2 and not flag", ["1"]],
    ['meta["k"] == 2 and id < 5 or extra_str == "dyn0"', ["0", "2"]],
    ["f == 0.3333333432674408 or tags[0] == 't0' and id < 5", ["0", "1"]],
  ])("--filter %s", async (filter, ids) => {
    const { entities } = await peeked("-c", "all_types", "--filter", filter, "--limit", "100");

    expect(entities.map(({ values }) => values.id)).toEqual(ids);
  });

  test("a deleted row is not found, and one that was replaced is found once, as it is now", async () => {
    const { stdout } = await peek("-c", "all_types", "--filter", "id == 1007");
    const { entities } = await peeked("-c", "all_types", "--filter", "id == 10");

    expect(stdout).toBe("No row of default.all_types matches the filter.\n");
    expect(entities.map(({ values }) => values.title)).toEqual(["upserted"]);
  });

  test("-p and --fields: only rows of the partition, only these fields", async () => {
    const { entities } = await peeked("-c", "all_types", "-p", "p1", "--fields", "id,title", "--limit", "3");

    expect(entities).toHaveLength(3);
    for (const { partition, values } of entities) {
      expect(partition).toBe("p1");
      expect(Object.keys(values)).toEqual(["id", "title"]);
    }
  });

  test("a filter fetches only the logs of its field, of the deletes and the timestamps, until a row matches", async () => {
    await peek("-c", "all_types", "--filter", "id == -1");

    const fields = cli.backups.calls
      .flatMap((call) => /^getBytes .*\/insert_log\/\d+\/\d+\/\d+\/\d+\/(\d+)\/\d+$/.exec(call)?.[1] ?? [])
      .filter((field, index, all) => all.indexOf(field) === index)
      .sort();
    expect(fields).toEqual(["1", "100"]);
  });

  test("a limit ends the reading: no log of a second segment is fetched", async () => {
    await peek("-c", "all_types", "--limit", "1");

    const segments = cli.backups.calls.flatMap((call) => /insert_log\/\d+\/\d+\/\d+\/(\d+)\//.exec(call)?.[1] ?? []);
    expect(new Set(segments).size).toBe(1);
  });

  test.each([
    [["-c", "nothing"], "CollectionNotFound", /no collection default\.nothing in backup golden .*default\.all_types/],
    [["-c", "all_types", "--filter", "nope == 1 and"], "InvalidInput", /character 14: it ends where a field/],
    [
      ["-c", "by_tenant", "--filter", "nope == 1"],
      "InvalidInput",
      /there is no field nope; there is: key, tenant, bits/,
    ],
    [["-c", "all_types", "--filter", "vec == 1"], "InvalidInput", /vec is FloatVector, no scalar field/],
    [["-c", "all_types", "--filter", "id == 'x'"], "InvalidInput", /character 7: id is Int64, and "x" is a text/],
    [["-c", "all_types", "--filter", "id = 1"], "InvalidInput", /character 4: = is no operator: use ==/],
    [["-c", "all_types", "-p", "p9"], "InvalidInput", /no partition p9 in backup golden; there is: _default/],
    [["-c", "all_types", "--fields", "nope"], "Usage", /no field nope/],
    [["-c", "all_types", "--limit", "none"], "Usage", /--limit: "none" is no number of rows/],
  ])("%j is refused with what would do", async (argv, name, message) => {
    const { code, stdout, stderr } = await peek(...argv);

    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`Error (${name}):`);
    expect(stderr).toMatch(message);
  });

  test("a backup that is not there", async () => {
    const { stderr } = await run("peek", "-n", "none", "-c", "all_types");

    expect(stderr).toContain("Error (BackupNotFound): there is no backup none in bucket-b");
  });

  test("a log that is missing is named", async () => {
    seedBackup(cli.backups, "metas-only");

    const { code, stderr } = await run("peek", "-n", "metas-only", "-c", "all_types");

    expect(code).toBe(1);
    expect(stderr).toMatch(/CorruptBackup\): backup\/metas-only\/binlogs\/\S+ is missing in bucket-b/);
  });
});

describe("diff", () => {
  test("a backup and itself: nothing happened", async () => {
    const { stdout } = await run("diff", "-n", "golden", "-n", "golden", "-c", "all_types");

    expect(
      stdout
        .trimEnd()
        .split("\n")
        .slice(2)
        .map((line) => line.split(/\s{2,}/)),
    ).toEqual([
      ["PARTITION", "ADDED", "CHANGED", "REMOVED", "SAME"],
      ["all", "0", "0", "0", "296"],
      ["_default", "0", "0", "0", expect.any(String)],
      ["p1", "0", "0", "0", expect.any(String)],
      ["p2", "0", "0", "0", expect.any(String)],
    ]);
  });

  test.each([
    [["-n", "golden"], /diff compares two backups, not 1/],
    [["-n", "golden", "-n", "golden", "-n", "golden"], /diff compares two backups, not 3/],
  ])("%j is refused", async (argv, message) => {
    const { code, stderr } = await run("diff", "-c", "all_types", ...argv);

    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});
