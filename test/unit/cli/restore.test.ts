import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { environmentNamed, FakeCli, stackOutputs, yamlText } from "./support/fake-cli.ts";

let directory: string;
let config: string;
let cli: FakeCli;

const succeeded = {
  status: "succeeded",
  stoppedAt: new Date("2026-11-21T11:03:15Z"),
  output: JSON.stringify({
    outcome: "restored",
    backupName: "my_backup",
    collections: [
      { from: "default.coll", to: "default.coll_bak", id: "470615367219551002", rows: "40000", loaded: true },
    ],
    waitSeconds: 0,
    warnings: ["alias a is taken by another collection"],
  }),
} as const;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "milvus-backup-cli-"));
  config = join(directory, "milvus-b.yaml");
  writeFileSync(config, yamlText);
  cli = new FakeCli();
  cli.executions.script = [() => succeeded];
});
afterEach(() => rmSync(directory, { recursive: true }));

test("the command line of the seeds starts the restore and shows where the data lies", async () => {
  const { code, stdout, stderr } = await cli.run(
    "--config",
    config,
    "restore",
    "-c",
    "coll",
    "-n",
    "my_backup",
    "-s",
    "_bak",
  );

  expect(code).toBe(0);
  expect(cli.executions.started).toEqual([
    {
      stateMachineArn: stackOutputs.RestoreStateMachineArn,
      name: expect.stringMatching(/^restore-my_backup-/),
      input: { environment: "milvus-b", backupName: "my_backup", collections: ["coll"], suffix: "_bak" },
    },
  ]);
  expect(stdout).toContain("default.coll_bak");
  expect(stdout).toContain("40,000");
  expect(stdout).toContain("bucket-a/files/insert_log/470615367219551002/");
  expect(stderr).toContain("alias a is taken");
});

test("the table and --json tell what became of the rows of the backup", async () => {
  const counts = { inBackup: "41500", leftOut: "1500", imported: "40000" };
  const output = JSON.parse(succeeded.output);
  cli.executions.script = [
    () => ({
      ...succeeded,
      output: JSON.stringify({ ...output, collections: [{ ...output.collections[0], ...counts }] }),
    }),
  ];
  const command = ["restore", "-n", "my_backup"];

  const { stdout } = await cli.run("--config", config, ...command);
  const { stdout: json } = await cli.run("--config", config, "--json", ...command);

  expect(stdout).toMatch(/IN BACKUP +LEFT OUT +IMPORTED +ROWS/);
  expect(stdout).toMatch(/41,500 +1,500 +40,000 +40,000/);
  expect(JSON.parse(json).collections).toMatchObject([{ inBackup: 41_500, leftOut: 1_500, imported: 40_000 }]);
});

test("of a pipeline of an earlier version, which does not tell, the table says so", async () => {
  const { stdout } = await cli.run("--config", config, "restore", "-n", "my_backup");

  expect(stdout).toMatch(/\? +\? +\? +40,000/);
});

test("--json keeps 64-bit IDs as text, counts as numbers", async () => {
  const { stdout } = await cli.run("--config", config, "--json", "restore", "-n", "my_backup");

  expect(JSON.parse(stdout).collections).toEqual([
    {
      from: "default.coll",
      to: "default.coll_bak",
      id: "470615367219551002",
      rows: 40_000,
      loaded: true,
      location: "bucket-a/files/insert_log/470615367219551002/",
    },
  ]);
});

test.each([
  [["--drop_exist_collection"], { dropExisting: true }],
  [["--drop-existing"], { dropExisting: true }],
  [["--drop-existing", "--keep-replaced"], { dropExisting: true, keepReplaced: true }],
  [["--skip_create_collection"], { skipCreate: true }],
  [["--meta_only"], { metadataOnly: true }],
  [["--no-index"], { indexes: false }],
  [["--no_load"], { load: false }],
  [["--rebuild_index"], {}],
  [["--restore_index=true"], {}],
  [["--verify", "content"], { verify: "content" }],
  [["--verify=none"], { verify: "none" }],
  [["--discard"], { discard: true }],
  [["--drop_exist_index"], {}],
  [["--skip_create_collection", "--rebuild_index"], { skipCreate: true, existingIndexes: "add" }],
  [["--skip_create_collection", "--drop_exist_index"], { skipCreate: true, existingIndexes: "replace" }],
  [
    ["--skip-create", "--drop-exist-index", "--rebuild-index", "--use-auto-index"],
    { skipCreate: true, existingIndexes: "replace", autoIndex: true },
  ],
  [
    ["--skip-create", "--rebuild-index", "--meta_only"],
    { skipCreate: true, existingIndexes: "add", metadataOnly: true },
  ],
  [["--filter", "coll_bak,shop.*", "-s", "_bak"], { targets: ["coll_bak", "shop.*"], suffix: "_bak" }],
  [["--description", "of the drill"], { description: "of the drill" }],
  [["--rename", "coll:shop.coll2,a.b:c"], { renames: { coll: "shop.coll2", "a.b": "c" } }],
  [["--rename", "coll:a,coll:shop.b,x:y"], { renames: { coll: ["a", "shop.b"], x: "y" } }],
  [["-r", "shop.*:shop2.*,db.:db2."], { renames: { "shop.*": "shop2.*", "db.": "db2." } }],
  [["--shards", "2"], { shards: 2 }],
  [["--max-shards=4"], { maxShards: 4 }],
  [["--use_auto_index"], { autoIndex: true }],
  [
    ["--skip_properties", "collection.ttl.seconds,mmap.enabled"],
    { skipProperties: ["collection.ttl.seconds", "mmap.enabled"] },
  ],
  [["--skip-field-params", "mmap.enabled"], { skipFieldParams: ["mmap.enabled"] }],
  [["--skip-index-params", "mmap.enabled"], { skipIndexParams: ["mmap.enabled"] }],
])("%j", async (options, expected) => {
  const { code } = await cli.run("--config", config, "restore", "-n", "my_backup", ...options);

  expect(code).toBe(0);
  expect(cli.executions.started[0]?.input).toEqual({ environment: "milvus-b", backupName: "my_backup", ...expected });
});

describe("--plan", () => {
  const run = (text: string) => {
    const plan = join(directory, "plan.yaml");
    writeFileSync(plan, text);
    return cli.run("--config", config, "restore", "-n", "my_backup", "--plan", plan);
  };

  test("names many collections, each with what it is made with", async () => {
    const { code } = await run(
      "mapping:\n  - source: default\n    target: db2\n    colls:\n" +
        "      - { source: coll, target: a, override: { shardNum: 2, description: one } }\n" +
        "      - { source: coll, target: b }\nfilter: { db2: { colls: ['*'] } }\n",
    );

    expect(code).toBe(0);
    expect(cli.executions.started[0]?.input).toEqual({
      ...{ environment: "milvus-b", backupName: "my_backup" },
      renames: { "default.coll": ["db2.a", "db2.b"] },
      targets: ["db2.*"],
      overrides: { "db2.a": { shards: 2, description: "one" } },
    });
  });

  test.each([
    ["mapping: [", "Usage", "cannot be read"],
    ["mappings: []", "InvalidInput", 'restore plan: unknown key "mappings"; accepted: mapping, filter'],
    ["mapping: [{ source: a, target: b-c }]", "InvalidInput", '"b-c" is not valid in Milvus'],
  ])("%s starts nothing", async (text, error, part) => {
    const { code, stderr } = await run(text);

    expect(code).toBe(1);
    expect(stderr).toContain(`Error (${error}):`);
    expect(stderr).toContain(part);
    expect(cli.executions.started).toEqual([]);
  });
});

test("--from registers the other file and names it", async () => {
  const from = join(directory, "milvus-a.yaml");
  writeFileSync(from, yamlText.replace("backupRootPath: backup", "backupRootPath: elsewhere"));

  await cli.run("--config", config, "restore", "-n", "my_backup", "--from", from);

  expect(cli.executions.started[0]?.input.from).toBe("milvus-a");
  expect(cli.environments.get("milvus-a")?.backupStorage.rootPath).toBe("elsewhere");
});

test("--from never replaces what is registered under its file's name, unless it is told to", async () => {
  const from = join(directory, "milvus-a.yaml");
  writeFileSync(from, yamlText.replace("backupRootPath: backup", "backupRootPath: elsewhere"));
  cli.environments.set("milvus-a", environmentNamed("milvus-a"));
  const restore = ["--config", config, "restore", "-n", "my_backup", "--from", from];

  const refused = await cli.run(...restore);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("minio.backupRootPath (registered backup, in the file elsewhere)");
  expect(refused.stderr).toContain("--from-environment NAME");
  expect(cli.executions.started).toEqual([]);

  const replaced = await cli.run(...restore, "--replace");
  expect(replaced.code).toBe(0);
  expect(cli.environments.get("milvus-a")?.backupStorage.rootPath).toBe("elsewhere");
});

test("--from-environment must be registered", async () => {
  cli.environments.set("prod", environmentNamed("prod"));

  const known = await cli.run("--config", config, "restore", "-n", "my_backup", "--from-environment", "prod");
  const unknown = await cli.run("--config", config, "restore", "-n", "my_backup", "--from-environment", "nowhere");

  expect(known.code).toBe(0);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain("nowhere");
  expect(cli.executions.started.map(({ input }) => input.from)).toEqual(["prod"]);
});

test.each([
  ["Import Segments", {}, ""],
  // a leg of a long import, while Milvus is away
  ["Go On Importing", { awaySince: "2026-11-21T11:03:07.000Z" }, "waiting for Milvus since 2026-11-21T11:03:07.000Z"],
])("import progress is shown in percent: %s", async (state, away, told) => {
  cli.executions.state = state;
  cli.executions.script = [
    (execution) => {
      const root = `executions/restore/${execution.name}`;
      const totals = { collections: 1, segments: 80, bytes: 21_000_000, rows: "40000", imports: 4 };
      cli.work.seed(`${root}/plan.json`, JSON.stringify({ totals }));
      cli.work.seed(
        `${root}/progress.json`,
        JSON.stringify({ phase: "importing", completed: 1, imports: 4, progress: 37, ...away }),
      );
      return {};
    },
    () => succeeded,
  ];

  const { stderr } = await cli.run("--config", config, "restore", "-n", "my_backup");

  expect(stderr).toContain("importing  1/4 imports  37 %");
  expect(stderr).toContain(told);
});

test.each([
  ["a missing name", [], "Usage", "--name"],
  ["a rename that is none", ["-n", "b", "-r", "coll"], "Usage", "from:to"],
  ["a name renamed to one name twice", ["-n", "b", "-r", "a:b,a:b"], "Usage", "a:b is there twice"],
  ["a database renamed to a collection", ["-n", "b", "-r", "a.*:b"], "InvalidInput", "db.*"],
  ["no number of shards", ["-n", "b", "--shards", "many"], "Usage", '--shards: "many"'],
  ["no shards", ["-n", "b", "--shards", "0"], "Usage", '--shards: "0"'],
  [
    "shards of collections that are there",
    ["-n", "b", "--shards", "1", "--skip-create"],
    "InvalidInput",
    "shards excludes skipCreate",
  ],
  ["two numbers of shards", ["-n", "b", "--shards", "1", "--max-shards", "2"], "Usage", "--max-shards"],
  [
    "no index and AUTOINDEX",
    ["-n", "b", "--use-auto-index", "--no-index"],
    "InvalidInput",
    "autoIndex excludes indexes: false",
  ],
  ["indexes dropped for none", ["-n", "b", "--drop_exist_index", "--skip-create", "--no-index"], "Usage", "--no-index"],
  [
    "AUTOINDEX where no index is made",
    ["-n", "b", "--use_auto_index", "--skip-create"],
    "InvalidInput",
    "autoIndex excludes skipCreate without existingIndexes add or replace (--rebuild-index, --drop-exist-index)",
  ],
  [
    "nothing to restore",
    ["-n", "b", "--meta_only", "--skip-create"],
    "InvalidInput",
    "metadataOnly excludes skipCreate without existingIndexes",
  ],
  [
    "a description of what is there",
    ["-n", "b", "--description", "x", "--skip-create"],
    "InvalidInput",
    "description excludes skipCreate",
  ],
  ["a filter that is none", ["-n", "b", "--filter", "a.b.c"], "InvalidInput", 'targets: "a.b.c" is not valid'],
  ["a plan that is not there", ["-n", "b", "--plan", "nowhere.yaml"], "Usage", "--plan nowhere.yaml cannot be read"],
  ["a plan and a suffix", ["-n", "b", "--plan", "nowhere.yaml", "-s", "_x"], "Usage", "--suffix"],
  ["an empty property", ["-n", "b", "--skip-properties", "a,,b"], "Usage", "--skip-properties"],
  ["a target name Milvus does not take", ["-n", "b", "-r", "a:b-c"], "InvalidInput", '"b-c"'],
  ["a suffix Milvus does not take", ["-n", "b", "-s", "-bak!"], "InvalidInput", 'suffix "-bak!"'],
  ["a verify that is none of its values", ["-n", "b", "--verify", "all"], "Usage", "none, size, content"],
  ["drop and skip together", ["-n", "b", "--drop-existing", "--skip-create"], "Usage", "--skip-create"],
])("%s starts nothing", async (_name, options, error, part) => {
  const { code, stderr } = await cli.run("--config", config, "restore", ...options);

  expect(code).toBe(1);
  expect(stderr).toContain(`Error (${error}):`);
  expect(stderr).toContain(part);
  expect(cli.executions.started).toEqual([]);
});

test("two files of one name cannot both be registered", async () => {
  const { code, stderr } = await cli.run("--config", config, "restore", "-n", "b", "--from", config);

  expect(code).toBe(1);
  expect(stderr).toContain("--from-environment");
  expect(cli.environments.size).toBe(0);
});

test("what a failed restore left is discarded", async () => {
  cli.executions.script = [
    () => ({ ...succeeded, output: JSON.stringify({ outcome: "discarded", backupName: "my_backup", collections: 1 }) }),
  ];

  const { code, stdout } = await cli.run("--config", config, "restore", "-n", "my_backup", "--discard");

  expect(code).toBe(0);
  expect(stdout).toContain("Nothing is left of a failed restore of my_backup under these names.\n");
});

test("what a discard could not reach is said", async () => {
  const warnings = ["an earlier run staged files elsewhere"];
  const output = { outcome: "discarded", backupName: "my_backup", collections: 1, warnings };
  cli.executions.script = [() => ({ ...succeeded, output: JSON.stringify(output) })];

  const { stdout, stderr } = await cli.run("--config", config, "restore", "-n", "my_backup", "--discard");

  expect(stdout).toContain("but for what the warnings say");
  expect(stderr).toContain(warnings[0]);
});

test("what a restore replaced and kept is named", async () => {
  const { from, to, id, rows, loaded } = { from: "default.coll", to: "default.coll", id: "6", rows: "1", loaded: true };
  const collections = [{ from, to, id, rows, loaded, replaced: "default.coll_replaced_5" }];
  const output = { outcome: "restored", backupName: "my_backup", collections, waitSeconds: 0, warnings: [] };
  cli.executions.script = [() => ({ ...succeeded, output: JSON.stringify(output) })];

  const { stdout } = await cli.run(
    ...["--config", config, "restore", "-n", "my_backup", "--drop-existing", "--keep-replaced"],
  );

  expect(stdout).toMatch(/replaced +default\.coll_replaced_5 \(kept\)/);
});

test("users and roles are asked for, and told by what became of them", async () => {
  const of = (restored: number, present = 0, leftOut = 0) => ({ restored, present, leftOut });
  const rbac = { users: of(1, 0, 2), roles: of(1, 1), grants: of(5), privilegeGroups: of(0, 1) };
  const output = { outcome: "restored", backupName: "b", collections: [], waitSeconds: 0, rbac, warnings: [] };
  cli.executions.script = [() => ({ ...succeeded, output: JSON.stringify(output) })];

  const { stdout } = await cli.run("--config", config, "restore", "-n", "b", "--rbac");
  const { stdout: json } = await cli.run("--config", config, "--json", "restore", "-n", "b", "--rbac");

  expect(cli.executions.started[0]?.input).toEqual({ environment: "milvus-b", backupName: "b", rbac: true });
  expect(stdout).toMatch(
    /^ +rbac +1 user, 1 role, 5 grants restored; 1 role, 1 privilege group there already; 2 users left out$/m,
  );
  expect(JSON.parse(json).rbac).toEqual(rbac);
});

test("a restore that a trigger skipped says why", async () => {
  const output = {
    outcome: "skipped",
    backupName: "my_backup",
    collections: 1,
    warnings: ["newer_backup was restored last"],
  };
  cli.executions.script = [() => ({ ...succeeded, output: JSON.stringify(output) })];

  const { code, stdout, stderr } = await cli.run("--config", config, "restore", "-n", "my_backup");

  expect(code).toBe(0);
  expect(stdout).toContain("was not restored");
  expect(stderr).toContain("newer_backup was restored last");
});
