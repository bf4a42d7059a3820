import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { VerifyInput } from "../../../../src/core/execution/messages.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { parseManifestIndex } from "../../../../src/core/format/manifest.ts";
import { parseVerificationProof } from "../../../../src/core/format/proof.ts";
import { deleteBackup } from "../../../../src/steps/catalog/delete-backup.ts";
import { listBackups } from "../../../../src/steps/catalog/list-backups.ts";
import { findBackup } from "../../../../src/steps/shared/find-backup.ts";
import { seedGolden } from "../../../support/golden-backup.ts";
import { backUp, incrementalWorld, layoutOf, sharedOf } from "../../../support/incremental-world.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { type ExecutionFailed, executionOf, runBackup, runVerify } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const place = { rootPath: "backup", address: "127.0.0.1", port: 4566, bucket: "bucket-b" };
const layout = backupLayout("backup", "shop");
let world: PipelineWorld;

async function seeded(): Promise<PipelineWorld> {
  const made = new PipelineWorld();
  seedShop(made);
  await runBackup(made.context(), { environment: "prod", backupName: "shop" });
  return made;
}

const bucket = () => world.bucket("bucket-b");
const verify = (input: Partial<VerifyInput> = {}, run = "verify-1") =>
  runVerify(world.context(), { environment: "prod", backupName: "shop", ...input }, executionOf(run));
const failed = (input: Partial<VerifyInput> = {}, run = "verify-1") =>
  verify(input, run).then(
    () => expect.unreachable("it passed"),
    (error: ExecutionFailed) => error,
  );
const proofOf = (key = layout.verified) => parseVerificationProof(bucket().read(key) ?? "");
const problemsOf = (run = "verify-1") =>
  (world.work.read(`executions/verify/${run}/problems/0.jsonl`) ?? "")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { key: string; kind: string; detail: string });
const logs = () => bucket().keys(layout.binlogs);

const bytesOf = async (key: string) => Buffer.from(await bucket().getBytes(key));

/** Turns one bit of an object. */
async function flip(key: string): Promise<void> {
  const body = await bytesOf(key);
  body.writeUInt8(body.readUInt8(0) ^ 1, 0);
  bucket().seed(key, body);
}

beforeEach(async () => {
  world = await seeded();
});

describe("a backup that is what it was", () => {
  test("passes by keys, sizes and the store's checksums without an object being read, and only that is said", async () => {
    const result = await verify();

    expect(result).toMatchObject({ outcome: "verified", depth: "size", percent: 0, readObjects: 0, bySize: 0 });
    expect(result.objects).toBe(logs().length);
    expect(proofOf()).toEqual({
      version: 1,
      last: {
        at: "2026-11-21T11:03:07.000Z",
        outcome: "passed",
        depth: "size",
        percent: 0,
        objects: result.objects,
        bytes: result.bytes,
        problems: 0,
        executionArn: executionOf("verify-1").id,
      },
      lastPassed: expect.objectContaining({ outcome: "passed" }),
    });
    expect(bucket().calls.filter((call) => call.startsWith("readChecksum"))).toEqual([]);
    expect(world.work.keys("readers/")).toEqual([]);
  });

  test("passes by every content with readData, which reads each object whatever the store says of it", async () => {
    const result = await verify({ readData: 100 });

    expect(result).toMatchObject({ depth: "content", percent: 100, readObjects: logs().length });
    const read = bucket().calls.filter((call) => call.startsWith("readChecksum"));
    expect(read.sort()).toEqual(logs().map((key) => `readChecksum ${key}`));
  });

  test("a sample reads at least its share of the bytes, the same objects however often, others in another execution", async () => {
    const sampled = async (run: string) => {
      bucket().calls.length = 0;
      const result = await verify({ readData: 30 }, run);
      return {
        result,
        read: bucket()
          .calls.filter((call) => call.startsWith("readChecksum"))
          .sort(),
      };
    };
    const first = await sampled("one");
    world = await seeded();
    const again = await sampled("one");
    const other = await sampled("two");

    expect(first.result.depth).toBe("sample");
    expect(first.result.percent).toBeGreaterThanOrEqual(30);
    expect(first.result.percent).toBeLessThan(100);
    expect(again.read).toEqual(first.read);
    expect(other.read).not.toEqual(first.read);
  });

  test("what was uploaded in parts is compared by size, which is said, until it is read", async () => {
    const [key = ""] = logs();
    bucket().seedInParts(key, await bytesOf(key));

    const bySize = await verify();
    expect(bySize).toMatchObject({ depth: "size", bySize: 1 });
    expect(bySize.warnings).toEqual([expect.stringMatching(/^1 of \d+ objects were compared by key and size only/)]);
    expect(await verify({ readData: 100 }, "verify-2")).toMatchObject({ depth: "content", bySize: 0, warnings: [] });
  });

  test("an incremental one, in whose shared place other backups have objects of their own", async () => {
    world = incrementalWorld();
    await backUp(world, "night_1");
    const { collectionId = "" } = {
      collectionId: world.bucket("bucket-a").keys("files/insert_log/")[0]?.split("/")[2],
    };
    bucket().seed(`${sharedOf(world).insertLogs}${collectionId}/1/2/2/100/3`, "another backup's");

    const result = await verify({ backupName: "night_1", readData: 100 });

    expect(result).toMatchObject({ outcome: "verified", depth: "content" });
    expect(proofOf(layoutOf(world, "night_1").verified)?.last.outcome).toBe("passed");
  });

  test("milvus-backup's, by its metas, which is said; its contents are refused with the way to have them compared", async () => {
    seedGolden(bucket(), "golden");

    const result = await verify({ backupName: "golden" });
    expect(result).toMatchObject({ outcome: "verified", depth: "size", percent: 0 });
    expect(result.warnings).toContain("backup golden has no manifest: its objects are compared by key and size only");
    const refused = await failed({ backupName: "golden", readData: 10 }, "verify-2");
    expect(refused).toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("verify -n golden --seal"),
    });
    expect(world.work.keys("readers/")).toEqual([]);
  });

  test("one of milvus-backup's with its level files only", async () => {
    seedGolden(bucket(), "golden");
    bucket().remove(backupLayout("backup", "golden").meta.full_meta);

    expect(await verify({ backupName: "golden" })).toMatchObject({ outcome: "verified" });
  });
});

describe("what is found and named, each of several", () => {
  const [missing, extra, truncated, flipped] = ["missing", "extra", "truncated", "altered"];

  async function damage(): Promise<Record<string, string>> {
    const [gone = "", cut = "", turned = ""] = logs();
    bucket().remove(gone);
    bucket().seed(cut, (await bytesOf(cut)).subarray(1));
    await flip(turned);
    const stray = turned.replace(/\d+$/, "999");
    bucket().seed(stray, "stray");
    return { [gone]: missing, [stray]: extra, [cut]: truncated, [turned]: flipped } as Record<string, string>;
  }

  test.each([{}, { readData: 100 }])("in a backup with a manifest, %j", async (input) => {
    const damaged = await damage();

    const error = await failed(input);

    expect(error.name).toBe("CorruptBackup");
    expect(error.message).toContain("1 missing, 1 extra, 1 truncated, 1 altered");
    for (const key of Object.keys(damaged)) expect(error.message).toContain(key);
    expect(Object.fromEntries(problemsOf().map(({ key, kind }) => [key, kind]))).toEqual(damaged);
    expect(proofOf()).toMatchObject({ last: { outcome: "failed", problems: 4 } });
    expect(proofOf()?.lastPassed).toBeUndefined();
    expect(world.work.keys("readers/")).toEqual([]);
  });

  test("a flipped bit in milvus-backup's is not, as nothing says what was in it; the others are", async () => {
    seedGolden(bucket(), "golden");
    const golden = bucket().keys("backup/golden/binlogs/");
    const [gone = "", cut = ""] = golden;
    bucket().remove(gone);
    bucket().seed(cut, "");
    bucket().seed("backup/golden/notes.txt", "mine");

    await failed({ backupName: "golden" });

    expect(problemsOf().map(({ key, kind }) => [kind, key])).toEqual([
      ["missing", gone],
      ["truncated", cut],
      ["extra", "backup/golden/notes.txt"],
    ]);
  });

  test("a content that changed below an ETag that did not is found by reading alone", async () => {
    const [key = ""] = logs();
    bucket().corruptBelowEtag(key);

    expect(await verify()).toMatchObject({ outcome: "verified", depth: "size" });
    const error = await failed({ readData: 100 }, "verify-2");
    expect(error.message).toContain(`altered: ${key}`);
    expect(proofOf()).toMatchObject({ last: { outcome: "failed" }, lastPassed: { depth: "size" } });
  });

  test("of hundreds the message names a few, the file all", async () => {
    for (const key of logs()) bucket().remove(key);

    const error = await failed();

    expect(problemsOf()).toHaveLength(Number(/(\d+) missing/.exec(error.message)?.[1]));
    expect(error.message.match(/missing: /g)?.length).toBeLessThanOrEqual(10);
  });
});

describe("metas and manifest name themselves", () => {
  const altered = async (key: string, change: (text: string) => string, run = "verify-1") => {
    bucket().seed(key, change(bucket().read(key) ?? ""));
    const error = await failed({}, run);
    expect(error.name).toBe("CorruptBackup");
    return problemsOf(run).map((problem) => `${problem.kind} ${problem.key}`);
  };
  const part = () => bucket().keys(layout.manifestParts)[0] ?? "";

  test("a part whose text was changed", async () => {
    expect(await altered(part(), (text) => text.replace("md5:", "md5:0"))).toEqual([`altered ${part()}`]);
    expect(proofOf()?.last.depth).toBe("size");
  });

  test("a part that was cut off, or is gone, and then every object is still looked at by the metas", async () => {
    expect(await altered(part(), (text) => text.slice(0, -5))).toEqual([`truncated ${part()}`]);
    const [gone = ""] = logs();
    const lost = part();
    bucket().remove(gone);
    bucket().remove(lost);
    await failed({}, "verify-2");
    expect(problemsOf("verify-2").map(({ kind, key }) => `${kind} ${key}`)).toEqual([
      `missing ${lost}`,
      `missing ${gone}`,
    ]);
  });

  test.each([
    ["no JSON", (text: string) => text.slice(1)],
    ["fewer parts", (text: string) => drop(text)],
    ["another backup's", (text: string) => text.replace(/"backupId": ".*"/, '"backupId": "other"')],
    ["another instant", (text: string) => text.replace(/"timestamp": "\d+"/, '"timestamp": "1"')],
  ])("an index that is %s", async (_, change) => {
    expect(await altered(layout.manifest, change)).toEqual([`altered ${layout.manifest}`]);
  });

  test("an index that is gone, where its parts are there", async () => {
    bucket().remove(layout.manifest);

    await failed();

    expect(problemsOf().map(({ kind, key }) => `${kind} ${key}`)).toEqual([`missing ${layout.manifest}`]);
  });

  test("a later version's manifest is not damaged: nothing is said of the backup", async () => {
    bucket().seed(layout.manifest, '{"version":99}');

    const error = await failed();

    expect(error.message).toContain("update the pipeline");
    expect(proofOf()).toBeUndefined();
  });

  test("metas that were altered, while the objects are compared with the manifest", async () => {
    const [turned = ""] = logs();
    await flip(turned);
    expect(await altered(layout.meta.full_meta, (text) => text.replace("shop", "shoq"))).toEqual([
      `altered ${layout.meta.full_meta}`,
      `altered ${turned}`,
    ]);
    expect(await altered(layout.meta.full_meta, (text) => text.slice(0, -9), "verify-2")).toContain(
      `truncated ${layout.meta.full_meta}`,
    );
  });

  test("where both are unreadable nothing else is said", async () => {
    bucket().seed(layout.manifest, "{");
    bucket().seed(layout.meta.full_meta, "{");

    await failed();

    expect(problemsOf().map(({ key }) => key)).toEqual([layout.meta.full_meta, layout.manifest]);
  });
});

/** An index without its last part, whose own sum is right again. */
function drop(text: string): string {
  const index = parseManifestIndex(text, "index");
  const parts = index.parts.slice(0, -1);
  const objects = parts.reduce((sum, part) => sum + part.objects, 0);
  return JSON.stringify({ ...index, parts, objects });
}

describe("others at work", () => {
  const removal = { place, holder: "delete", deployment: executionOf("x").id };

  test("a deletion of the deployment is kept away while it runs", async () => {
    const execution = executionOf("verify-1");
    world.memory.running.add(execution.id);
    const tries: unknown[] = [];
    const options = {
      after: async (step: string) => {
        if (step !== "prepare") return;
        const stored = await findBackup(bucket(), place, "shop");
        tries.push(await deleteBackup(stored, removal, world.context()).catch((error: Error) => error.message));
      },
    };
    await runVerify(world.context(), { environment: "prod", backupName: "shop" }, execution, options);
    expect(tries).toEqual([expect.stringContaining("is being read by verify execution verify-1")]);
  });

  test.each(["prepare", "copy"])(
    "a backup that vanishes after %s is told as such, and leaves nothing behind",
    async (at) => {
      const options = {
        after: async (step: string) => {
          if (step === at) for (const key of bucket().keys("backup/shop/")) bucket().remove(key);
        },
      };
      const run = runVerify(world.context(), { environment: "prod", backupName: "shop" }, undefined, options);

      await expect(run).rejects.toMatchObject({
        name: "BackupNotFound",
        message: expect.stringContaining("was deleted while it was verified: nothing is said of it"),
      });
      expect(bucket().keys("backup/shop/")).toEqual([]);
    },
  );

  test("one that is replaced meanwhile is not judged by what it was", async () => {
    const options = {
      after: async (step: string) => {
        if (step === "prepare") bucket().seed(layout.meta.full_meta, "{}");
      },
    };
    const run = runVerify(world.context(), { environment: "prod", backupName: "shop" }, undefined, options);
    await expect(run).rejects.toMatchObject({ name: "CopyMismatch" });
    expect(proofOf()).toBeUndefined();
  });

  test("two verifications that end at once: neither loses the last good one", async () => {
    await verify({}, "good");
    world.memory.clock.sleep(60_000);
    const [key = ""] = logs();
    const body = await bytesOf(key);
    const other = runVerify(world.context(), { environment: "prod", backupName: "shop" }, executionOf("late"), {
      after: async (step) => {
        if (step !== "copy") return;
        await flip(key);
        await failed({}, "bad");
        bucket().seed(key, body);
      },
    });
    await other;
    expect(proofOf()).toMatchObject({
      last: { executionArn: executionOf("late").id },
      lastPassed: { executionArn: executionOf("late").id },
    });
    await flip(key);
    await failed({}, "worse");
    expect(proofOf()).toMatchObject({
      last: { outcome: "failed", executionArn: executionOf("worse").id },
      lastPassed: { executionArn: executionOf("late").id },
    });
  });

  test("what reading found stands until it is read again: a look at keys and sizes, or another sample, proves nothing else", async () => {
    const [key = ""] = logs();
    const body = await bytesOf(key);
    bucket().corruptBelowEtag(key);
    await failed({ readData: 100 }, "deep");
    world.memory.clock.sleep(60_000);

    const result = await verify({}, "shallow");
    await verify({ readData: 1 }, "sample").catch(() => undefined);

    expect(result.warnings).toContainEqual(expect.stringContaining("read contents and found 1 problem: that stands"));
    expect(proofOf()).toMatchObject({
      last: { outcome: "failed", executionArn: executionOf("deep").id },
      lastPassed: { outcome: "passed" },
    });
    bucket().seed(key, body);
    world.memory.clock.sleep(60_000);
    expect((await verify({ readData: 100 }, "mended")).warnings).toEqual([]);
    expect(proofOf()).toMatchObject({ last: { outcome: "passed", executionArn: executionOf("mended").id } });
  });

  test("one that is being written is none yet", async () => {
    bucket().remove(layout.meta.full_meta);
    bucket().seed(layout.claim, "{}");

    await expect(verify()).rejects.toMatchObject({ name: "BackupNotFound" });
  });
});

test("where nothing may be written beside the backup, that is said, and what was found is told all the same", async () => {
  const denied = () => new PipelineError("StoreAccessDenied", "not allowed s3:PutObject");
  bucket().failOn((call) => call === `putText ${layout.verified}`, denied, 2);

  expect(await verify()).toMatchObject({
    outcome: "verified",
    warnings: [expect.stringContaining("the outcome could not be kept beside the backup")],
  });
  const [key = ""] = logs();
  bucket().remove(key);
  expect(await failed({}, "verify-2")).toMatchObject({ name: "CorruptBackup" });
  expect(proofOf()).toBeUndefined();
});

test("lists show what was found, and the record goes with the backup", async () => {
  await verify({ readData: 100 });
  const [listed] = await listBackups(bucket(), "backup");
  expect(listed?.verified).toMatchObject({ last: { outcome: "passed", depth: "content" } });
  const stored = await findBackup(bucket(), place, "shop");
  await deleteBackup(stored, { place, holder: "d", deployment: "arn" }, world.context());
  expect(bucket().keys("backup/shop/")).toEqual([]);
});

describe("sealing", () => {
  const golden = backupLayout("backup", "golden");
  const seal = (run = "seal-1") => verify({ backupName: "golden", seal: true }, run);

  beforeEach(() => seedGolden(bucket(), "golden"));

  test("gives a backup without a manifest one, of everything that was read; later its contents are compared", async () => {
    const result = await seal();

    const index = parseManifestIndex(bucket().read(golden.manifest) ?? "", "index");
    expect(result).toMatchObject({ outcome: "sealed", depth: "size", percent: 0, readObjects: result.objects });
    expect(index).toMatchObject({ objects: result.objects, instants: [], sealed: { at: "2026-11-21T11:03:07.000Z" } });
    expect(index.schedule).toBeUndefined();
    expect(index.metas).toHaveLength(5);
    expect(bucket().read(golden.claim)).toBeUndefined();
    expect(await verify({ backupName: "golden", readData: 100 }, "after")).toMatchObject({ depth: "content" });
    const [key = ""] = bucket().keys(golden.binlogs);
    await flip(key);
    await expect(verify({ backupName: "golden" }, "then")).rejects.toMatchObject({
      message: expect.stringContaining(`altered: ${key}`),
    });
  });

  test("is refused where a manifest is, or where objects are not what the metas say", async () => {
    await expect(verify({ seal: true })).rejects.toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("has a manifest already"),
    });
    const [key = ""] = bucket().keys(golden.binlogs);
    bucket().remove(key);
    await expect(seal()).rejects.toMatchObject({ name: "CorruptBackup", message: expect.stringContaining(key) });
    expect(bucket().read(golden.manifest)).toBeUndefined();
    expect(bucket().read(golden.claim)).toBeUndefined();
  });

  test("is refused to a backup that lost the manifest it was made with, however often, and what is left of that stays", async () => {
    bucket().remove(layout.manifest);
    const left = () =>
      bucket()
        .keys(layout.manifestParts)
        .map((key) => bucket().read(key));
    const parts = left();
    const [key = ""] = logs();
    bucket().corruptBelowEtag(key);

    for (const run of ["seal-1", "seal-2"]) {
      await expect(verify({ seal: true }, run)).rejects.toMatchObject({
        name: "CorruptBackup",
        message: expect.stringContaining(`${layout.manifest} is missing`),
      });
    }

    expect(bucket().read(layout.manifest)).toBeUndefined();
    expect(parts.length).toBeGreaterThan(0);
    expect(left()).toEqual(parts);
    expect(bucket().read(layout.claim)).toBeUndefined();
  });

  test("gives no manifest to a backup that took its place while it was written", async () => {
    const other = (bucket().read(golden.meta.full_meta) ?? "").replace(/"id": ?"[^"]*"/, '"id":"another"');
    const replace = (call: string) => {
      if (call.startsWith("list ")) return false;
      if (call.includes(golden.manifestParts)) bucket().seed(golden.meta.full_meta, other);
      return false;
    };
    bucket().failOn(replace, () => new Error("never"));

    await expect(seal()).rejects.toMatchObject({ name: "CopyMismatch" });

    expect(bucket().read(golden.meta.full_meta)).toBe(other);
    expect(
      bucket()
        .keys("backup/golden/")
        .filter((key) => key.includes("manifest")),
    ).toEqual([]);
    expect(bucket().read(golden.verified)).toBeUndefined();
  });

  test("is one at a time, and nobody deletes meanwhile", async () => {
    world.memory.running.add(executionOf("seal-1").id);
    const others: string[] = [];
    await runVerify(world.context(), { environment: "prod", backupName: "golden", seal: true }, executionOf("seal-1"), {
      after: async (step) => {
        if (step !== "prepare") return;
        await seal("seal-2").catch((error: Error) => others.push(error.name));
      },
    });
    expect(others).toEqual(["AlreadyRunning"]);
    expect(bucket().read(golden.manifest)).toContain(executionOf("seal-1").id);
    expect(bucket().read(golden.claim)).toBeUndefined();
  });
});
