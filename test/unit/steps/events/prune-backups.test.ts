import { beforeEach, describe, expect, test } from "vitest";
import type { RetentionInput } from "../../../../src/core/deployment/events.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { type MadeBySchedule, manifestFileOf, printManifestIndex } from "../../../../src/core/format/manifest.ts";
import { planPruning, pruneBackups } from "../../../../src/steps/events/prune-backups.ts";
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
    { input, stateMachine },
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
    expect(deletions.filter((call) => call.startsWith("deleteKeys"))).toEqual(
      ["nightly_1", "nightly_2"].map((name) => `deleteKeys ${backupLayout(rootPath, name).meta.full_meta}`),
    );
    expect(deletions[1]).toBe(`deletePrefix ${backupLayout(rootPath, "nightly_1").root}`);
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

  test("finishes a deletion that was broken off, and leaves what may still be written", async () => {
    seed("nightly_9", 9);
    seed("nightly_1", 1);
    seed("nightly_20", 20);
    for (const name of ["nightly_1", "nightly_20"]) store.remove(backupLayout(rootPath, name).meta.full_meta);

    expect(await prune()).toMatchObject({ kept: 1, removedNames: ["nightly_1"] });
    expect(names()).toEqual(new Set(["nightly_9", "nightly_20"]));
  });

  test("stops where the store fails, with nothing half visible", async () => {
    for (const day of [1, 2, 3]) seed(`nightly_${day}`, day);
    const denied = new Error("denied");
    store.failOn(
      (call) => call.startsWith("deletePrefix"),
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
