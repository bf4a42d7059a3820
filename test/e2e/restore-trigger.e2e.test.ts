import { CreateKeyCommand } from "@aws-sdk/client-kms";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventDetails } from "../../src/core/deployment/events.ts";
import { backupLayout } from "../../src/core/format/layout.ts";
import { kms } from "../support/e2e/aws-clients.ts";
import { type CapturedEvents, captureEvents } from "../support/e2e/captured-events.ts";
import { configs, milvusBackup } from "../support/e2e/cli.ts";
import { askDeployed } from "../support/e2e/deployed-api.ts";
import { createEventBucket } from "../support/e2e/event-bucket.ts";
import { executions } from "../support/e2e/executions.ts";
import { connectToServer, dropCollections, until } from "../support/e2e/milvus.ts";
import { copyPrefix, deletePrefix, getText, putObject } from "../support/e2e/objects.ts";
import { deploySecondStack, type SecondStack } from "../support/e2e/second-stack.ts";
import { seedSmall } from "../support/e2e/seeds.ts";
import { readRows } from "../support/e2e/snapshot.ts";

const stackName = "TriggersE2e";
const bucket = "triggers-e2e";
const rootPath = "backup";
const pipelineYaml = (keyArn: string) => `
environments: { source: , target: , protected: }
allowedEnvironments: { restore: [target, protected] }
signBackups: ${keyArn}
api: { environment: target }
restoreTriggers:
  - name: standby
    bucket: ${bucket}
    prefix: ${rootPath}
    backups: wanted_*
    from: source
    environment: target
    collections: [triggered_coll]
    suffix: _standby
    signedBy: ${keyArn}
`;

/** A key of the emulator's KMS. */
async function newSigningKey(): Promise<string> {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" }));
  return KeyMetadata?.Arn ?? "";
}

describe("a restore trigger of pipeline.yaml", async () => {
  const a = await connectToServer("milvus-a");
  const b = await connectToServer("milvus-b");
  let backups: Awaited<ReturnType<typeof createEventBucket>>;
  let stack: SecondStack;
  let events: CapturedEvents;
  const place = ["--set", `minio.backupBucketName=${bucket}`, "--set", `minio.backupRootPath=${rootPath}`];
  const source = ["--config", configs.a, ...place];
  const cli = (...args: string[]) => milvusBackup("--stack", stackName, ...args);
  const create = (name: string, ...options: string[]) =>
    cli(...source, "create", "-c", "triggered_coll,triggered_other", "-n", name, ...options);
  // The emulator remembers the executions of a stack that was destroyed, and this one has the name of the last run's.
  const began = new Date();
  const restores = async () =>
    (await executions.list(stack.outputs.RestoreStateMachineArn ?? "", 20)).filter(
      ({ startedAt }) => startedAt >= began,
    );
  const restoreOf = (backupName: string) =>
    until(`the restore of ${backupName}`, 120_000, async () => {
      const found = (await restores()).find(({ name }) => name.startsWith(`standby-${backupName}-`));
      return found === undefined || found.status === "running" ? undefined : executions.describe(found.arn);
    });

  beforeAll(async () => {
    await Promise.all([dropCollections(a, "triggered_"), dropCollections(b, "triggered_")]);
    await seedSmall(a, { collection: "triggered_coll" }, { segments: 2 });
    await seedSmall(a, { collection: "triggered_other" });
    backups = await createEventBucket(bucket);
    events = await captureEvents(stackName);
    stack = await deploySecondStack(stackName, pipelineYaml(await newSigningKey()));
    expect(await cli(...source, "env", "set", "source", "--replace")).toMatchObject({ exitCode: 0 });
    expect(await cli("--config", configs.b, "env", "set", "target", "--replace")).toMatchObject({ exitCode: 0 });
  });

  afterAll(async () => {
    await stack?.destroy();
    await events?.close();
    await backups?.remove();
    await Promise.all([dropCollections(a, "triggered_"), dropCollections(b, "triggered_")]);
  });

  test("restores a backup as soon as it is complete, by its rule", async () => {
    expect(await create("wanted_1")).toMatchObject({ exitCode: 0 });

    const restore = await restoreOf("wanted_1");

    expect(restore).toMatchObject({ status: "succeeded" });
    expect(JSON.parse(restore.input)).toEqual({
      signedBy: expect.stringMatching(/^arn:aws:kms:/),
      backupName: "wanted_1",
      from: "source",
      environment: "target",
      collections: ["triggered_coll"],
      suffix: "_standby",
      trigger: "standby",
    });
    expect(await readRows(b, { collection: "triggered_coll_standby" })).toEqual(
      await readRows(a, { collection: "triggered_coll" }),
    );
  });

  test("starts nothing twice when the event comes again, and nothing for a name it is not about", async () => {
    const { full_meta } = backupLayout(rootPath, "wanted_1").meta;

    await putObject(bucket, full_meta, await getText(bucket, full_meta));
    expect(await create("other_1")).toMatchObject({ exitCode: 0 });
    // The next one it is about, an incremental one: by then the two before have been dealt with.
    expect(await create("wanted_2", "--incremental")).toMatchObject({ exitCode: 0 });
    await restoreOf("wanted_2");

    expect((await restores()).map(({ name }) => name.replace(/-[0-9a-f]{16}$/, ""))).toEqual([
      "standby-wanted_2",
      "standby-wanted_1",
    ]);
  });

  test("fails with TargetExists, and says so on the bus, where the target has the collection", async () => {
    const restore = await restoreOf("wanted_2");

    expect(restore).toMatchObject({ status: "failed", error: "TargetExists" });
    const failed = await until("the event", 30_000, async () =>
      (await events.of("Restore Failed")).find(({ detail }) => detail.execution === restore.arn),
    );
    expect(eventDetails["Restore Failed"].parse(failed.detail)).toMatchObject({
      input: { backupName: "wanted_2", suffix: "_standby" },
      failure: { Error: "TargetExists", Cause: expect.stringContaining("triggered_coll_standby") },
    });
    const [completed] = await events.of("Restore Completed");
    expect(eventDetails["Restore Completed"].parse(completed?.detail).result.collections).toMatchObject([
      { from: "default.triggered_coll", to: "default.triggered_coll_standby" },
    ]);
  });

  test("restores nothing that was not signed for its name: somebody copies a good backup to another one", async () => {
    const { root } = backupLayout(rootPath, "wanted_1");
    await copyPrefix(bucket, root, backupLayout(rootPath, "wanted_forged").root);

    const restore = await restoreOf("wanted_forged");

    expect(restore).toMatchObject({ status: "failed", error: "UntrustedBackup" });
  });

  test("a protected environment is restored into by whoever names it twice, another one than the deployment lists by nobody", async () => {
    const set = await cli(
      "--config",
      configs.b,
      "--set",
      "backup.protected=true",
      "env",
      "set",
      "protected",
      "--replace",
      "--confirm",
      "protected",
    );
    expect(set).toMatchObject({ exitCode: 0 });
    const restore = (environment: string, ...options: string[]) =>
      cli(
        "--environment",
        environment,
        "restore",
        "-n",
        "wanted_1",
        "--from-environment",
        "source",
        "-c",
        "triggered_coll",
        "-s",
        "_twice",
        ...options,
      );

    expect(await restore("protected")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("(EnvironmentProtected)"),
    });
    expect(await restore("source")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("(EnvironmentNotAllowed)"),
    });
    expect(await restore("protected", "--confirm", "protected")).toMatchObject({ exitCode: 0 });
  });

  test("its REST API backs up, restores and deletes for who signs requests, and answers nobody else", async () => {
    const name = "triggered_api";
    const ask = async (...request: Parameters<typeof askDeployed> extends [string, ...infer Rest] ? Rest : never) =>
      askDeployed(stack.outputs.ApiUrl ?? "", ...request);
    const over = (path: string) =>
      until(path, 120_000, async () => {
        const { data } = (await ask("GET", path)).body;
        return data.state_code > 1 ? data : undefined;
      });
    await deletePrefix("bucket-b", `backup/${name}/`);
    await seedSmall(b, { collection: name }, { rows: 20 });

    expect(await ask("GET", "/list", { signed: false })).toMatchObject({ status: 403 });
    expect(await ask("GET", "/hello")).toEqual({ status: 200, body: "Hello from milvus-backup" });
    const wrong = await ask("POST", "/create", {
      body: { backup_name: name, collection_names: ["triggered_nowhere"] },
    });
    expect(wrong.body).toMatchObject({ code: 400, msg: expect.stringContaining("triggered_nowhere") });

    const body = { backup_name: name, collection_names: [name], async: true };
    const headers = { request_id: `api-${Date.now()}` };
    const made = await ask("POST", "/create", { body, headers });
    const again = await ask("POST", "/create", { body, headers });
    expect(made).toMatchObject({ status: 200, body: { requestId: headers.request_id, data: null } });
    expect(again.body).toMatchObject({ code: 400, msg: expect.stringContaining("was started at") });
    expect(await over(`/get_backup?backup_id=${headers.request_id}`)).toMatchObject({ name, state_code: 2 });
    const { data: listed } = (await ask("GET", "/list")).body;
    expect(listed.map((backup: { name: string }) => backup.name)).toContain(name);

    const restore = { backup_name: name, collection_suffix: "_bak", restoreIndex: true, async: true };
    const restoring = await ask("POST", "/restore", { body: restore });
    expect(await over(`/get_restore?id=${restoring.body.data.id}`)).toMatchObject({
      ...{ state_code: 2, collection_restore_tasks: [{ target_collection_name: `${name}_bak` }] },
    });
    expect(await readRows(b, { collection: `${name}_bak` })).toEqual(await readRows(b, { collection: name }));

    // another environment of that place is protected
    expect((await ask("DELETE", `/delete?backup_name=${name}`)).body).toMatchObject({ code: 2 });
    const deleted = await ask("DELETE", `/delete?backup_name=${name}&confirm=protected`);
    expect(deleted.body).toMatchObject({ msg: "success" });
    expect((await ask("GET", `/get_backup?backup_name=${name}`)).body).toMatchObject({ code: 404 });
  });
});
