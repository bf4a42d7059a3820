import { beforeEach, describe, expect, test } from "vitest";
import { parseClaim } from "../../../../src/core/format/claim.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import {
  markClaimFailed,
  releaseClaim,
  takeClaim,
  takeDeletionClaim,
} from "../../../../src/steps/shared/backup-claim.ts";
import { claimWatch, confirmClaim } from "../../../../src/steps/shared/claim.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { memoryContext } from "../../../support/memory-context.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

const { claim: key, meta, binlogs, root } = backupLayout("backup", "nightly");
const hour = 3_600_000;

let context: ReturnType<typeof memoryContext>;
let store: MemoryObjectStore;
let stored: StoredBackup;

beforeEach(() => {
  context = memoryContext();
  store = new MemoryObjectStore("bucket-b");
  stored = new StoredBackup(store, { rootPath: "backup" }, "nightly");
});

function execution(name: string, account = "111111111111") {
  const id = `arn:aws:states:us-east-1:${account}:execution:MilvusBackup-backup:${name}`;
  return { name, id, startTime: "2026-11-21T11:03:07.000Z" };
}
const first = execution("first");
const second = execution("second");
/** Of another account: nobody here can ask what became of it. */
const theirs = execution("theirs", "222222222222");

const take = (by = first) => takeClaim(stored, { execution: by, purpose: "backup" }, context);
const confirm = (by = first) => confirmClaim(store, { key, holder: by.id }, context);
const claim = () => parseClaim(store.read(key) ?? "");
const later = (milliseconds: number) => context.clock.sleep(milliseconds);

describe("taking a claim", () => {
  test("names the execution, its machine, when it started and that it goes on; no reader takes it for the commit record", async () => {
    const schedule = { name: "nightly", environment: "prod", stateMachine: "arn:machine" };
    await takeClaim(stored, { execution: first, purpose: "backup", schedule }, context);

    expect(claim()).toEqual({
      version: 1,
      backupName: "nightly",
      purpose: "backup",
      state: "writing",
      holder: first.id,
      stateMachine: "arn:aws:states:us-east-1:111111111111:stateMachine:MilvusBackup-backup",
      startedAt: first.startTime,
      heartbeatAt: "2026-11-21T11:03:07.000Z",
      schedule,
    });
    expect(key.startsWith(meta.full_meta)).toBe(false);
  });

  test.each([
    ["level metas that milvus-backup reads", meta.segment_meta, "meta/"],
    ["copied logs", `${binlogs}insert_log/1/2/3/3/100/4`, "binlogs/"],
    ["a file of somebody", `${root}notes.txt`, "notes.txt"],
    ["a directory of somebody", `${root}insert_log/1`, "insert_log/"],
  ])("is refused where %s lie that nobody wrote under a claim, by name, and leaves none", async (_, there, named) => {
    store.seed(there, "theirs");

    await expect(take()).rejects.toMatchObject({
      name: "BackupExists",
      message: expect.stringMatching(new RegExp(`did not write: ${named}.*delete -n nightly --incomplete`)),
    });
    expect(store.keys()).toEqual([there]);
  });

  test("looks again where it was killed before it looked", async () => {
    store.failOn(
      (call) => call.startsWith("listDirectories"),
      () => new Error("killed"),
    );
    store.seed(meta.segment_meta, "theirs");
    await expect(take()).rejects.toThrow("killed");
    expect(claim()).toMatchObject({ state: "checking" });

    await expect(take()).rejects.toMatchObject({ name: "BackupExists" });
    store.seed(key, JSON.stringify({ ...claim(), ...parseClaimOf(first, "checking") }));
    await expect(take(second), "by another execution too").rejects.toMatchObject({ name: "BackupExists" });
  });

  test("of two executions one gets it, and the other is told who has it", async () => {
    context.running.add(first.id).add(second.id);

    const results = await Promise.allSettled([take(first), take(second)]);

    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const lost = results.find((it) => it.status === "rejected");
    expect(lost?.reason).toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringMatching(/backup execution (first|second): wait until it is over, or stop it/),
    });
  });

  test("of an execution that is over takes over at once, with what it wrote", async () => {
    await take(first);
    store.seed(`${binlogs}insert_log/1/2/3/3/100/4`, "copied by the first");

    await take(second);

    expect(claim()).toMatchObject({ holder: second.id, state: "writing" });
    await expect(confirm(first)).rejects.toMatchObject({
      name: "ClaimLost",
      message: expect.stringContaining("second has it"),
    });
  });

  test("of two that take over at once, one gets it", async () => {
    await take(first);
    context.running.add(second.id).add(execution("third").id);

    const results = await Promise.allSettled([take(second), take(execution("third"))]);

    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("never goes over what no backup has", async () => {
    await take(first);
    store.seed(`${root}insert_log/1`, "a Milvus");

    await expect(take(second)).rejects.toMatchObject({
      name: "ForeignObjects",
      message: expect.stringContaining("insert_log/"),
    });
  });

  test("of another account waits until that was silent for two hours, and says until when", async () => {
    await take(theirs);
    await later(hour);

    await expect(take(first)).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringMatching(/222222222222.*cannot be asked.*free at 2026-11-21T13:03:07/),
    });
    await later(hour);
    await take(first);
    expect(claim()?.holder).toBe(first.id);
  });

  test("of a deployment here that may not be looked at does the same", async () => {
    await take(second);
    context.unknown.add(second.id);

    await expect(take(first)).rejects.toMatchObject({ name: "AlreadyRunning" });
    await later(2 * hour);
    await take(first);
  });

  test("that goes on meanwhile is never taken over", async () => {
    await take(theirs);
    for (let beats = 0; beats < 6; beats += 1) {
      await later(hour);
      await confirm(theirs);
    }

    await expect(take(first)).rejects.toMatchObject({ name: "AlreadyRunning" });
  });

  test("whose clock is ahead counts, and the message says which object it is and how it goes away", async () => {
    await take(theirs);
    store.seed(key, JSON.stringify({ ...claim(), heartbeatAt: "2031-01-01T00:00:00Z" }));

    await expect(take(first)).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringMatching(new RegExp(`a clock is wrong. Look at ${key}.*delete -n nightly --incomplete`)),
    });
    const deletion = await takeDeletionClaim(stored, { holder: "delete 1", deployment: first.id }, context);
    await stored.remove(deletion.confirm);
    await take(first);
  });

  test("that cannot be read is in the way, with what to do", async () => {
    store.seed(key, '{"version":2}');

    await expect(take()).rejects.toMatchObject({
      name: "BackupExists",
      message: expect.stringMatching(new RegExp(`${key}.*this version does not know.*delete -n nightly --incomplete`)),
    });
  });

  test("in a store that knows no conditional writes goes to one of two at most", async () => {
    context.running.add(first.id).add(second.id);
    const putText = store.putText.bind(store);
    store.putText = (at, body) => putText(at, body);

    await Promise.allSettled([take(first), take(second)]);
    const confirmed = await Promise.allSettled([confirm(first), confirm(second)]);

    expect(confirmed.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });
});

function parseClaimOf(by: { id: string }, state: string) {
  return {
    version: 1,
    backupName: "nightly",
    purpose: "backup",
    state,
    holder: by.id,
    startedAt: "2026-11-21T11:03:07Z",
    heartbeatAt: "2026-11-21T11:03:07Z",
  };
}

describe("holding a claim", () => {
  test("is said about every minute, however many ask", async () => {
    await take();
    const watch = claimWatch(store, { key, holder: first.id }, context);
    const before = store.calls.length;
    await Promise.all(Array.from({ length: 100 }, watch));
    expect(store.calls.slice(before)).toEqual([`getText ${key}`]);

    await later(61_000);
    await Promise.all(Array.from({ length: 100 }, watch));
    expect(claim()?.heartbeatAt).toBe("2026-11-21T11:04:08.000Z");
    expect(store.calls.filter((call) => call === `putText ${key}`)).toHaveLength(3);
  });

  test("many invocations of one execution say it beside each other", async () => {
    await take();
    await later(61_000);

    await Promise.all(Array.from({ length: 50 }, () => confirm()));

    expect(claim()?.heartbeatAt).toBe("2026-11-21T11:04:08.000Z");
  });

  test("puts a heartbeat from the future right", async () => {
    await take();
    store.seed(key, JSON.stringify({ ...claim(), heartbeatAt: "2031-01-01T00:00:00Z" }));

    await confirm();

    expect(claim()?.heartbeatAt).toBe("2026-11-21T11:03:07.000Z");
  });

  test.each<[string, () => unknown]>([
    ["gone", () => store.remove(key)],
    ["another's", () => store.seed(key, JSON.stringify(parseClaimOf(second, "writing")))],
    ["marked as failed", () => markClaimFailed(stored, first.id, context)],
    ["a deletion's", () => store.seed(key, JSON.stringify(parseClaimOf({ id: "delete" }, "deleting")))],
    ["unreadable", () => store.seed(key, "{")],
  ])("ends when it is %s", async (_, change) => {
    await take();
    await change();

    await expect(confirm()).rejects.toMatchObject({ name: "ClaimLost", message: expect.stringContaining(key) });
    const watch = claimWatch(store, { key, holder: first.id }, context);
    await expect(watch()).rejects.toMatchObject({ name: "ClaimLost" });
    await expect(watch(), "and stays so").rejects.toMatchObject({ name: "ClaimLost" });
  });
});

describe("giving a claim back", () => {
  test("takes away one's own only", async () => {
    await take(first);

    await releaseClaim(stored, second.id);
    expect(claim()?.holder).toBe(first.id);
    await releaseClaim(stored, first.id);
    await releaseClaim(stored, first.id);
    expect(store.keys()).toEqual([]);
  });

  test("after a failure marks it, so that a new execution goes on at once, whoever may look", async () => {
    await take(theirs);
    store.seed(`${binlogs}insert_log/1/2/3/3/100/4`, "copied");

    await markClaimFailed(stored, theirs.id, context);

    expect(claim()).toMatchObject({ state: "failed", holder: theirs.id });
    await take(first);
    expect(claim()).toMatchObject({ state: "writing", holder: first.id });
  });

  test("after a failure takes it away from a backup that is complete, or was never begun", async () => {
    store.seed(key, JSON.stringify(parseClaimOf(first, "checking")));
    await markClaimFailed(stored, first.id, context);
    expect(store.keys()).toEqual([]);

    await take();
    store.seed(meta.full_meta, "{}");
    await markClaimFailed(stored, first.id, context);
    expect(store.keys()).toEqual([meta.full_meta]);
  });

  test("that the store refuses holds no release up", async () => {
    await take();
    store.failOn(
      (call) => call.startsWith("head"),
      () => new Error("denied"),
    );

    await markClaimFailed(stored, first.id, context);

    expect(context.logged.at(-1)).toMatchObject({ level: "warn", details: { key, reason: "denied" } });
  });
});

describe("a deletion's claim", () => {
  const deleter = { holder: "delete 1", deployment: first.id };

  test("keeps writers out, and what it stops finds its claim lost", async () => {
    await take(theirs);
    await markClaimFailed(stored, theirs.id, context);
    const deletion = await takeDeletionClaim(stored, deleter, context);

    await expect(take(first)).rejects.toMatchObject({
      name: "AlreadyRunning",
      message: expect.stringContaining("is being deleted since"),
    });
    await expect(confirm(theirs)).rejects.toMatchObject({ name: "ClaimLost" });
    await deletion.giveBack();
    expect(claim()).toMatchObject({ state: "failed", holder: theirs.id });
  });

  test("that was broken off says how to finish it", async () => {
    await takeDeletionClaim(stored, deleter, context);
    await later(16 * 60_000);

    await expect(take(first)).rejects.toMatchObject({
      name: "BackupExists",
      message: expect.stringContaining('finish it with "milvus-backup delete -n nightly --incomplete"'),
    });
    await takeDeletionClaim(stored, { ...deleter, holder: "delete 2" }, context);
    expect(claim()?.holder).toBe("delete 2");
  });

  test("ends by itself when it slept for longer than it counts", async () => {
    store.seed(meta.backup_meta, "{}");
    const deletion = await takeDeletionClaim(stored, deleter, context);
    await later(16 * 60_000);

    await expect(stored.remove(deletion.confirm)).rejects.toMatchObject({ name: "ClaimLost" });
    expect(store.read(meta.backup_meta)).toBe("{}");
  });
});
