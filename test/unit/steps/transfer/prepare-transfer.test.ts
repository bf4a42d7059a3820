import { beforeEach, describe, expect, test } from "vitest";
import { copyBatch } from "../../../../src/core/execution/copy-plan.ts";
import { prepareTransfer } from "../../../../src/steps/transfer/prepare-transfer.ts";
import {
  executionArn,
  type TransferWorld,
  transfer,
  transferRequest,
  transferWorld,
} from "../../../support/transfer-world.ts";

let world: TransferWorld;

beforeEach(() => {
  world = transferWorld();
});

function prepare(execution = "first", input: Parameters<typeof transferRequest>[1] = {}) {
  return prepareTransfer(transferRequest(execution, input), world.context);
}

describe("what is planned", () => {
  test("every segment of the backup, from its place to the same place below the destination's root path", async () => {
    const result = await prepare();

    expect(result).toMatchObject({ outcome: "planned", backupName: "my_backup", collections: 4, segments: 12 });
    const batch = copyBatch.parse(
      JSON.parse(world.work.read("executions/transfer/first/batches/0-000000.json") ?? "null"),
    );
    expect(batch).toMatchObject({
      source: { environment: "a", side: "backup" },
      destination: { environment: "b", side: "backup" },
      checkLogCounts: false,
    });
    const [insert] = batch.segments[0]?.prefixes ?? [];
    expect(insert?.from.startsWith(`${world.from.binlogs}insert_log/470615367219551002/`)).toBe(true);
    expect(insert?.to).toBe(`${world.to.root}${insert?.from.slice(world.from.root.length)}`);
  });

  test("what the meta says of every log is what must be found", async () => {
    await prepare();

    const batch = copyBatch.parse(
      JSON.parse(world.work.read("executions/transfer/first/batches/0-000000.json") ?? "null"),
    );
    const expected = batch.segments.flatMap(({ prefixes }) =>
      prefixes.flatMap(({ from, expect: logs = [] }) => logs.map(({ path }) => from + path)),
    );
    expect(expected.sort()).toEqual(world.source.keys(world.from.binlogs));
  });

  test("nothing but the claim is written at the destination, and nobody else may write that backup there", async () => {
    world.running.add(executionArn("first"));
    await prepare("first");

    expect(world.destination.keys()).toEqual([world.to.claim]);
    await expect(prepare("second")).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringContaining("execution first"),
    });
  });

  test("the very same backup at the destination is verified again", async () => {
    await transfer(world, "first");

    expect(await prepare("second")).toMatchObject({ outcome: "already-there", segments: 12 });
  });
});

describe("what is refused before anything is copied", () => {
  test.each([
    ["an unknown source", { from: "nix" }, "UnknownEnvironment", "nix"],
    ["an unknown destination", { to: "nix" }, "UnknownEnvironment", "nix"],
    ["a name that leaves its directory", { backupName: ".." }, "InvalidInput", "backupName"],
    ["one place under two names", { from: "b", to: "b-again" }, "InvalidInput", "keep their backups in one place"],
    ["one environment for both", { to: "a" }, "InvalidInput", "there is nothing to transfer"],
    ["a backup that is not there", { backupName: "other" }, "BackupNotFound", "no backup other in a/backup"],
  ])("%s", async (_, input, name, message) => {
    await expect(prepare("first", input)).rejects.toMatchObject({ name, message: expect.stringContaining(message) });
    expect(world.work.keys().filter((key) => !key.endsWith("/environments.json"))).toEqual([]);
  });

  test("a backup without its commit record", async () => {
    world.source.remove(world.from.meta.full_meta);

    await expect(prepare()).rejects.toMatchObject({
      name: "BackupNotFound",
      message: expect.stringContaining("has no full_meta.json"),
    });
  });

  test("a commit record that cannot be read", async () => {
    world.source.seed(world.from.meta.full_meta, '{"name": "my_backup", ');

    await expect(prepare()).rejects.toMatchObject({ name: "CorruptBackup" });
  });

  test("another backup of that name at the destination, which stays as it is", async () => {
    world.destination.seed(world.to.meta.full_meta, '{"name":"my_backup"}');

    await expect(prepare()).rejects.toMatchObject({
      name: "BackupExists",
      message: expect.stringMatching(/with other content, exists in b\/backup .*copies\/backup\/my_backup\//),
    });
    expect(world.destination.read(world.to.meta.full_meta)).toBe('{"name":"my_backup"}');
  });
});
