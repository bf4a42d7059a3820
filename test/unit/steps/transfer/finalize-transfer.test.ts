import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { finalizeTransfer } from "../../../../src/steps/transfer/finalize-transfer.ts";
import { prepareTransfer } from "../../../../src/steps/transfer/prepare-transfer.ts";
import {
  contentOf,
  copyBatches,
  damage,
  seedManifest,
  type TransferWorld,
  transfer,
  transferRequest,
  transferWorld,
} from "../../../support/transfer-world.ts";

let world: TransferWorld;

beforeEach(() => {
  world = transferWorld();
});

/** Everything but the last step. */
async function copied(execution = "first"): Promise<void> {
  await prepareTransfer(transferRequest(execution), world.context);
  await copyBatches(world, execution);
}

function finalize(execution = "first") {
  return finalizeTransfer(transferRequest(execution), world.context);
}

function copies(): string[] {
  return world.destination.calls.filter((call) => call.startsWith("copyFrom"));
}

async function expectSameContent(): Promise<void> {
  const [there, here] = [
    await contentOf(world.destination, world.to.root),
    await contentOf(world.source, world.from.root),
  ];
  expect(there).toEqual(here);
}

/** One log of the backup. */
function anyLog(): string {
  const [key] = world.source.keys(world.from.binlogs);
  if (key === undefined) throw new Error("the golden backup has no logs");
  return key;
}

describe("a whole transfer", () => {
  test("leaves the same backup at the destination, byte for byte, manifest included", async () => {
    await seedManifest(world.source, world.from);

    const { finalized } = await transfer(world, "first");

    await expectSameContent();
    const logs = world.source.keys(world.from.binlogs);
    expect(finalized).toMatchObject({
      outcome: "transferred",
      backupName: "my_backup",
      collections: 4,
      segments: 12,
      objects: logs.length,
      skippedObjects: 0,
    });
  });

  test("commits last: until then there is no backup at the destination", async () => {
    await copied();
    expect(world.destination.keys(world.to.metas)).toEqual([]);

    await finalize();

    const writes = world.destination.calls.filter((call) => /^(copyFrom|putText|finishText)/.test(call));
    expect(writes.at(-1)).toBe(`finishText ${world.to.meta.full_meta}`);
    expect(writes.filter((call) => call.includes("full_meta"))).toHaveLength(1);
  });

  test("goes on where it failed: what lies there is not copied again", async () => {
    const broken = anyLog();
    world.destination.failOn(
      (call) => call === `copyFrom ${broken}`,
      () => new PipelineError("StoreFailed", "full"),
    );
    await prepareTransfer(transferRequest("first"), world.context);
    await expect(copyBatches(world, "first")).rejects.toMatchObject({ name: "StoreFailed" });
    const before = world.destination.keys(world.to.binlogs).length;

    const { finalized } = await transfer(world, "second");

    expect(before).toBeGreaterThan(0);
    expect(finalized).toMatchObject({ outcome: "transferred", skippedObjects: before });
    await expectSameContent();
  });

  test("of a backup that is there already copies nothing, but what is missing or differs there", async () => {
    await seedManifest(world.source, world.from);
    const { finalized } = await transfer(world, "first");
    const [one, other, ...rest] = world.destination.keys(world.to.binlogs);
    world.destination.remove(one ?? "");
    await damage(world.destination, other ?? "");

    const { finalized: again } = await transfer(world, "second");

    expect(again).toEqual({ ...finalized, outcome: "already-there", skippedObjects: rest.length });
    await expectSameContent();
  });

  test("removes what another attempt left among the logs, as old readers import whole directories", async () => {
    const stray = `${world.to.binlogs}insert_log/470615367219551002/470615367219551003/7/7/100/1`;
    world.destination.seed("copies/backup/my_backup_2/binlogs/insert_log/1/2/3/3/100/1", "a neighbour's");
    await copied("first");
    world.destination.seed(stray, "stray");

    await transfer(world, "second");

    expect(world.destination.read(stray)).toBeUndefined();
    expect(world.destination.read("copies/backup/my_backup_2/binlogs/insert_log/1/2/3/3/100/1")).toBe("a neighbour's");
  });

  test("a last step that runs twice finds its own work", async () => {
    await copied();
    const first = await finalize();

    expect(await finalize()).toEqual(first);
  });
});

describe("a second copy", () => {
  beforeEach(async () => {
    await seedManifest(world.source, world.from);
    await transfer(world, "first");
  });

  test("never puts a damaged object over a good one, nor takes a good one for missing at the source", async () => {
    const [damaged = "", gone = "", ...rest] = world.source.keys(world.from.binlogs);
    const good = await contentOf(world.destination, world.to.root);
    await damage(world.source, damaged);
    world.source.remove(gone);
    const before = copies().length;

    const { finalized } = await transfer(world, "second");

    expect(finalized).toMatchObject({ outcome: "already-there", skippedObjects: rest.length + 2 });
    expect(await contentOf(world.destination, world.to.root)).toEqual(good);
    expect(copies().slice(before)).toEqual([]);
  });

  test("copies what is missing or wrong at the destination from a source that is right, and nothing else", async () => {
    const [missing = "", wrong = "", short = ""] = world.source.keys(world.from.binlogs);
    const at = (key: string) => world.to.root + key.slice(world.from.root.length);
    const good = await contentOf(world.destination, world.to.root);
    world.destination.remove(at(missing));
    await damage(world.destination, at(wrong));
    world.destination.seed(at(short), "cut off");
    const before = copies().length;

    await transfer(world, "second");

    expect(await contentOf(world.destination, world.to.root)).toEqual(good);
    expect(copies().slice(before).sort()).toEqual([missing, wrong, short].map((key) => `copyFrom ${key}`).sort());
  });

  test.each([
    ["missing at the destination", (key: string) => world.destination.remove(key), "is missing"],
    ["damaged at the destination", (key: string) => damage(world.destination, key), "differs"],
    ["cut off at the destination", (key: string) => world.destination.seed(key, "cut off"), "has 7 bytes"],
  ])("names what is %s and not right at the source, and copies it not", async (_, spoil, said) => {
    const log = anyLog();
    const there = world.to.root + log.slice(world.from.root.length);
    await damage(world.source, log);
    await spoil(there);
    const before = await contentOf(world.destination, world.to.root);

    await expect(transfer(world, "second")).rejects.toMatchObject({
      name: "CorruptBackup",
      message: expect.stringMatching(new RegExp(`${there} ${said} in .*${log} in .* is not what was backed up`)),
    });
    const { "milvus-backup-claim.json": _claim, ...after } = await contentOf(world.destination, world.to.root);
    expect(after).toEqual(before);
  });

  test("leaves metas and manifest parts alone that are right, and repairs those that are not", async () => {
    const good = await contentOf(world.destination, world.to.root);
    const [part = ""] = world.destination.keys(world.to.manifestParts);
    await damage(world.source, world.from.meta.segment_meta);
    await damage(world.destination, world.to.meta.partition_meta);
    world.destination.remove(part);

    await transfer(world, "second");

    expect(await contentOf(world.destination, world.to.root)).toEqual(good);
  });

  test("names a meta that is right at neither side", async () => {
    await damage(world.source, world.from.meta.segment_meta);
    world.destination.seed(world.to.meta.segment_meta, "cut off");

    await expect(transfer(world, "second")).rejects.toMatchObject({
      name: "CorruptBackup",
      message: expect.stringContaining(world.to.meta.segment_meta),
    });
    expect(world.destination.read(world.to.meta.segment_meta)).toBe("cut off");
  });
});

test("where nothing says which of two objects is right, a second copy leaves both and names them", async () => {
  await transfer(world, "first");
  const log = anyLog();
  await damage(world.source, log);
  const before = await contentOf(world.destination, world.to.root);

  await expect(transfer(world, "second")).rejects.toMatchObject({
    name: "CorruptBackup",
    message: expect.stringMatching(/differs in .*cannot be shown to be what was backed up/),
  });
  const { "milvus-backup-claim.json": _claim, ...after } = await contentOf(world.destination, world.to.root);
  expect(after).toEqual(before);
});

describe("nothing is committed", () => {
  async function refused(name: string, message: RegExp): Promise<void> {
    await expect(finalize()).rejects.toMatchObject({ name, message: expect.stringMatching(message) });
    expect(world.destination.read(world.to.meta.full_meta)).toBeUndefined();
  }

  test("where the source lacks a log that its meta names", async () => {
    const log = anyLog();
    world.source.remove(log);
    await copied();

    await refused(
      "CorruptBackup",
      /my_backup does not hold what was backed up in 1 segment: segment \d+: .*is missing/,
    );
  });

  test("where a log of the source has another size", async () => {
    world.source.seed(anyLog(), "cut off");
    await copied();

    await refused("CorruptBackup", /has 7 bytes instead of \d+/);
  });

  test("where a log of the source was damaged since it was backed up", async () => {
    await seedManifest(world.source, world.from);
    const log = anyLog();
    await damage(world.source, log);
    await copied();

    await refused(
      "CorruptBackup",
      new RegExp(`1 object is not what was backed up: ${log.slice(world.from.root.length)}`),
    );
  });

  test("where a log was damaged, and the copy lay at the destination before", async () => {
    await seedManifest(world.source, world.from);
    await damage(world.source, anyLog());
    // an earlier transfer came as far as its last step
    await copied("earlier");

    await copied();

    const skipped = JSON.parse(world.work.read("executions/transfer/first/receipts/0-000000.json") ?? "{}");
    expect(skipped.skippedObjects).toBe(skipped.objects);
    await refused("CorruptBackup", /1 object is not what was backed up/);
  });

  test("where the manifest names what the metas do not", async () => {
    await seedManifest(world.source, world.from, [`${world.from.binlogs}insert_log/1/2/3/3/100/4`]);
    await copied();

    await refused("CorruptBackup", /insert_log\/1\/2\/3\/3\/100\/4 \(in the manifest, but not in the metas\)/);
  });

  test.each<[string, (key: string) => void, RegExp]>([
    ["vanished from", (key) => world.destination.remove(key), /is missing/],
    ["was replaced at", (key) => world.destination.seed(key, "other"), /has 5 bytes instead of \d+/],
  ])("where a copy %s the destination", async (_, alter, problem) => {
    await copied();
    const [key = ""] = world.destination.keys(world.to.binlogs);
    alter(key);

    await refused("CopyMismatch", new RegExp(`nothing was committed: .*${key} ${problem.source}`));
  });

  test("where the source is replaced while its metas are copied", async () => {
    await copied();
    const list = world.source.list.bind(world.source);
    world.source.list = (prefix, options) => {
      if (prefix === world.from.manifestParts) world.source.seed(world.from.meta.full_meta, '{"name":"my_backup"}');
      return list(prefix, options);
    };

    await refused("CopyMismatch", /was replaced while it was transferred/);
  });

  test("where the metas are not those of the manifest", async () => {
    await seedManifest(world.source, world.from);
    world.source.seed(world.from.meta.full_meta, `${world.source.read(world.from.meta.full_meta)} `);
    await copied();

    await refused("CorruptBackup", /full_meta\.json .*changed since/);
  });

  test.each([
    ["deleted", () => world.source.remove(world.from.meta.full_meta)],
    ["replaced", () => world.source.seed(world.from.meta.full_meta, '{"name":"my_backup"}')],
  ])("where the source was %s meanwhile", async (what, change) => {
    await copied();
    change();

    await refused("CopyMismatch", new RegExp(`was ${what} while it was transferred`));
  });

  test("where a batch left no receipt", async () => {
    await prepareTransfer(transferRequest("first"), world.context);

    await refused("CopyMismatch", /left no receipt/);
  });

  test("where a batch was cancelled", async () => {
    await prepareTransfer(transferRequest("first"), world.context);
    world.work.seed("executions/transfer/first/cancelled", "");
    await copyBatches(world, "first");

    await refused("CopyMismatch", /not copied to the end \(cancelled\)/);
    expect(copies()).toEqual([]);
  });

  test("where somebody else has the claim by now, and nothing is removed", async () => {
    await copied();
    const stray = `${world.to.binlogs}insert_log/1/2/3/3/100/1`;
    world.destination.seed(stray, "theirs");
    const claim = world.destination.read(world.to.claim) ?? "";
    world.destination.seed(world.to.claim, claim.replaceAll("first", "other"));

    await refused("ClaimLost", /transfer:other has it \(writing\)/);
    expect(world.destination.read(stray)).toBe("theirs");
  });

  test("over a backup that somebody else wrote there meanwhile, of which nothing is removed", async () => {
    await copied();
    const theirs = `${world.to.binlogs}insert_log/1/2/3/3/100/1`;
    world.destination.seed(theirs, "theirs");
    world.destination.seed(world.to.meta.full_meta, '{"name":"my_backup"}');

    await expect(finalize()).rejects.toMatchObject({ name: "BackupExists" });
    expect(world.destination.read(theirs)).toBe("theirs");
  });

  test("over a backup that somebody else wrote there meanwhile", async () => {
    await copied();
    world.destination.seed(world.to.meta.full_meta, '{"name":"my_backup"}');

    await expect(finalize()).rejects.toMatchObject({ name: "BackupExists" });
    expect(world.destination.read(world.to.meta.full_meta)).toBe('{"name":"my_backup"}');
  });
});
