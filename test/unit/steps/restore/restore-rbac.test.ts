import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import type { Rbac } from "../../../../src/core/milvus/rbac.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { ExecutionFailed, executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const hash = "$2a$10$a-hash-that-nobody-sees";
const rbac: Rbac = {
  users: [{ name: "app", password: hash, roles: ["reader"] }],
  roles: ["reader"],
  grants: [
    {
      ...{ role: "reader", object: "Collection", objectName: "books" },
      ...{ privilege: "Search", grantor: "root", database: "default" },
    },
  ],
  privilegeGroups: [{ name: "looking", privileges: ["Query"] }],
};
const backup = { environment: "prod", backupName: "nightly", rbac: true };
const restore = { environment: "dr", backupName: "nightly", rbac: true };
const first = executionOf("first");
const second = executionOf("second");
const { meta } = backupLayout("backup", "nightly");
const added = (restored: number, present = 0, leftOut = 0) => ({ restored, present, leftOut });

function seededWorld(versions: { prod?: string; dr?: string } = {}): PipelineWorld {
  const world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version: versions.prod ?? "2.4.15" } },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: { version: versions.dr ?? "2.5.4" } },
  });
  seedShop(world);
  world.milvus("prod").rbac = rbac;
  world.registerAnew("dr", { milvus: { ...world.environment("dr").milvus, user: "root" } });
  return world;
}

async function backedUp(versions: { prod?: string; dr?: string } = {}): Promise<PipelineWorld> {
  const world = seededWorld(versions);
  await runBackup(world.context(), backup);
  return world;
}

/** Everything that anybody but the store of the backup and Milvus keeps or shows. */
function shown(world: PipelineWorld, ...answers: readonly unknown[]): string {
  const files = world.work.keys().map((key) => world.work.read(key));
  return JSON.stringify([
    files,
    world.memory.logged,
    answers.map((answer) => (answer instanceof Error ? [answer.message, answer.stack] : answer)),
  ]);
}

describe("a backup with rbac", () => {
  test("has what the Milvus tells, in full_meta.json alone", async () => {
    const world = seededWorld();

    const result = await runBackup(world.context(), backup);

    expect(result).toMatchObject({ rbac: { users: 1, roles: 1, grants: 1, privilegeGroups: 1 }, warnings: [] });
    const bucket = world.bucket("bucket-b");
    const { value } = parseFullMeta(bucket.read(meta.full_meta) ?? "");
    expect(value.rbac_meta).toMatchObject({ users: [{ user: "app", password: hash, roles: [{ name: "reader" }] }] });
    const holders = bucket.keys().filter((key) => bucket.read(key)?.includes(hash));
    expect(holders).toEqual([meta.full_meta]);
    expect(shown(world, result)).not.toContain(hash);
  });

  test("without it has nothing of them, and asks for nothing", async () => {
    const world = seededWorld();

    const result = await runBackup(world.context(), { ...backup, rbac: false });

    expect(result).not.toHaveProperty("rbac");
    expect(world.bucket("bucket-b").read(meta.full_meta)).not.toContain("rbac_meta");
    expect(world.milvus("prod").calls).not.toContain("describeRbac");
  });

  test("of a Milvus that tells no passwords says so", async () => {
    const world = seededWorld({ prod: "2.3.5" });

    const { rbac: counts, warnings } = await runBackup(world.context(), backup);

    expect(counts).toMatchObject({ users: 1 });
    expect(warnings).toEqual([
      expect.stringMatching(/^the users \(1\) are in the backup with their roles and without their passwords/),
    ]);
    expect(world.bucket("bucket-b").read(meta.full_meta)).toContain(
      '"users":[{"user":"app","roles":[{"name":"reader"}]}]',
    );
  });

  test("whose user may not see users fails before anything is flushed", async () => {
    const world = seededWorld();
    world.milvus("prod").fail("describeRbac", new Error("denied"));

    await expect(runBackup(world.context(), backup)).rejects.toThrow("denied");

    expect(world.milvus("prod").calls.filter((call) => call.startsWith("flush "))).toEqual([]);
  });

  test("whose last step ends right behind the commit, and runs again when users have changed, is complete", async () => {
    const undisturbed = new FaultInjector();
    await runBackup(seededWorld().context(undisturbed), backup);
    const commit = undisturbed.calls.findIndex((call) => call.includes(`upload of ${meta.full_meta}.finish`));
    expect(commit).toBeGreaterThan(0);
    const world = seededWorld();
    const change = () => {
      world.milvus("prod").rbac = { ...rbac, users: [] };
    };

    const result = await runBackup(world.context(new FaultInjector(commit, "after")), backup, first, {
      retries: 1,
      failed: change,
    });

    expect(result).toMatchObject({ outcome: "backed-up", rbac: { users: 1 } });
  });
});

describe("a restore with rbac", () => {
  test("makes all of it behind the collections, tells how much, and shows no password anywhere", async () => {
    const world = await backedUp();

    const result = await runRestore(world.context(), restore);

    expect(world.milvus("dr").rbac).toEqual(rbac);
    expect(result).toMatchObject({
      outcome: "restored",
      rbac: { users: added(1), roles: added(1), grants: added(1), privilegeGroups: added(1) },
    });
    const { calls } = world.milvus("dr");
    expect(calls.lastIndexOf("addRbac")).toBeGreaterThan(
      calls.findLastIndex((call) => call.startsWith("renameCollection")),
    );
    expect(shown(world, result, calls)).not.toContain(hash);
    expect(world.work.keys("restores/")).toEqual([]);
  });

  test("twice is harmless: the second finds everything there and changes nothing", async () => {
    const world = await backedUp();
    await runRestore(world.context(), restore);

    const again = await runRestore(world.context(), { ...restore, dropExisting: true }, second);

    expect(again).toMatchObject({
      rbac: { users: added(0, 1), roles: added(0, 1), grants: added(0, 1) },
      warnings: [],
    });
    expect(world.milvus("dr").rbac).toEqual(rbac);
    expect(world.milvus("dr").calls.filter((call) => call === "addRbac")).toHaveLength(1);
  });

  test("leaves a user that is there as it is, with its own password, and says so", async () => {
    const world = await backedUp();
    const own = { name: "app", password: "its-own-hash", roles: [] };
    world.milvus("dr").rbac = { users: [own], roles: [], grants: [], privilegeGroups: [] };

    const result = await runRestore(world.context(), restore);

    expect(world.milvus("dr").rbac.users).toEqual([own]);
    expect(result).toMatchObject({ rbac: { users: added(0, 1), roles: added(1) } });
    const warning =
      "user app is there already: it keeps its password, which is another one, and its roles; of those in the backup it has not reader";
    expect(result).toMatchObject({ warnings: [warning] });
    expect(shown(world, result)).not.toMatch(/its-own-hash|a-hash-that/);
  });

  test("without it makes nobody, whatever the backup holds", async () => {
    const world = await backedUp();

    const result = await runRestore(world.context(), { ...restore, rbac: false });

    expect(result).not.toHaveProperty("rbac");
    expect(world.milvus("dr").rbac.users).toEqual([]);
  });

  test("of a backup of Milvus 2.3 makes roles and grants there, and tells which users to make", async () => {
    const world = await backedUp({ prod: "2.3.5", dr: "2.3.5" });
    world.milvus("dr").unknownPrivileges.add("Search");

    const result = await runRestore(world.context(), restore);

    expect(world.milvus("dr").rbac).toMatchObject({ users: [], roles: ["reader"] });
    expect(result).toMatchObject({ rbac: { users: added(0, 0, 1), roles: added(1), grants: added(0, 0, 1) } });
    expect(result).toMatchObject({
      warnings: [
        expect.stringMatching(/^left out the privilege groups looking/),
        expect.stringMatching(/^user app was not made.* the roles reader$/),
        expect.stringMatching(/: Search on Collection default\.books to reader \(there is no privilege Search\)$/),
      ],
    });
  });

  test.each([
    {
      what: "a backup that holds none",
      before: async () => {
        const world = seededWorld();
        await runBackup(world.context(), { ...backup, rbac: false });
        return world;
      },
      name: "InvalidInput",
      message: /holds no users, roles or grants/,
    },
    {
      what: "no user to say who grants, into Milvus 2.3",
      before: async () => {
        const world = await backedUp({ prod: "2.3.5", dr: "2.3.5" });
        world.registerAnew("dr", { milvus: { ...world.environment("dr").milvus, user: "" } });
        return world;
      },
      name: "InvalidInput",
      message: /set milvus\.user \(root, say\) in environment dr/,
    },
    {
      what: "a user that may not make any",
      before: async () => {
        const world = await backedUp();
        world.milvus("dr").deniedCalls.add("RestoreRBAC");
        return world;
      },
      name: "MilvusUnauthenticated",
      message: /environment dr may not call RestoreRBAC/,
    },
  ])("with $what is refused before anything is made", async ({ before, name, message }) => {
    const world = await before();

    await expect(runRestore(world.context(), restore)).rejects.toMatchObject({
      name,
      message: expect.stringMatching(message),
    });

    expect(world.milvus("dr").calls.filter((call) => /^(create|add|rename)/.test(call))).toEqual([]);
  });

  test("looks again where somebody made a role of that name in between", async () => {
    const world = await backedUp();
    const milvus = world.milvus("dr");
    const refused = new PipelineError("MilvusFailed", "role [reader] already exists");
    milvus.fail("addRbac", refused, {
      times: 1,
      when: () => {
        milvus.rbac = { ...milvus.rbac, roles: ["reader"] };
        return true;
      },
    });

    const result = await runRestore(world.context(), restore);

    expect(milvus.rbac).toEqual(rbac);
    expect(result).toMatchObject({ rbac: { users: added(1), grants: added(1) }, warnings: [] });
  });

  test("tells what Milvus refuses for good, and that the collections are in place", async () => {
    const world = await backedUp();
    world.milvus("dr").fail("addRbac", new PipelineError("MilvusFailed", "privilege group [] does not exist"));

    await expect(runRestore(world.context(), restore)).rejects.toMatchObject({
      name: "MilvusFailed",
      message: expect.stringMatching(
        /privilege group \[\] does not exist.*in place with all rows, but maybe without aliases, users and roles/,
      ),
    });
    expect(
      JSON.parse(world.work.read(world.work.keys("restores/").find((key) => key.endsWith("rbac.json")) ?? "") ?? ""),
    ).toMatchObject({ users: [] });
  });

  test("by a trigger wants a signature", async () => {
    const world = await backedUp();

    await expect(runRestore(world.context(), { ...restore, trigger: "arrived" })).rejects.toMatchObject({
      name: "InvalidInput",
      message: expect.stringContaining("signedBy"),
    });
  });

  test("of a backup that was replaced while it ran makes nobody", async () => {
    const world = await backedUp();
    const replace = (step: string) => {
      if (step !== "recreate") return;
      const text = world.bucket("bucket-b").read(meta.full_meta) ?? "";
      world.bucket("bucket-b").seed(meta.full_meta, text.replace('"user":"app"', '"user":"eve"'));
    };

    const run = runRestore(world.context(), restore, first, { after: replace });

    await expect(run).rejects.toMatchObject({
      name: "CopyMismatch",
      message: expect.stringContaining("no users or roles"),
    });
    expect(world.milvus("dr").rbac.users).toEqual([]);
  });
});

describe("a restore with rbac that is killed", () => {
  let calls: readonly string[];
  /** What is called of the first look at users until the result is written. */
  let during: readonly number[];

  beforeEach(async () => {
    const world = await backedUp();
    const faults = new FaultInjector();
    await runRestore(world.context(faults), restore, second);
    calls = faults.calls;
    const [begin, end] = ["dr.load ", "result.json"].map((part) => calls.findLastIndex((call) => call.includes(part)));
    during = calls.flatMap((_, at) => (at >= (begin ?? 0) && at <= (end ?? 0) ? [at] : []));
  });

  test.each(["before", "after"] as const)(
    "%s any call of its last step ends the same by the same command",
    async (moment) => {
      expect(during.map((at) => calls[at])).toContainEqual(expect.stringContaining("addRbac"));
      for (const at of during) {
        const world = await backedUp();
        const failed = await runRestore(world.context(new FaultInjector(at, moment)), restore, first).catch(
          (error: unknown) => error,
        );
        // a call that waits for a load may not come in every run
        if (!(failed instanceof ExecutionFailed)) continue;
        // of some the collections are gone on from, of others everything is there: a restore of its own then
        const again = await runRestore(world.context(), restore, second).catch((error: Error) => error);

        const { users, ...others } = world.milvus("dr").rbac;
        expect({ users, ...others }, calls[at]).toEqual(rbac);
        if (!(again instanceof Error))
          expect(again, calls[at]).toMatchObject({ rbac: { users: added(1), grants: added(1) } });
        else expect(again, calls[at]).toMatchObject({ name: "TargetExists" });
        expect(shown(world, failed, again), calls[at]).not.toContain(hash);
      }
    },
  );

  test("while its user was made without its roles, gives it these", async () => {
    const world = await backedUp();
    const milvus = world.milvus("dr");
    const half = async () => {
      milvus.rbac = { ...rbac, users: [{ name: "app", password: hash, roles: [] }], grants: [] };
    };
    milvus.fail("addRbac", new Error("killed"), { times: 1 });

    await expect(runRestore(world.context(), restore, first)).rejects.toThrow("killed");
    await half();
    const result = await runRestore(world.context(), restore, second);

    expect(milvus.rbac).toEqual(rbac);
    expect(result).toMatchObject({ rbac: { users: added(1), roles: added(1), grants: added(1) }, warnings: [] });
  });
});
