import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PipelineWorld } from "../../support/pipeline-world.ts";
import { seedShop } from "../../support/seed-shop.ts";
import { environmentNamed, FakeCli, stackOutputs, yamlText } from "./support/fake-cli.ts";

let directory: string;
let config: string;
let cli: FakeCli;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "milvus-backup-cli-"));
  config = join(directory, "milvus-a.yaml");
  writeFileSync(config, yamlText);
  cli = new FakeCli();
});
afterEach(() => rmSync(directory, { recursive: true }));

const succeeded = {
  status: "succeeded",
  stoppedAt: new Date("2026-11-21T11:03:09.500Z"),
  output: JSON.stringify({
    outcome: "backed-up",
    backupName: "my_backup",
    collections: 2,
    segments: 80,
    objects: 405,
    bytes: 21_000_000,
    warnings: ["garbage collection could not be paused"],
  }),
} as const;

describe("--estimate", () => {
  let world: PipelineWorld;
  const estimate = (...more: string[]) =>
    cli.run("--config", config, ...more, "create", "-c", "books", "-n", "my_backup", "--estimate");

  beforeEach(() => {
    world = new PipelineWorld();
    seedShop(world);
    cli.milvus = world.milvus("prod");
    cli.milvusBucket = world.bucket("bucket-a");
  });

  test("tells what would be copied and what that costs, and starts and registers nothing", async () => {
    const { code, stdout, stderr } = await estimate();

    expect(code).toBe(0);
    expect(stdout).toMatch(/default\.books +30 +2 +9/);
    expect(stdout).toContain("9 objects of 2 segments");
    expect(stdout).toContain("less than $0.01");
    expect(stdout).toContain("list prices of us-east-1");
    expect(stderr).toContain("5 rows lie in no object before a flush");
    expect(cli.executions.started).toEqual([]);
    expect(cli.environments.size).toBe(0);
  });

  test("as one document", async () => {
    const { stdout } = await estimate("--json");

    expect(JSON.parse(stdout)).toMatchObject({
      kind: "estimate",
      copies: "server-side",
      collections: [{ collection: "default.books", rows: 30, unflushedRows: 5, segments: 2, objects: 9 }],
      objects: 9,
    });
  });

  test("does not go with --detach", async () => {
    const { code, stderr } = await cli.run("--config", config, "create", "--estimate", "--detach");

    expect(code).not.toBe(0);
    expect(stderr).toContain("--detach");
  });
});

describe("what is started", () => {
  test("the input, the environment and the machine of milvus-backup's own command line", async () => {
    cli.executions.script = [() => succeeded];

    const { code, stdout } = await cli.run("--config", config, "create", "-c", "coll,shop.orders", "-n", "my_backup");

    expect(code).toBe(0);
    expect(cli.executions.started).toEqual([
      {
        stateMachineArn: stackOutputs.BackupStateMachineArn,
        name: expect.stringMatching(/^create-my_backup-20261121T110307-[0-9a-f]{6}$/),
        input: { environment: "milvus-a", backupName: "my_backup", collections: ["coll", "shop.orders"] },
      },
    ]);
    expect(cli.environments.get("milvus-a")?.backupStorage.bucket).toBe("bucket-b");
    expect(stdout).toContain("bucket-b/backup/my_backup/");
    expect(stdout).toContain("405");
    expect(stdout).toContain("2.5 s");
  });

  test("users and roles, with --rbac, and how many there are", async () => {
    const output = JSON.parse(succeeded.output);
    const rbac = { users: 2, roles: 1, grants: 0, privilegeGroups: 0 };
    cli.executions.script = [() => ({ ...succeeded, output: JSON.stringify({ ...output, rbac }) })];

    const { stdout } = await cli.run("--config", config, "create", "-n", "b", "--rbac");

    expect(cli.executions.started[0]?.input).toEqual({ environment: "milvus-a", backupName: "b", rbac: true });
    expect(stdout).toMatch(/^ +rbac +2 users, 1 role$/m);
  });

  test.each([
    [["--strategy", "serial_flush"], "serial_flush"],
    [["--strategy=bulk_flush"], "bulk_flush"],
    [["--force"], "skip_flush"],
    [["--meta_only"], "meta_only"],
    [[], undefined],
  ])("%j asks for strategy %s", async (options, strategy) => {
    cli.executions.script = [() => succeeded];

    await cli.run("--config", config, "create", "-n", "b", ...options);

    expect(cli.executions.started[0]?.input.strategy).toBe(strategy);
  });

  test.each([
    [
      ["-d", "shop,default"],
      ["shop.*", "default.*"],
    ],
    [
      ["--filter", "shop.*,coll"],
      ["shop.*", "coll"],
    ],
    [
      ["-a", '{"shop":["orders"],"old":[]}'],
      ["shop.orders", "old.*"],
    ],
  ])("%j selects", async (options, collections) => {
    cli.executions.script = [() => succeeded];

    await cli.run("--config", config, "create", "-n", "b", ...options);

    expect(cli.executions.started[0]?.input.collections).toEqual(collections);
  });

  test("a backup without a name is named after the time", async () => {
    cli.executions.script = [() => succeeded];

    await cli.run("--config", config, "create");

    expect(cli.executions.started[0]?.input.backupName).toBe("backup_2026_11_21_11_03_07");
  });

  test("a registered environment is used as it is", async () => {
    cli.environments.set("prod", environmentNamed("prod"));
    cli.executions.script = [() => succeeded];

    const { code } = await cli.run("--environment", "prod", "create", "-n", "b");

    expect(code).toBe(0);
    expect(cli.executions.started[0]?.input.environment).toBe("prod");
    expect([...cli.environments.keys()]).toEqual(["prod"]);
  });

  test("other content is never registered over what is there: what differs is named, without secrets", async () => {
    cli.executions.script = [() => succeeded];
    await cli.run("--config", config, "create", "-n", "b");
    const other = [
      "--set",
      "MILVUS_PORT=19540",
      "--set",
      "minio.backupRootPath=mine",
      "--set",
      "MINIO_SECRET_KEY=other-s3cret",
    ];

    const { code, stderr } = await cli.run("--config", config, ...other, "create", "-n", "c");

    expect(code).toBe(1);
    expect(stderr).toContain("Error (EnvironmentDiffers): environment milvus-a is registered with other content");
    expect(stderr).toContain("milvus.port (registered 19530, in the file 19540)");
    expect(stderr).toContain("minio.backupRootPath (registered backup, in the file mine)");
    expect(stderr).toMatch(/minio\.secretAccessKey[,.] /);
    expect(stderr).toMatch(/env set NAME.*--environment NAME.*--replace.*--environment milvus-a/);
    expect(stderr).not.toMatch(/storage-secret|other-s3cret/);
    expect(cli.environments.get("milvus-a")?.milvus.port).toBe(19530);
    expect(cli.executions.started).toHaveLength(1);
  });

  test("--replace replaces it and says so; the same content again is silent", async () => {
    cli.executions.script = [() => succeeded];
    await cli.run("--config", config, "create", "-n", "b");
    const other = ["--config", config, "--set", "MILVUS_PORT=19540"];

    const replaced = await cli.run(...other, "create", "-n", "c", "--replace");
    const again = await cli.run(...other, "create", "-n", "d");

    expect(cli.environments.get("milvus-a")?.milvus.port).toBe(19540);
    expect(replaced.stderr).toContain("environment milvus-a was registered with other content");
    expect([replaced.code, again.code]).toEqual([0, 0]);
    expect(again.stderr).not.toContain("milvus-a");
  });

  test("the backup.yaml of two people is not one environment", async () => {
    cli.executions.script = [() => succeeded];
    const files = ["one", "two"].map((person) => {
      mkdirSync(join(directory, person));
      return join(directory, person, "backup.yaml");
    });
    writeFileSync(files[0] ?? "", yamlText);
    writeFileSync(files[1] ?? "", yamlText.replaceAll("bucket-b", "bucket-of-two"));

    const first = await cli.run("--config", files[0] ?? "", "create", "-n", "b");
    const second = await cli.run("--config", files[1] ?? "", "create", "-n", "c");

    expect([first.code, second.code]).toEqual([0, 1]);
    expect(second.stderr).toContain("minio.backupBucketName (registered bucket-b, in the file bucket-of-two)");
    expect(cli.environments.get("backup")?.backupStorage.bucket).toBe("bucket-b");
  });
});

describe("what is shown", () => {
  test("--json prints one document, and progress and warnings stay on stderr", async () => {
    cli.executions.script = [() => ({}), () => succeeded];

    const { stdout, stderr } = await cli.run("--config", config, "--json", "create", "-n", "my_backup");

    expect(JSON.parse(stdout)).toMatchObject({
      kind: "create",
      version: 1,
      state: "succeeded",
      backupName: "my_backup",
      collectionCount: 2,
      environment: "milvus-a",
      location: "bucket-b/backup/my_backup/",
      segments: 80,
      objects: 405,
      bytes: 21_000_000,
      milliseconds: 2500,
      warnings: ["garbage collection could not be paused"],
    });
    expect(stderr).toContain("copying");
    expect(stderr).toContain("garbage collection could not be paused");
  });

  test("segments and bytes of the running execution, by its receipts", async () => {
    cli.executions.script = [
      (execution) => {
        const root = `executions/backup/${execution.name}`;
        cli.work.seed(`${root}/plan.json`, JSON.stringify({ attempt: 0, totals: { collections: 1, segments: 3 } }));
        cli.work.seed(`${root}/receipts/0-000000.json`, receipt(["1", "2"], 1_500_000));
        return {};
      },
      () => succeeded,
    ];

    const { stderr } = await cli.run("--config", config, "create", "-n", "my_backup");

    expect(stderr).toContain("2/3 segments  1.5 MB");
  });

  test("--detach answers the execution at once", async () => {
    const { code, stdout } = await cli.run("--config", config, "create", "-n", "my_backup", "--detach");

    expect(code).toBe(0);
    expect(stdout).toMatch(/^arn:aws:states:us-east-1:000000000000:execution:backup:create-my_backup-.*\n$/);
  });

  test("--detach --json prints the execution as status does", async () => {
    const { stdout } = await cli.run("--config", config, "--json", "create", "-n", "my_backup", "--detach");

    expect(JSON.parse(stdout)).toMatchObject({
      kind: "execution",
      state: "running",
      machine: "backup",
      backupName: "my_backup",
      environment: "milvus-a",
      executionArn: expect.stringContaining(":execution:backup:create-my_backup-"),
    });
  });

  test("a failure is told in the pipeline's words, with the execution", async () => {
    cli.executions.script = [
      () => ({
        status: "failed",
        error: "Runtime.HandlerError",
        cause: JSON.stringify({
          errorType: "CollectionNotFound",
          errorMessage: "collection default.coll does not exist",
        }),
      }),
    ];

    const { code, stderr, stdout } = await cli.run("--config", config, "create", "-c", "coll", "-n", "my_backup");

    expect(code).toBe(1);
    expect(stderr).toContain("Error (CollectionNotFound): collection default.coll does not exist");
    expect(stderr).toContain(`Execution: arn:aws:states`);
    expect(stdout).toBe("");
  });

  test("the error's own name is shown, not the general one of an emulator", async () => {
    const errorMessage = "CollectionNotFound: there is no collection default.coll. What is left: 3 staged objects";
    const cause = JSON.stringify({ errorType: "Runtime.HandlerError", errorMessage });
    cli.executions.script = [() => ({ status: "failed", error: "Runtime.HandlerError", cause })];

    const { stderr } = await cli.run("--config", config, "create", "-n", "my_backup");

    expect(stderr).toContain(
      "Error (CollectionNotFound): there is no collection default.coll. What is left: 3 staged objects\n",
    );
  });
});

describe("bad input starts nothing", () => {
  test.each([
    ["a name with other characters", ["create", "-n", "my backup"], "InvalidInput", "[A-Za-z0-9_.-]"],
    ["a collection that is none", ["create", "-n", "b", "-c", "a-b"], "InvalidInput", '"a-b"'],
    ["an empty entry", ["create", "-n", "b", "-c", "a,,b"], "Usage", "empty name"],
    ["an unknown option", ["create", "--nmae", "b"], "Usage", "--nmae"],
    ["an unknown verb", ["craete"], "Usage", "Did you mean create?"],
    ["an unknown strategy", ["create", "--strategy", "fast"], "Usage", "skip_flush"],
    ["two selections", ["create", "-c", "a", "--filter", "b"], "Usage", "--filter"],
    ["an unknown key in --set", ["--set", "MILVUS_USR=a", "create"], "InvalidEnvironment", "MILVUS_USR"],
    ["--set without a value", ["--set", "MILVUS_USER", "create"], "Usage", "KEY=VALUE"],
  ])("%s", async (_name, argv, error, part) => {
    const { code, stderr } = await cli.run("--config", config, ...argv);

    expect(code).toBe(1);
    expect(stderr).toContain(`Error (${error}):`);
    expect(stderr).toContain(part);
    expect(cli.executions.started).toEqual([]);
    expect(cli.environments.size).toBe(0);
  });

  test("a missing file is named", async () => {
    const { code, stderr } = await cli.run("--config", join(directory, "none.yaml"), "create");

    expect(code).toBe(1);
    expect(stderr).toContain("none.yaml");
    expect(stderr).toContain("--config FILE");
  });

  test("an error in the file is named with its line, and no secret is shown", async () => {
    writeFileSync(config, `${yamlText}  buketName: x\n`);

    const { code, stderr } = await cli.run("--config", config, "create");

    expect(code).toBe(1);
    expect(stderr).toContain(`milvus-a.yaml:${yamlText.split("\n").length}:`);
    expect(stderr).toContain("buketName");
    expect(stderr).not.toContain("secret");
  });

  test("a stack that is not deployed", async () => {
    cli.outputs = undefined;

    const { code, stderr } = await cli.run("--config", config, "--stack", "Other", "create");

    expect(code).toBe(1);
    expect(stderr).toContain("there is no CloudFormation stack Other");
    expect(stderr).toContain("npm run local -- up");
  });

  test("with --json the error is the document", async () => {
    const { code, stdout } = await cli.run("--config", config, "--json", "create", "-n", "a/b");

    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { name: "InvalidInput" } });
  });
});

function receipt(segmentIds: string[], bytes: number): string {
  return JSON.stringify({
    batch: "0-000000",
    outcome: "copied",
    objects: 10,
    bytes,
    skippedObjects: 0,
    segments: segmentIds.map((segmentId) => ({
      collectionId: "7",
      partitionId: "8",
      segmentId,
      outcome: "copied",
      insertLogs: [],
      deltaLogs: [],
    })),
  });
}
