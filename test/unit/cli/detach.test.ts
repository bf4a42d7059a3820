import { beforeEach, describe, expect, test, vi } from "vitest";
import { PipelineError } from "../../../src/core/execution/errors.ts";
import { collectionDescription } from "../../support/collection-description.ts";
import { MemoryMilvus } from "../../support/memory-milvus.ts";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli, yamlText } from "./support/fake-cli.ts";

let cli: FakeCli;

beforeEach(() => {
  cli = new FakeCli();
  for (const name of ["prod", "dr"]) cli.environments.set(name, environmentNamed(name));
  const milvus = new MemoryMilvus();
  milvus.addCollection(collectionDescription("coll"));
  cli.milvus = milvus;
  seedBackup(cli.backups, "golden");
});

const detached = (...argv: string[]) => cli.run("--environment", "prod", ...argv, "--detach");
const outOfReach = () => new PipelineError("StoreUnreachable", "127.0.0.1:9000 does not answer");

describe("--detach starts nothing where it can be seen that it fails", () => {
  test.each([
    ["a backup that exists", ["create", "-n", "golden", "-c", "coll"], "BackupExists", "choose another name"],
    [
      "a collection that Milvus does not have",
      ["create", "-n", "b", "-c", "nope"],
      "CollectionNotFound",
      "default.coll",
    ],
    ["an environment nobody registered", ["restore", "-n", "golden", "--from-environment", "no"], "Unknown", "no"],
    ["a backup that is not there", ["restore", "-n", "nope"], "BackupNotFound", "no backup nope"],
    [
      "a collection that the backup does not hold",
      ["restore", "-n", "golden", "-c", "all_types,shop.nope"],
      "CollectionNotFound",
      "shop.nope",
    ],
    ["a rename of nothing", ["restore", "-n", "golden", "-r", "nope:other"], "InvalidInput", "nope is not among"],
    ["two that get one name", ["restore", "-n", "golden", "-r", "all_types:x,empty:x"], "InvalidInput", "x"],
    ["a suffix", ["restore", "-n", "golden", "-s", "-x"], "InvalidInput", 'suffix "-x"'],
    ["a copy of nothing", ["copy", "-n", "nope", "--to-environment", "dr"], "BackupNotFound", "no backup nope"],
  ])("%s", async (_, argv, name, message) => {
    const { code, stderr, stdout } = await detached("--json", ...argv);

    expect({ code, started: cli.executions.started }).toEqual({ code: 1, started: [] });
    expect(stderr).toContain(`Error (${name}`);
    expect(JSON.parse(stdout).error.message).toContain(message);
  });

  test.each([
    ["a bucket that is not there", new PipelineError("BucketNotFound", "bucket-b does not exist"), yamlText],
    ["keys that are refused", new PipelineError("StoreAccessDenied", "the keys are refused"), yamlText],
  ])("%s", async (_, error, yaml) => {
    cli.environments.set("prod", environmentNamed("prod", yaml));
    cli.backups.failOn(
      (call) => call === "checkAccess",
      () => error,
    );

    const { code, stderr } = await detached("create", "-n", "b", "-c", "coll");

    expect({ code, started: cli.executions.started }).toEqual({ code: 1, started: [] });
    expect(stderr).toContain(error.message);
  });
});

describe("--detach leaves to the pipeline what this machine does not see", () => {
  test.each([
    ["create", ["create", "-n", "b", "-c", "coll"]],
    ["restore", ["restore", "-n", "golden"]],
    ["copy", ["copy", "-n", "golden", "--to-environment", "dr"]],
  ])("%s: a store out of reach is said, and the execution started", async (_, argv) => {
    cli.backups.failOn((call) => call === "checkAccess", outOfReach, 2);
    cli.milvus = undefined;

    const { code, stderr } = await detached(...argv);

    expect({ code, started: cli.executions.started.length }).toEqual({ code: 0, started: 1 });
    expect(stderr).toMatch(/the backup bucket of prod was not looked at, as this machine does not get there/);
  });

  test("a role that only the functions have", async () => {
    const role = yamlText.replace(/ {2}accessKeyID: .*\n {2}secretAccessKey: .*\n/, "  useIAM: true\n");
    cli.environments.set("prod", environmentNamed("prod", role));
    cli.backups.failOn(
      (call) => call === "checkAccess",
      () => new PipelineError("StoreAccessDenied", "no credentials"),
    );

    expect(await detached("create", "-n", "b", "-c", "coll")).toMatchObject({ code: 0 });
  });

  test.each([
    ["restore", ["restore", "-n", "golden"], 1],
    ["copy", ["copy", "-n", "golden", "--to-environment", "dr"], 2],
  ])("%s asks for no more of a backup bucket than the backup: a grant may reach no further", async (_, argv, times) => {
    const asked = vi.spyOn(cli.backups, "checkAccess");

    expect(await detached(...argv)).toMatchObject({ code: 0 });
    expect(asked.mock.calls).toEqual(Array.from({ length: times }, () => ["backup/golden/"]));
  });

  test("without --detach nothing is looked at twice: the first step says it at once", async () => {
    cli.executions.script = [() => ({ status: "failed", error: "BackupExists", cause: "exists" })];

    await cli.run("--environment", "prod", "create", "-n", "golden");

    expect(cli.backups.calls).toEqual([]);
  });
});
