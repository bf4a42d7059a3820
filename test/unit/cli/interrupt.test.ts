import { beforeEach, describe, expect, test } from "vitest";
import { CliError } from "../../../cli/errors.ts";
import { environmentNamed, FakeCli } from "./support/fake-cli.ts";

let cli: FakeCli;

beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
});

const create = (...argv: string[]) => cli.run("--environment", "prod", "create", "-n", "my_backup", ...argv);

test("Ctrl-C leaves the execution running and says how to come back", async () => {
  cli.executions.script = [
    () => {
      cli.interrupt();
      return {};
    },
  ];

  const { code, stderr, stdout } = await create("--json");

  expect(code).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({ kind: "execution", state: "running", backupName: "my_backup" });
  expect(stderr).toMatch(/milvus-backup status create-my_backup-\S+ --follow/);
  expect(cli.executions.stopped).toEqual([]);
});

describe("Ctrl-C while it is being started", () => {
  const started = () => cli.executions.started.map(({ name }) => name);
  let start: typeof cli.executions.start;
  beforeEach(() => {
    start = cli.executions.start.bind(cli.executions);
  });

  test("tells of the execution, where it is known that there is one", async () => {
    cli.executions.start = async (request) => {
      cli.interrupt();
      return start(request);
    };

    const { code, stderr, stdout } = await create("--json");

    const [name] = started();
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ kind: "execution", state: "running", executionName: name });
    expect(stderr).toContain(`milvus-backup stop ${name}`);
  });

  test.each([[[]], [["--detach"]]])("says that there may be one, where no answer comes (%s)", async (more) => {
    cli.executions.start = async (request) => {
      await start(request);
      cli.interrupt();
      return new Promise(() => {});
    };

    const { code, stderr, stdout } = await create("--json", ...more);

    const [name] = started();
    const document = JSON.parse(stdout);
    expect(code).toBe(130);
    expect(document).toMatchObject({ kind: "error", state: "failed", error: { name: "Interrupted" } });
    expect(document.executionArn).toMatch(new RegExp(`:execution:backup:${name}$`));
    expect(stderr).toContain(`the execution ${name} may be running. See whether it is: milvus-backup status ${name};`);
  });

  test("fails as it fails, where it is told that nothing was started", async () => {
    cli.executions.start = async () => {
      cli.interrupt();
      throw new CliError("AwsAccessDenied", "AWS denies access");
    };

    const { code, stderr } = await create();

    expect(code).toBe(1);
    expect(stderr).toContain("Error (AwsAccessDenied): AWS denies access");
  });
});

test("Ctrl-C leaves an execution that nobody answers for", async () => {
  cli.executions.describe = async () => {
    cli.interrupt();
    return new Promise(() => {});
  };

  const { code, stderr } = await create();

  expect(code).toBe(130);
  expect(stderr).toMatch(/milvus-backup status create-my_backup-\S+ --follow/);
});

test("Ctrl-C is the shell's again where the execution is over", async () => {
  cli.executions.script = [() => ({ status: "failed", error: "BackupExists", cause: "exists" })];

  await create();

  expect(cli.listening).toBe(false);
});
