import { beforeEach, describe, expect, test } from "vitest";
import { targetsLayout } from "../../../../src/core/format/layout.ts";
import { confirmClaim } from "../../../../src/steps/shared/claim.ts";
import { giveBackTargets, leasesOf, takeTargets } from "../../../../src/steps/shared/target-leases.ts";
import { memoryContext } from "../../../support/memory-context.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";
import { heldTargets, leaseOn } from "../../../support/targets.ts";

const environment = milvusEnvironment(19530);
const books = { database: "default", collection: "books" };
const carts = { database: "shop", collection: "carts" };
const hour = 3_600_000;

let context: ReturnType<typeof memoryContext>;
let store: MemoryObjectStore;

beforeEach(() => {
  context = memoryContext();
  store = new MemoryObjectStore("bucket-b");
});

function execution(name: string, account = "111111111111") {
  const id = `arn:aws:states:us-east-1:${account}:execution:MilvusBackup-restore:${name}`;
  return { name, id, startTime: "2026-11-21T11:03:07.000Z" };
}
const first = execution("first");
const second = execution("second");
/** Of another account: nobody here can ask what became of it. */
const theirs = execution("theirs", "222222222222");

const held = (by: ReturnType<typeof execution>, targets = [books]) => leasesOf(environment, by, targets);
const take = (by = first, targets = [books]) =>
  takeTargets(store, held(by, targets), { execution: by, backupName: `of-${by.name}` }, context);

describe("the lease on a target", () => {
  test("keeps others out at once, whatever backup they bring, and names who has it", async () => {
    await take(first);
    context.running.add(first.id);

    await expect(take(second)).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringMatching(
        /backup of-first is already being restored into default\.books by restore execution first: wait until it is over, or stop it/,
      ),
    });
    await expect(take(second, [carts])).resolves.toEqual(new Map());
    await expect(take(first), "of its own").resolves.toEqual(new Map());
  });

  test("is taken over at once from an execution that is over, and of two that do one gets it", async () => {
    await take(first);
    const third = execution("third");
    context.running.add(second.id).add(third.id);

    const results = await Promise.allSettled([take(second), take(third)]);

    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("of another deployment counts until two hours after it last said that it goes on, for all its targets at once", async () => {
    await take(theirs, [books, carts]);
    await context.clock.sleep(hour);
    await confirmClaim(store, { key: held(theirs).pulse, holder: theirs.id }, context);
    await context.clock.sleep(1.5 * hour);

    await expect(take(first, [carts])).rejects.toMatchObject({
      message: expect.stringMatching(
        /222222222222.*cannot be asked and said at 2026-11-21T12:03:07.*free at 2026-11-21T14:03:07/,
      ),
    });
    await context.clock.sleep(hour);
    await take(first, [carts]);
    expect(leaseOn(store, "shop.carts")).toMatchObject({ holder: first.id });
    // Its copies and imports stop, should it go on after all.
    await expect(confirmClaim(store, { key: held(theirs).pulse, holder: theirs.id }, context)).rejects.toMatchObject({
      name: "ClaimLost",
    });
  });

  test("of two restores that want the same targets in another order, one gets all", async () => {
    context.running.add(first.id).add(second.id);

    const results = await Promise.allSettled([take(first, [books, carts]), take(second, [carts, books])]);

    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const [winner, loser] = results[0]?.status === "fulfilled" ? [first, second] : [second, first];
    await giveBackTargets(store, held(loser, [books, carts]), loser.id);
    expect([leaseOn(store, "default.books"), leaseOn(store, "shop.carts")]).toMatchObject([
      { holder: winner.id },
      { holder: winner.id },
    ]);
  });

  test("in a store that knows no conditional writes, one of two keeps it", async () => {
    const conditionless = new Proxy(store, {
      get: (target, property) =>
        property === "putText"
          ? async (key: string, body: string) => target.putText(key, body)
          : (Reflect.get(target, property, target) as (...args: unknown[]) => unknown).bind?.(target),
    });
    context.running.add(first.id).add(second.id);
    const by = (one: typeof first) =>
      takeTargets(conditionless, held(one), { execution: one, backupName: "nightly" }, context);

    const results = await Promise.allSettled([by(first), by(second)]);

    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("is gone when it is given back, but for what was restored there; nobody else's is", async () => {
    await take(first, [books, carts]);
    await giveBackTargets(store, held(first, [books, carts]), second.id);
    expect(heldTargets(store)).toHaveLength(2);
    await take(first, [books, carts]);

    const last = { backupName: "nightly", backupId: "uuid", timestamp: "1", collectionId: "5" };
    await giveBackTargets(store, held(first, [books, carts]), first.id, new Map([["default.books", last]]));

    expect(heldTargets(store)).toEqual([]);
    expect(store.keys()).toHaveLength(1);
    expect(await take(second)).toEqual(new Map([["default.books", last]]));
    await giveBackTargets(store, held(second), second.id);
    expect(await take(first)).toEqual(new Map([["default.books", last]]));
  });

  test("that cannot be read is in the way, with what to do", async () => {
    const [lease] = held(first).leases;
    store.seed(lease?.key ?? "", '{"version":2}');

    await expect(take(first)).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringMatching(/does not know who restores into default\.books: .*remove that object/),
    });
  });

  test("is another one in another Milvus of the same bucket, and the same from wherever that is reached", () => {
    const lease = (rootPath: string) => targetsLayout(rootPath).lease("default.books");

    expect(lease("files_A")).not.toBe(lease("files_B"));
    expect(lease("/files_A/")).toBe(lease("files_A"));
    expect(lease("files_A")).toMatch(/^milvus-backup-staging\/targets\/[0-9a-f]{12}\/default\.books\.json$/);
  });
});
