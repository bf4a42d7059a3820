import { beforeEach, describe, expect, test } from "vitest";
import type { FinishRestoreResult, RestoreInput } from "../../../../src/core/execution/messages.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { altered } from "../../../support/altered.ts";
import type { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { PipelineWorld, type WorldEnvironment } from "../../../support/pipeline-world.ts";
import { ExecutionFailed, executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { books, seedShop } from "../../../support/seed-shop.ts";
import { stagedKeys } from "../../../support/targets.ts";
import { damage } from "../../../support/transfer-world.ts";

const layout = backupLayout("backup", "nightly");
const [, novel] = books.segments;
const l0 = { id: "470000000000000309", collectionId: books.id, partitionId: "-1", rows: 0n } as const;
const insertLog = `${layout.binlogs}insert_log/${books.id}/${books.novels}/${novel}/${novel}/100/1${novel}`;
const deltaLog = `${layout.binlogs}delta_log/${books.id}/${books.novels}/${novel}/${novel}/2${novel}`;
const l0Log = `${layout.binlogs}delta_log/${books.id}/-1/${l0.id}/9`;

/** Where the target can read the backup, and where it cannot. */
const places = {
  "read in place": { milvusAt: "backups/files", backupAt: "backups/backup" },
  staged: { milvusAt: "bucket-b/files", backupAt: "backups/backup" },
} as const;
type Place = keyof typeof places;

let world: PipelineWorld;
let backups: MemoryObjectStore;

async function backedUp(place: Place): Promise<void> {
  // one that cuts L0 segments, which reads nothing of them before
  const dr: WorldEnvironment = { ...places[place], milvus: { version: "2.6.4" } };
  const prod = { milvusAt: "bucket-a/files", backupAt: "backups/backup", milvus: { version: "2.4.0" } };
  world = new PipelineWorld({ prod, dr });
  backups = world.bucket("backups");
  seedShop(world);
  const segment = { ...l0, state: "Flushed", isL0: true, storageVersion: "0" } as const;
  world.milvus("prod").addSegment({ database: "default", collection: "books" }, segment);
  world.bucket("bucket-a").seed(`files/delta_log/${books.id}/-1/${l0.id}/9`, "deletes of all partitions");
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
}

beforeEach(() => backedUp("staged"));

function restore(rest: Partial<RestoreInput> = {}, name = "restore-1") {
  const input = { environment: "dr", backupName: "nightly", collections: ["books"], suffix: "_bak", ...rest };
  return runRestore(world.context(), input, executionOf(name)) as Promise<FinishRestoreResult>;
}

async function failed(running: Promise<unknown>): Promise<ExecutionFailed> {
  const error = await running.catch((reason: unknown) => reason);
  return error instanceof ExecutionFailed ? error : expect.fail("the restore was expected to fail");
}

function expectUntouched(): void {
  expect(world.milvus("dr").calls.join()).not.toMatch(/create|drop|rename|submitImport|load /);
  expect(stagedKeys(world.bucket("bucket-b"))).toEqual([]);
  expect(stagedKeys(world.bucket("backups"))).toEqual([]);
}

/** What nobody knows again by its ETag, of the same content. */
function uploadInParts(key: string): void {
  backups.seedInParts(key, backups.bytes(key) ?? "");
}

describe.each(Object.keys(places) as Place[])("a backup that is %s", (place) => {
  beforeEach(() => backedUp(place));

  test.each([
    ["an insert log", insertLog],
    ["a delta log", deltaLog],
    ["the delta log of an L0 segment", l0Log],
  ])("and in which %s was altered at the same size: it is named, and nothing is made in Milvus", async (_, log) => {
    await damage(backups, log);

    const { name, message } = await failed(restore());

    expect(name).toBe("CorruptBackup");
    expect(message).toContain(`${log} was altered: its content is not that of the manifest (md5:`);
    expect(message).toContain("Nothing was changed in Milvus");
    expectUntouched();
  });

  test("is compared without reading an object, and nothing more is said", async () => {
    const result = await restore();

    expect(result).toMatchObject({ outcome: "restored", warnings: [] });
    expect(backups.calls.filter((call) => call.startsWith("hasContent"))).toEqual([]);
  });

  test("and of which the manifest lost a part, or has another one", async () => {
    const part = layout.manifestPart(books.id, 0);
    const text = backups.read(part) ?? "";
    backups.seed(part, text.replace(/"etag":"./, '"etag":"z'));
    expect((await failed(restore())).message).toMatch(/its SHA-256 differs.*with verify size \(--verify size\)/);
    expectUntouched();

    backups.remove(part);
    const { name, message } = await failed(restore({}, "restore-2"));

    expect(name).toBe("CorruptBackup");
    expect(message).toContain(`${part} in backups in memory is missing`);
    expectUntouched();
    await expect(restore({ verify: "size" }, "restore-3")).resolves.toMatchObject({
      outcome: "restored",
      warnings: [],
    });
  });

  test("and whose manifest lost the entry of a part", async () => {
    const index = JSON.parse(backups.read(layout.manifest) ?? "");
    backups.seed(layout.manifest, JSON.stringify({ ...index, parts: [] }));

    expect((await failed(restore())).message).toMatch(/says that it lists 14 objects, and its parts have 0/);
    expectUntouched();
  });

  test("and whose meta was altered at the same size is not restored, unless nothing is to be compared", async () => {
    const { full_meta: key } = layout.meta;
    const text = backups.read(key) ?? "";
    backups.seed(key, text.replace('"novels"', '"sleven"'));

    for (const verify of [undefined, "size", "content"] as const) {
      const { name, message } = await failed(restore(verify && { verify }, `restore-${verify}`));
      expect(name).toBe("CorruptBackup");
      expect(message).toContain(`${key} in backups in memory is not the one that ${layout.manifest} was written for`);
      expect(message).toContain("with verify none (--verify none)");
    }
    expectUntouched();
    await expect(restore({ verify: "none" })).resolves.toMatchObject({ outcome: "restored" });
  });

  test("and has no full_meta.json has its level files compared", async () => {
    const { full_meta, partition_meta } = layout.meta;
    backups.remove(full_meta);
    backups.seed(partition_meta, (backups.read(partition_meta) ?? "").replace('"novels"', '"sleven"'));

    expect((await failed(restore())).message).toContain(`${partition_meta} in backups in memory is not the one`);
    expectUntouched();
  });

  test("with verify size is restored as it is where only contents differ", async () => {
    await damage(backups, insertLog);

    await expect(restore({ verify: "size" })).resolves.toMatchObject({ outcome: "restored", warnings: [] });

    backups.seed(insertLog, "shorter");
    expect((await failed(restore({ verify: "size", suffix: "_2" }, "restore-2"))).message).toContain("has 7 bytes");
  });

  test("with verify none is restored as it lies there, and the result says so", async () => {
    backups.seed(insertLog, "shorter");

    const result = await restore({ verify: "none" });

    expect(result.outcome).toBe("restored");
    expect(result.warnings).toEqual([expect.stringContaining("verify is none: nothing was compared")]);
  });

  test("without a manifest is compared by sizes, which is said", async () => {
    backups.remove(layout.manifest);
    await damage(backups, insertLog);

    const { warnings } = await restore();

    expect(warnings).toEqual([
      expect.stringContaining("does not say at which instant"),
      expect.stringMatching(/^14 objects were compared by key and size only: the backup has no manifest/),
    ]);
  });

  test("with the manifest of another backup is compared by sizes, which is said", async () => {
    const index = JSON.parse(backups.read(layout.manifest) ?? "");
    backups.seed(layout.manifest, JSON.stringify({ ...index, backupId: "another" }));

    const { warnings } = await restore();

    expect(warnings.at(-1)).toContain("by key and size only: the manifest that lies there is of another backup");
  });

  test.each(["no manifest", "that of another backup"])("with %s is refused with verify content", async (manifest) => {
    const index = JSON.parse(backups.read(layout.manifest) ?? "");
    if (manifest === "no manifest") backups.remove(layout.manifest);
    else backups.seed(layout.manifest, JSON.stringify({ ...index, backupId: "another" }));

    const { name, message } = await failed(restore({ verify: "content" }));

    expect(name).toBe("InvalidInput");
    expect(message).toMatch(
      /^InvalidInput: verify: content cannot be compared for backup nightly: .* takes size or none/,
    );
    expectUntouched();
    expect(world.work.keys("leases/")).toEqual([]);
    await expect(restore({ verify: "content", discard: true })).resolves.toMatchObject({ outcome: "discarded" });
  });
});

describe("objects that no ETag tells of", () => {
  beforeEach(() => backedUp("read in place"));

  test("are compared by size only, counted, with what would compare them", async () => {
    for (const log of [insertLog, l0Log]) uploadInParts(log);

    const { warnings } = await restore();

    expect(warnings).toEqual([
      expect.stringMatching(/^2 of 14 objects were compared by key and size only: .*--verify content/),
    ]);
  });

  test("are read with verify content: right, and altered", async () => {
    uploadInParts(insertLog);
    await expect(restore({ verify: "content" })).resolves.toMatchObject({ outcome: "restored", warnings: [] });

    backups.seedInParts(insertLog, altered(backups, insertLog));
    world.milvus("dr").calls.length = 0;
    const { message } = await failed(restore({ verify: "content", suffix: "_2" }, "restore-2"));

    expect(message).toContain(`${insertLog} was altered`);
    expectUntouched();
  });

  test("that are replaced while they are compared are not taken for what was listed", async () => {
    uploadInParts(insertLog);
    backups.failOn(
      (call) => {
        if (call === `hasContent ${insertLog}`) backups.seed(insertLog, altered(backups, insertLog));
        return false;
      },
      () => new Error("never"),
    );

    expect((await failed(restore({ verify: "content" }))).message).toContain(insertLog);
    expectUntouched();
  });
});

describe("what is staged", () => {
  test("is known by what came out of its copy, also where no ETag tells", async () => {
    uploadInParts(insertLog);
    await expect(restore()).resolves.toMatchObject({ outcome: "restored", warnings: [] });

    backups.seedInParts(insertLog, altered(backups, insertLog));
    world.milvus("dr").calls.length = 0;
    const { message } = await failed(restore({ suffix: "_2" }, "restore-2"));

    expect(message).toContain(`${insertLog} was altered`);
    expectUntouched();
  });

  test("is of the version that was compared: one that is altered in between is not copied", async () => {
    world.bucket("bucket-b").failOn(
      (call) => {
        if (call === `copyFrom ${insertLog}`) backups.seed(insertLog, altered(backups, insertLog));
        return false;
      },
      () => new Error("never"),
    );

    const { name, message } = await failed(restore());

    expect(name).toBe("CorruptBackup");
    expect(message).toContain(insertLog);
    expectUntouched();
  });

  test("with verify none must be there all the same, and is all that is copied", async () => {
    backups.seed(`${insertLog}9`, "a stranger");
    await restore({ verify: "none" });
    expect(world.bucket("bucket-b").calls.join()).not.toContain(`${insertLog}9`);

    backups.remove(deltaLog);
    world.milvus("dr").calls.length = 0;
    const { name, message } = await failed(restore({ verify: "none", suffix: "_2" }, "restore-2"));

    expect(name).toBe("CorruptBackup");
    expect(message).toContain(`${deltaLog} not there any more`);
    expectUntouched();
  });
});

test("with verify none no segment of a backup that is read in place is compared", async () => {
  await backedUp("read in place");
  backups.calls.length = 0;

  await restore({ verify: "none" });

  expect(world.work.read(workLayout("restore", "restore-1").items(0))).toBe("[]");
  // which timestamps a segment holds is looked up for the row count, and whether a collection's first log can be read, whatever is compared
  const ofSegments = new RegExp(`^list ${layout.binlogs}insert_log/\\d+/.`);
  const lists = backups.calls.filter((call) => ofSegments.test(call));
  expect(lists.filter((call) => !call.endsWith("/1/"))).toEqual([]);
});

test("many altered objects are counted, and a few are named", async () => {
  for (const key of backups.keys(layout.binlogs)) await damage(backups, key);

  const { message } = await failed(restore());

  expect(message).toContain("does not hold what was backed up in 4 segments");
  expect(message).toContain("and 2 more");
  expectUntouched();
});
