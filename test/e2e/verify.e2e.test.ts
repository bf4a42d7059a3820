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

const bucket = "bucket-b";

/** What `verify --json` prints. */
interface VerifyDocument {
  readonly outcome: string;
  readonly depth: string;
  readonly percent: number;
  readonly objects: number;
  readonly readObjects: number;
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
    await seedSmall(a, { collection: "verified" }, { segments: 2 });
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
    expect(await passes("verify_good", "--read-data=10%")).toMatchObject({ depth: "sample" });

    const { stdout } = await milvusBackup("--config", configs.b, "list");
    expect(stdout).toMatch(/verify_good .* \d{4}-\d\d-\d\d \([\d.]+ %\)/);
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

    expect(await passes("verify_golden", "--seal", "--yes")).toMatchObject({ outcome: "sealed" });
    const [flipped = ""] = await listKeys(bucket, backupLayout("backup", "verify_golden").binlogs);
    await flip(flipped);
    expect(await problemsOf("verify_golden")).toEqual([`altered ${flipped}`]);
    const again = await verify("verify_golden", "--seal", "--yes");
    expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("has a manifest already") });
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
