import { beforeEach, describe, expect, test } from "vitest";
import type { RetentionInput } from "../../../../src/core/deployment/events.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import {
  type MadeBySchedule,
  manifestFileOf,
  printManifestIndex,
  printManifestObject,
} from "../../../../src/core/format/manifest.ts";
import { applyPruning, planPruning, pruneBackups } from "../../../../src/steps/events/prune-backups.ts";
import { markClaimFailed, takeClaim } from "../../../../src/steps/shared/backup-claim.ts";
import { markReader, readerKeyOf } from "../../../../src/steps/shared/readers.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { memoryContext } from "../../../support/memory-context.ts";
import type { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";
import { seedBackup } from "../../../support/seed-backup.ts";

const stateMachine = "arn:aws:states:eu-west-1:111122223333:stateMachine:MilvusBackup-backup";
const nightly: MadeBySchedule = { name: "nightly", environment: "prod", stateMachine };
const input: RetentionInput = { schedule: "nightly", environment: "prod", keep: { last: 1 }, timeZone: "UTC" };

let memory: ReturnType<typeof memoryContext>;
let store: MemoryObjectStore;
let rootPath: string;

beforeEach(() => {
  memory = memoryContext();
  store = memory.store({ environment: "prod", side: "backup" });
  rootPath = environment().backupStorage.rootPath;
});

function environment() {
  return { ...milvusEnvironment(19530), name: "prod" };
}
const prune = () =>
  pruneBackups(
    { input, stateMachine, execution: `${stateMachine}:one` },
    { ...memory, environments: { get: async () => ({ ...environment(), version: "1" }) } },
  );

/** A whole backup of the schedule, made `day` of November 2026. */
function seed(name: string, day: number, schedule: MadeBySchedule | undefined = nightly, backupName = name): void {
  const layout = backupLayout(rootPath, name);
  seedBackup(store, name, { rootPath });
  const manifest = printManifestIndex({
    backupName,
    backupId: "id",
    created: new Date(Date.UTC(2026, 10, day)).toISOString(),
    pipelineVersion: "0.1.0",
    ...(schedule && { schedule }),
    instants: [],
    metas: [manifestFileOf("meta/full_meta.json", goldenFiles.full_meta)],
    parts: [],
  });
  store.seed(layout.manifest, manifest);
}
const names = () => new Set(store.keys().map((key) => key.slice(rootPath.length + 1).split("/")[0]));

describe("pruneBackups", () => {
  test("deletes whole backups of the schedule, oldest first, each with its commit record first", async () => {
    for (const day of [3, 1, 2]) seed(`nightly_${day}`, day);

    const result = await prune();

    expect(result).toMatchObject({
      kept: 1,
      removed: 2,
      keptNames: ["nightly_3"],
      removedNames: ["nightly_1", "nightly_2"],
    });
    expect([...names()]).toEqual(["nightly_3"]);
    const deletions = store.calls.filter((call) => call.startsWith("delete"));
    for (const [index, name] of ["nightly_1", "nightly_2"].entries()) {
      const { claim, meta } = backupLayout(rootPath, name);
      const [first, rest, last] = deletions.slice(3 * index);
      expect(first).toBe(`deleteKeys ${meta.full_meta}`);
      expect(rest).toContain(meta.backup_meta);
      expect(last).toBe(`deleteKeys ${claim}`);
    }
  });

  test.each<[string, MadeBySchedule | undefined, string?]>([
    ["no schedule made", undefined],
    ["another schedule made", { ...nightly, name: "hourly" }],
    ["the schedule made of another environment", { ...nightly, environment: "dr" }],
    ["another deployment made", { ...nightly, stateMachine: `${stateMachine}2` }],
    ["was copied to another name", nightly, "nightly_1"],
  ])("leaves alone what %s, whatever its name is", async (_, schedule, backupName) => {
    seed("nightly_9", 9);
    seed("nightly_0", 1, schedule ?? undefined, backupName);
    if (schedule === undefined) {
      const { manifest } = backupLayout(rootPath, "nightly_0");
      store.seed(manifest, (store.read(manifest) ?? "").replace(/"schedule": \{[^}]*\},/, ""));
    }

    expect(await prune()).toMatchObject({ removed: 0 });
    expect(names()).toEqual(new Set(["nightly_0", "nightly_9"]));
  });

  test("leaves alone what has no manifest, or one that cannot be read", async () => {
    seed("nightly_9", 9);
    seedBackup(store, "nightly_0", { rootPath });
    seed("nightly_1", 1);
    store.seed(backupLayout(rootPath, "nightly_1").manifest, "{");

    expect(await prune()).toMatchObject({ kept: 1, removed: 0 });
  });

  test("keeps the last one whose commit record is what its manifest says", async () => {
    for (const day of [1, 2, 3]) seed(`nightly_${day}`, day);
    store.seed(backupLayout(rootPath, "nightly_3").meta.full_meta, "cut off");

    expect(await prune()).toMatchObject({ keptNames: ["nightly_3", "nightly_2"], removedNames: ["nightly_1"] });
  });

  /** What a verification of a backup said. */
  function seedVerified(name: string, outcome: "passed" | "failed", at = "2026-11-20T12:00:00.000Z"): void {
    const last = {
      at,
      outcome,
      depth: "content",
      percent: 100,
      objects: 1,
      bytes: 1,
      problems: 3,
      executionArn: "arn",
    };
    store.seed(backupLayout(rootPath, name).verified, JSON.stringify({ version: 1, last }));
  }

  test("keeps the last one that was verified, says so, and lets it go for a newer one", async () => {
    for (const day of [1, 2, 3]) seed(`nightly_${day}`, day);
    seedVerified("nightly_1", "passed");
    seedVerified("nightly_2", "passed");

    expect(await prune()).toMatchObject({
      keptNames: ["nightly_3", "nightly_2"],
      removedNames: ["nightly_1"],
      warnings: ["backup nightly_2 stays: it is the last one that was verified, and no newer one is yet"],
    });
    seedVerified("nightly_3", "passed");
    expect(await prune()).toMatchObject({ keptNames: ["nightly_3"], removedNames: ["nightly_2"], warnings: [] });
  });

  test("deletes nothing in favour of one that a verification found damaged, and says so", async () => {
    for (const day of [1, 2, 3]) seed(`nightly_${day}`, day);
    seedVerified("nightly_3", "failed");

    expect(await prune()).toMatchObject({
      keptNames: ["nightly_3", "nightly_2"],
      removedNames: ["nightly_1"],
      warnings: [
        "backup nightly_3 is damaged, and nothing is deleted in its favour: its verification of 2026-11-20T12:00:00.000Z found 3 problems",
      ],
    });
  });

  test("finishes a deletion that was broken off, and leaves what may still be written", async () => {
    seed("nightly_9", 9);
    seed("nightly_1", 1);
    seed("nightly_20", 20);
    for (const name of ["nightly_1", "nightly_20"]) store.remove(backupLayout(rootPath, name).meta.full_meta);

    expect(await prune()).toMatchObject({ kept: 1, removedNames: ["nightly_1"] });
    expect(names()).toEqual(new Set(["nightly_9", "nightly_20"]));
  });

  describe("a backup that is not whole", () => {
    /** One whose manifest lists its one log. */
    function seedWithLog(name: string, day: number): string {
      const layout = backupLayout(rootPath, name);
      seed(name, day);
      const key = `${layout.binlogs}insert_log/1/2/3/3/100/4`;
      const log = { from: key, key, size: 3, etag: "etag" };
      const text = printManifestObject(log, layout);
      const part = { ...manifestFileOf("manifest/1-0.jsonl", text), collectionId: "1", objects: 1, bytes: log.size };
      store.seed(`${layout.root}manifest/1-0.jsonl`, text);
      const index = JSON.parse(store.read(layout.manifest) ?? "");
      store.seed(layout.manifest, JSON.stringify({ ...index, objects: 1, parts: [part] }));
      return key;
    }

    test.each<[string, (key: string) => void]>([
      ["lacks an object", (key) => store.remove(key)],
      ["has an object of another size", (key) => store.seed(key, "cut off")],
      ["lacks a meta", (key) => store.remove(key.replace(/binlogs.*/, "meta/segment_meta.json"))],
      ["lacks a part of its manifest", (key) => store.remove(key.replace(/binlogs.*/, "manifest/1-0.jsonl"))],
      ["has another part of its manifest", (key) => store.seed(key.replace(/binlogs.*/, "manifest/1-0.jsonl"), "{}")],
    ])("because it %s: nothing is deleted in its favour", async (_, damage) => {
      seedWithLog("nightly_1", 1);
      const layout = backupLayout(rootPath, "nightly_2");
      const key = seedWithLog("nightly_2", 2);
      const index = JSON.parse(store.read(layout.manifest) ?? "");
      const segmentMeta = manifestFileOf("meta/segment_meta.json", goldenFiles.segment_meta);
      store.seed(layout.manifest, JSON.stringify({ ...index, metas: [...index.metas, segmentMeta] }));
      damage(key);

      expect(await prune()).toMatchObject({
        kept: 2,
        removed: 0,
        warnings: [expect.stringMatching(/nightly_2 is not whole, and nothing is deleted in its favour: /)],
      });
    });

    test("does not keep older whole ones from standing for their days", async () => {
      for (const day of [1, 2, 3]) seedWithLog(`nightly_${day}`, day);
      store.remove(`${backupLayout(rootPath, "nightly_3").binlogs}insert_log/1/2/3/3/100/4`);

      expect(await prune()).toMatchObject({ keptNames: ["nightly_3", "nightly_2"], removedNames: ["nightly_1"] });
    });
  });

  describe("what a failed backup left", () => {
    const execution = {
      name: "two",
      id: `${stateMachine.replace(":stateMachine:", ":execution:")}:two`,
      startTime: "2026-11-19T03:00:00Z",
    };
    const day = 86_400_000;

    async function leave(name: string, schedule = nightly): Promise<StoredBackup> {
      const stored = new StoredBackup(store, { rootPath }, name);
      await takeClaim(stored, { execution, purpose: "backup", schedule }, memory);
      store.seed(`${stored.layout.binlogs}insert_log/1/2/3/3/100/4`, "copied");
      return stored;
    }

    test("goes after a day, which its claim tells, and not before", async () => {
      seed("nightly_9", 9);
      await markClaimFailed(await leave("nightly_0"), execution.id, memory);
      await memory.clock.sleep(day - 60_000);
      expect(await prune()).toMatchObject({ removed: 0 });

      await memory.clock.sleep(120_000);
      expect(await prune()).toMatchObject({ kept: 1, removedNames: ["nightly_0"], objects: 1 });
      expect(names()).toEqual(new Set(["nightly_9"]));
    });

    test("goes when keep.failed says", async () => {
      await markClaimFailed(await leave("nightly_0"), execution.id, memory);
      await memory.clock.sleep(3 * 3_600_000);

      const pruneBy = (failed: string | number) => {
        const keep = { last: 1, failed };
        const context = { ...memory, environments: { get: async () => ({ ...environment(), version: "1" }) } };
        return pruneBackups({ input: { ...input, keep }, stateMachine, execution: execution.id }, context);
      };
      expect(await pruneBy("4h")).toMatchObject({ removed: 0 });
      expect(await pruneBy(2)).toMatchObject({ removedNames: ["nightly_0"] });
    });

    test("stays while it is written, however old it is, and goes when its execution ended without a word", async () => {
      await leave("nightly_0");
      memory.running.add(execution.id);
      await memory.clock.sleep(3 * day);

      expect(await prune()).toMatchObject({
        removed: 0,
        warnings: [expect.stringContaining("is already being written by backup execution two")],
      });
      memory.running.clear();
      expect(await prune()).toMatchObject({ removedNames: ["nightly_0"] });
    });

    test("of another schedule or of nobody's stays", async () => {
      await leave("nightly_0", { ...nightly, name: "hourly" });
      seedBackup(store, "nightly_1", { rootPath, without: ["full_meta"] });
      await memory.clock.sleep(30 * day);

      expect(await prune()).toMatchObject({ removed: 0 });
    });

    test("that was finished between the look and the deletion stays", async () => {
      const stored = await leave("nightly_0");
      await memory.clock.sleep(2 * day);
      const madeBy = nightly;
      const plan = await planPruning({ madeBy, input }, store, rootPath, memory.clock.now());
      expect(plan.leftovers).toEqual(["nightly_0"]);
      store.seed(stored.layout.meta.full_meta, goldenFiles.full_meta);

      const where = { store, place: environment().backupStorage, madeBy, holder: "test" };
      expect(await applyPruning(plan, where, memory)).toMatchObject({ removed: 0 });
      expect(store.read(stored.layout.meta.full_meta)).toBeDefined();
    });
  });

  test("leaves a backup alone that somebody reads, says who, and deletes the others", async () => {
    for (const day of [1, 2, 3]) seed(`nightly_${day}`, day);
    const reader = { name: "slow", id: `${stateMachine}:slow`, startTime: "2026-11-21T03:00:00Z" };
    const stored = new StoredBackup(store, { rootPath }, "nightly_1");
    const key = readerKeyOf(stored, environment().backupStorage, "restore", reader);
    await markReader(memory, stored, key, reader);
    memory.running.add(reader.id);

    expect(await prune()).toMatchObject({
      removedNames: ["nightly_2"],
      warnings: [expect.stringContaining("nightly_1 in ")],
    });
    expect(names()).toEqual(new Set(["nightly_1", "nightly_3"]));

    memory.running.clear();
    expect(await prune()).toMatchObject({ removedNames: ["nightly_1"], warnings: [] });
  });

  test("leaves locked backups alone until their time is over, and tells until when", async () => {
    memory = memoryContext();
    store = memory.store({ environment: "prod", side: "backup" }, { objectLock: true });
    for (const day of [1, 2, 3]) seed(`nightly_${day}`, day);
    const { full_meta } = backupLayout(rootPath, "nightly_1").meta;
    await store.extendLock(full_meta, { mode: "governance", until: "2026-11-25T00:00:00.000Z" });

    expect(await prune()).toMatchObject({
      removedNames: ["nightly_2"],
      locked: 1,
      lockedNames: ["nightly_1 is locked until 2026-11-25 00:00 UTC (governance)"],
      warnings: [],
    });
    expect(store.read(full_meta)).toBeDefined();

    await memory.clock.sleep(4 * 86_400_000);
    const after = await prune();
    expect(after).toMatchObject({ removedNames: ["nightly_1"] });
    expect(after.locked).toBeUndefined();
  });

  test("leaves a backup alone beside which somebody keeps something", async () => {
    for (const day of [1, 2]) seed(`nightly_${day}`, day);
    store.seed(`${backupLayout(rootPath, "nightly_1").root}notes.txt`, "mine");

    expect(await prune()).toMatchObject({ removed: 0, warnings: [expect.stringContaining("notes.txt")] });
  });

  test("finds a deletion again that it did not finish, whatever is left of it", async () => {
    for (const day of [1, 2]) seed(`nightly_${day}`, day);
    const { claim, manifest } = backupLayout(rootPath, "nightly_1");
    store.failOn(
      (call) => call === `deleteKeys ${claim}`,
      () => new Error("killed"),
    );
    await expect(prune()).rejects.toThrow("killed");
    expect(store.read(manifest)).toBeUndefined();
    expect(store.read(claim)).toBeDefined();
    await memory.clock.sleep(2 * 86_400_000);

    expect(await prune()).toMatchObject({ removedNames: ["nightly_1"] });
    expect(names()).toEqual(new Set(["nightly_2"]));
  });

  test("stops where the store fails, with nothing half visible", async () => {
    for (const day of [1, 2, 3]) seed(`nightly_${day}`, day);
    const denied = new Error("denied");
    store.failOn(
      (call) => call.includes(backupLayout(rootPath, "nightly_1").meta.backup_meta),
      () => denied,
    );

    await expect(prune()).rejects.toBe(denied);

    expect(store.read(backupLayout(rootPath, "nightly_1").meta.full_meta)).toBeUndefined();
    expect(store.read(backupLayout(rootPath, "nightly_2").meta.full_meta)).toBeDefined();
  });
});

test("planPruning deletes nothing", async () => {
  for (const day of [1, 2]) seed(`nightly_${day}`, day);

  const plan = await planPruning({ madeBy: nightly, input }, store, rootPath, new Date("2026-11-21T00:00:00Z"));

  expect(plan.remove.map(({ name }) => name)).toEqual(["nightly_1"]);
  expect(names()).toEqual(new Set(["nightly_1", "nightly_2"]));
  expect(store.calls.filter((call) => call.startsWith("delete"))).toEqual([]);
});
