import { expect, test } from "vitest";
import type { LockSettings } from "../../../../src/core/execution/object-lock.ts";
import { damage, seedManifest, transfer, transferWorld } from "../../../support/transfer-world.ts";

const lock: LockSettings = { for: "30d", mode: "governance" };
const until = "2026-12-21T11:03:07.000Z";

async function world() {
  const made = transferWorld({ objectLock: true });
  await seedManifest(made.source, made.from);
  return made;
}

const locksOf = ({ destination, to }: ReturnType<typeof transferWorld>) => [
  ...new Set(destination.keys(to.root).map((key) => destination.lockAt(key)?.until ?? `${key} is not locked`)),
];

test("a copy is locked whole, byte for byte what the source is", async () => {
  const made = await world();

  const { finalized } = await transfer(made, "first", { lock });

  expect(finalized.lock).toEqual({ mode: "governance", until });
  expect(locksOf(made)).toEqual([until]);
  expect(made.destination.read(made.to.manifest)).toBe(made.source.read(made.from.manifest));
});

test("a copy that is there already is locked where it lies, and what is repaired too", async () => {
  const made = await world();
  await transfer(made, "first");
  const [damaged = ""] = made.destination.keys(made.to.binlogs);
  await damage(made.destination, damaged);

  const { finalized } = await transfer(made, "second", { lock });

  expect(finalized).toMatchObject({ outcome: "already-there", lock: { until } });
  expect(locksOf(made)).toEqual([until]);
});

test("without a lock nothing of the copy is locked", async () => {
  const made = await world();

  const { finalized } = await transfer(made, "first");

  expect(finalized.lock).toBeUndefined();
  expect(locksOf(made).every((one) => one.endsWith("is not locked"))).toBe(true);
});

test("a destination without Object Lock is refused before anything is copied", async () => {
  const made = transferWorld();

  await expect(transfer(made, "first", { lock })).rejects.toMatchObject({
    name: "InvalidInput",
    message: expect.stringContaining("has no Object Lock"),
  });
  expect(made.destination.keys()).toEqual([]);
});
