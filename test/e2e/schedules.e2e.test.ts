import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventDetails } from "../../src/core/deployment/events.ts";
import { backupLayout } from "../../src/core/format/layout.ts";
import { parseManifestIndex } from "../../src/core/format/manifest.ts";
import { type CapturedEvents, captureEvents } from "../support/e2e/captured-events.ts";
import { configs, milvusBackup, milvusBackupJson } from "../support/e2e/cli.ts";
import { createEventBucket } from "../support/e2e/event-bucket.ts";
import { executions, finished } from "../support/e2e/executions.ts";
import { connectToServer, dropCollections, until } from "../support/e2e/milvus.ts";
import { copyPrefix, getText, listKeys } from "../support/e2e/objects.ts";
import { deploySecondStack, type SecondStack } from "../support/e2e/second-stack.ts";
import { seedSmall } from "../support/e2e/seeds.ts";

const stackName = "SchedulesE2e";
const bucket = "schedules-e2e";
const rootPath = "backup";
const pipelineYaml = `
environments: { scheduled: }
schedules:
  - name: minutely
    environment: scheduled
    expression: rate(1 minute)
    collections: [scheduled_coll]
    keep: { last: 1 }
    alarmAfter: 5m
reports: [{ name: page, environment: scheduled, expression: rate(1 minute) }]
alarms: { emails: [ops@example.com] }
`;

describe("a schedule of pipeline.yaml", async () => {
  const a = await connectToServer("milvus-a");
  let backups: Awaited<ReturnType<typeof createEventBucket>>;
  let stack: SecondStack;
  let events: CapturedEvents;
  let folder: string;
  const environment = [
    ...["--config", configs.a],
    ...["--set", `minio.backupBucketName=${bucket}`, "--set", `minio.backupRootPath=${rootPath}`],
  ];
  const cli = (...args: string[]) => milvusBackup("--stack", stackName, ...args);
  const complete = async () =>
    (await listKeys(bucket, `${rootPath}/`)).flatMap((key) => /\/([^/]+)\/meta\/full_meta\.json$/.exec(key)?.[1] ?? []);
  const retention = (...args: string[]) =>
    milvusBackupJson<{ kept: { backupName: string }[]; expired: { backupName: string }[]; deleted: boolean }>(
      ...["--stack", stackName, "retention", "minutely", "--pipeline", join(folder, "pipeline.yaml"), ...args],
    );

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "milvus-backup-schedules-"));
    await writeFile(join(folder, "pipeline.yaml"), pipelineYaml);
    await dropCollections(a, "scheduled_");
    await seedSmall(a, { collection: "scheduled_coll" });
    backups = await createEventBucket(bucket);
    events = await captureEvents(stackName);
    stack = await deploySecondStack(stackName, pipelineYaml);
    expect(await cli(...environment, "env", "set", "scheduled", "--replace")).toMatchObject({ exitCode: 0 });
  });

  afterAll(async () => {
    await stack?.destroy();
    await events?.close();
    await backups?.remove();
    await dropCollections(a, "scheduled_");
    await rm(folder, { recursive: true, force: true });
  });

  let first: string;
  test("makes a backup named after it and its time, which says who made it", async () => {
    first = await until("a scheduled backup", 150_000, async () => (await complete())[0]);

    expect(first).toMatch(/^minutely_\d{4}(_\d\d){5}$/);
    const layout = backupLayout(rootPath, first);
    expect(parseManifestIndex(await getText(bucket, layout.manifest), layout.manifest).schedule).toEqual({
      name: "minutely",
      environment: "scheduled",
      stateMachine: stack.outputs.BackupStateMachineArn,
    });
  });

  test("is told to a monitor: how old its newest good backup is, by what the stack promises", async () => {
    const { exitCode, stdout } = await cli("status", "--last");

    expect(stdout).toMatch(/^OK - minutely \(scheduled\): minutely_\d{4}(_\d\d){5} is [\d.]+ (s|min \d\d s) old$/);
    expect(exitCode).toBe(0);
    expect(await cli("status", "--last", "--schedule", "hourly")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('has no schedule "hourly"; it has: minutely'),
    });
  });

  test("a report of its backups is written beside them on a schedule", async () => {
    const key = `${rootPath}/milvus-backup-report.html`;
    const page = await until("a report with the backup", 150_000, async () => {
      const text = (await listKeys(bucket, key)).length > 0 ? await getText(bucket, key) : "";
      return /minutely_\d{4}/.test(text) ? text : undefined;
    });

    expect(page).toContain("in time");
    expect(page).toContain("rate(1 minute)");
  });

  test("keeps what its rules keep and deletes the rest, but nothing that it did not make", async () => {
    const layout = backupLayout(rootPath, first);
    // A copy that somebody put aside, and a backup that only has a name like the schedule's.
    await copyPrefix(bucket, layout.root, backupLayout(rootPath, "minutely_copy").root);
    const byHand = "minutely_2020_01_01_00_00_00";
    expect(await cli(...environment, "create", "-c", "scheduled_coll", "-n", byHand)).toMatchObject({ exitCode: 0 });

    await until("the end of the first backup", 150_000, async () =>
      (await listKeys(bucket, layout.root)).length === 0 ? true : undefined,
    );

    const left = await complete();
    expect(left).toEqual(expect.arrayContaining(["minutely_copy", byHand]));
    expect(left.filter((name) => name !== "minutely_copy" && name !== byHand).length).toBeGreaterThan(0);
  });

  test("shows in a dry run what would go, and deletes nothing", async () => {
    const plan = await retention("--dry-run");

    expect(plan).toMatchObject({ deleted: false });
    expect(plan.kept.length).toBeGreaterThan(0);
    expect([...plan.kept, ...plan.expired].map(({ backupName }) => backupName)).not.toContain("minutely_copy");
    const still = await complete();
    expect(plan.kept.every(({ backupName }) => backupName.startsWith("minutely_20"))).toBe(true);
    expect(still).toContain("minutely_copy");
  });

  test("announces backups and retention in the documented schema", async () => {
    const [applied] = await until("retention that removed a backup", 60_000, async () => {
      const found = (await events.of("Retention Applied")).filter(({ detail }) =>
        JSON.stringify(detail).includes(`"removedNames":["${first}"]`),
      );
      return found.length > 0 ? found : undefined;
    });
    const [completed] = await events.of("Backup Completed");

    expect(eventDetails["Retention Applied"].parse(applied?.detail)).toMatchObject({
      stack: stackName,
      input: { schedule: "minutely", environment: "scheduled", keep: { last: 1 } },
      result: { kept: 1, removed: 1, removedNames: [first] },
    });
    expect(eventDetails["Backup Completed"].parse(completed?.detail)).toMatchObject({
      stack: stackName,
      input: { schedule: "minutely" },
    });
  });

  test("fails as a whole, and says so on the bus, where its environment is not registered", async () => {
    expect(await cli("env", "rm", "scheduled", "--yes")).toMatchObject({ exitCode: 0 });
    expect(await cli("status", "--last")).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/^UNKNOWN - minutely \(scheduled\): UnknownEnvironment: /),
    });
    const stateMachineArn = stack.outputs.BackupStateMachineArn ?? "";

    const arn = await executions.start({
      stateMachineArn,
      name: `lost-${Date.now()}`,
      input: { environment: "scheduled", schedule: "minutely" },
    });

    expect(await finished(arn)).toMatchObject({ status: "failed", error: "UnknownEnvironment" });
    const failed = await until("the event", 30_000, async () =>
      (await events.of("Backup Failed")).find(({ detail }) => detail.execution === arn),
    );
    expect(eventDetails["Backup Failed"].parse(failed.detail)).toMatchObject({
      failure: { Error: "UnknownEnvironment", Cause: expect.stringContaining("scheduled") },
    });
  });
});
