import { beforeAll, describe, expect, test } from "vitest";
import { stackInfo, stackName } from "../../local/index.ts";
import { eventDetails } from "../../src/core/deployment/events.ts";
import { backupLayout } from "../../src/core/format/layout.ts";
import { captureEvents } from "../support/e2e/captured-events.ts";
import { configs, milvusBackup, milvusBackupJson } from "../support/e2e/cli.ts";
import { executions, finished } from "../support/e2e/executions.ts";
import { connectToServer, dropCollections, until } from "../support/e2e/milvus.ts";
import {
  copyPrefix,
  deleteKeys,
  deletePrefix,
  getBytes,
  listKeys,
  putObject,
  uploadGolden,
} from "../support/e2e/objects.ts";
import { seedSmall } from "../support/e2e/seeds.ts";
import { goldenRows } from "../support/golden-rows.ts";

const bucket = "bucket-b";

/** What `verify --json` prints. */
interface VerifyDocument {
  readonly outcome: string;
  readonly depth: string;
  readonly percent: number;
  readonly objects: number;
  readonly readObjects: number;
  readonly rows?: { readonly percent: number; readonly rows: number; readonly living: number };
  readonly problems: readonly { readonly key: string; readonly problem: string }[];
  readonly executionArn: string;
}

const verify = (name: string, ...options: string[]) =>
  milvusBackup("--config", configs.b, "--json", "verify", "-n", name, ...options);
const passes = (name: string, ...options: string[]) =>
  milvusBackupJson<VerifyDocument>("--config", configs.b, "verify", "-n", name, ...options);

/** The problems of one that is damaged, as `missing key`. */
async function problemsOf(name: string, ...options: string[]): Promise<string[]> {
  const { exitCode, stdout } = await verify(name, ...options);
  expect(exitCode).toBe(1);
  const { outcome, problems } = JSON.parse(stdout) as VerifyDocument;
  expect(outcome).toBe("failed");
  return problems.map(({ problem, key }) => `${problem} ${key}`).sort();
}

/** Turns a bit of an object; its size stays. */
async function flip(key: string): Promise<void> {
  const body = await getBytes(bucket, key);
  body.writeUInt8(body.readUInt8(body.length - 1) ^ 1, body.length - 1);
  await putObject(bucket, key, body);
}

describe("verify", async () => {
  const a = await connectToServer("milvus-a");
  const layout = backupLayout("backup", "verify_damaged");

  beforeAll(async () => {
    await dropCollections(a, "verified");
    await deletePrefix(bucket, "backup/verify_");
    await seedSmall(a, { collection: "verified" }, { segments: 2, rows: 50 });
    await milvusBackupJson("--config", configs.a, "create", "-c", "verified", "-n", "verify_good");
    await copyPrefix(bucket, "backup/verify_good/", "backup/verify_damaged/");
  });

  test("finds a backup that is what it was to be so, without reading it and by every byte, and lists say it", async () => {
    expect(await passes("verify_good")).toMatchObject({
      outcome: "passed",
      depth: "size",
      readObjects: 0,
      problems: [],
    });
    const read = await passes("verify_good", "--read-data", "--yes");
    expect(read).toMatchObject({ outcome: "passed", depth: "content", percent: 100, readObjects: read.objects });
    const sampled = await passes("verify_good", "--read-data=10%", "--rows", "--yes");
    expect(sampled).toMatchObject({ depth: "sample", rows: { percent: 100, rows: 100, living: 100 } });

    const { stdout } = await milvusBackup("--config", configs.b, "list");
    expect(stdout).toMatch(/verify_good .* \d{4}-\d\d-\d\d \([\d.]+ %, every row\)/);
    const get = await milvusBackupJson<{ verified: { last: object } }>(
      ...["--config", configs.b, "get", "-n", "verify_good"],
    );
    expect(get.verified.last).toMatchObject({ outcome: "passed", depth: "sample" });
  });

  test("names a flipped byte, a missing, an extra and a truncated object, and the event says so", async () => {
    const events = await captureEvents(stackName);
    try {
      const [missing = "", truncated = "", flipped = ""] = await listKeys(bucket, layout.binlogs);
      const extra = flipped.replace(/\d+$/, "1");
      await deleteKeys(bucket, [missing]);
      await putObject(bucket, truncated, (await getBytes(bucket, truncated)).subarray(0, -1));
      await flip(flipped);
      await putObject(bucket, extra, "extra");
      const expected = [`altered ${flipped}`, `extra ${extra}`, `missing ${missing}`, `truncated ${truncated}`];

      expect(await problemsOf("verify_damaged")).toEqual(expected);
      expect(await problemsOf("verify_damaged", "--read-data", "--yes")).toEqual(expected);

      const text = await milvusBackup("--config", configs.b, "verify", "-n", "verify_damaged");
      expect(text.stdout).toContain("is damaged: 1 missing, 1 extra, 1 truncated, 1 altered.");
      const list = await milvusBackup("--config", configs.b, "list");
      expect(list.stdout).toMatch(/verify_damaged .*DAMAGED \d{4}-\d\d-\d\d \(4 problems\)/);
      const [failed] = await until("the event", 30_000, async () => {
        const found = await events.of("Verify Failed");
        return found.length > 0 ? found : undefined;
      });
      const { failure } = eventDetails["Verify Failed"].parse(failed?.detail);
      expect(failure.Error).toBe("CorruptBackup");
      expect(failure.Cause).toContain(flipped);
    } finally {
      await events.close();
    }
  });

  test("a manifest that was altered names itself", async () => {
    const { manifest } = backupLayout("backup", "verify_manifest");
    await copyPrefix(bucket, "backup/verify_good/", "backup/verify_manifest/");
    const text = (await getBytes(bucket, manifest)).toString();
    await putObject(bucket, manifest, text.replace(/"objects": \d+/, '"objects": 1'));

    expect(await problemsOf("verify_manifest")).toEqual([`altered ${manifest}`]);
  });

  test("a backup of milvus-backup is checked by its metas, sealed, and then by its contents", async () => {
    await uploadGolden("verify_golden");
    expect(await passes("verify_golden")).toMatchObject({ outcome: "passed", depth: "size" });
    const refused = await verify("verify_golden", "--read-data", "--yes");
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("verify -n verify_golden --seal") });

    const counted = await passes("verify_golden", "--rows", "--yes");
    const living = Object.values(goldenRows).reduce((sum, { rows }) => sum + rows.length, 0);
    expect(counted).toMatchObject({ outcome: "passed", depth: "size", rows: { percent: 100, living } });

    expect(await passes("verify_golden", "--seal", "--yes")).toMatchObject({ outcome: "sealed" });
    const [flipped = ""] = await listKeys(bucket, backupLayout("backup", "verify_golden").binlogs);
    await flip(flipped);
    expect(await problemsOf("verify_golden")).toEqual([`altered ${flipped}`]);
    const again = await verify("verify_golden", "--seal", "--yes");
    expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("has a manifest already") });
  });

  test("rows that are no rows of the schema are named where only rows tell: by object and offset", async () => {
    await uploadGolden("verify_rows");
    const broken = (await listKeys(bucket, backupLayout("backup", "verify_rows").binlogs)).find((key) =>
      key.includes("/insert_log/"),
    );
    const body = await getBytes(bucket, broken ?? "");
    body.writeInt32LE(body.length * 2, 4 + 9);
    await putObject(bucket, broken ?? "", body);
    expect(await passes("verify_rows")).toMatchObject({ outcome: "passed" });

    const { exitCode, stdout } = await verify("verify_rows", "--rows", "--yes");
    expect(exitCode).toBe(1);
    expect((JSON.parse(stdout) as VerifyDocument).problems).toEqual([
      { key: broken, problem: "inconsistent", detail: expect.stringMatching(/^offset 4: cut off/) },
    ]);
    const list = await milvusBackup("--config", configs.b, "list");
    expect(list.stdout).toMatch(/verify_rows .*DAMAGED \d{4}-\d\d-\d\d \(1 problem\)/);
  });

  test("a schedule's is the newest complete one that it made", async () => {
    const { outputs } = await stackInfo();
    const start = async (machine: string, input: object) => {
      const stateMachineArn = outputs[`${machine}StateMachineArn`] ?? "";
      return finished(await executions.start({ stateMachineArn, name: `verify-e2e-${machine}-${Date.now()}`, input }));
    };
    const schedule = { environment: "milvus-a", schedule: "verify_nightly" };
    expect(await start("Verify", schedule)).toMatchObject({ status: "failed", error: "BackupNotFound" });
    expect(await start("Backup", { ...schedule, collections: ["verified"] })).toMatchObject({ status: "succeeded" });

    const verified = await start("Verify", { ...schedule, readData: 100 });
    expect(JSON.parse(verified.output ?? "{}")).toMatchObject({
      outcome: "verified",
      backupName: expect.stringMatching(/^verify_nightly_/),
      depth: "content",
    });
  });
});
