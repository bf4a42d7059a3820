import { describe, expect, test } from "vitest";
import type { Environment } from "../../../../src/core/environment/environment.ts";
import type { ReleaseResult } from "../../../../src/core/execution/messages.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import type { MilvusContext } from "../../../../src/ports/step-context.ts";
import { prepareBackup } from "../../../../src/steps/backup/prepare-backup.ts";
import { releaseBackup } from "../../../../src/steps/backup/release-backup.ts";
import { prepareRestore } from "../../../../src/steps/restore/prepare-restore.ts";
import { releaseRestore } from "../../../../src/steps/restore/release-restore.ts";
import { pinEnvironments, pinnedEnvironment } from "../../../../src/steps/shared/pinned-environments.ts";
import { finalizeTransfer } from "../../../../src/steps/transfer/finalize-transfer.ts";
import { prepareTransfer } from "../../../../src/steps/transfer/prepare-transfer.ts";
import { releaseTransfer } from "../../../../src/steps/transfer/release-transfer.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";
import { compactBooks, seedShop } from "../../../support/seed-shop.ts";
import { heldTargets } from "../../../support/targets.ts";
import { copyBatches, transferRequest, transferWorld } from "../../../support/transfer-world.ts";

const backup = { environment: "prod", backupName: "nightly" };
const restore = { environment: "dr", backupName: "nightly", suffix: "_bak" };

/** `prod` and `dr` with a Milvus that can pause garbage collection; each keeps its backups in a bucket of its own. */
function seededWorld(): PipelineWorld {
  const world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "backups-a/backup", milvus: { version: "2.4.0" } },
    dr: { milvusAt: "bucket-b/files", backupAt: "backups-b/backup", milvus: { version: "2.4.0" } },
  });
  seedShop(world);
  return world;
}

/** The backups of an environment, in another bucket. */
function movedBackups(world: PipelineWorld, name: string): Partial<Environment> {
  return { backupStorage: { ...world.environment(name).backupStorage, bucket: "bucket-new" } };
}

async function failed(run: Promise<unknown>): Promise<Error & { readonly released?: ReleaseResult }> {
  return run.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: Error) => error,
  );
}

describe("an environment that is registered anew while a backup runs", () => {
  test.each(["prepare", "copy"])("stops the step after %s: nothing is committed, in neither place", async (after) => {
    const world = seededWorld();
    const anew = (step: string) => {
      if (step === after) world.registerAnew("prod", movedBackups(world, "prod"));
    };

    const error = await failed(runBackup(world.context(), backup, executionOf("one"), { after: anew }));

    expect(error).toMatchObject({ name: "EnvironmentChanged" });
    expect(error.message).toContain("minio.backupBucketName (backups-a, now bucket-new)");
    expect(world.bucket("bucket-new").keys()).toEqual([]);
    expect(world.bucket("backups-a").keys().join()).not.toContain("meta");
    expect(world.milvus("prod").openPauses).toEqual([]);
    // commands that name the environment would look in the new place
    expect(error.released?.left).toContain("bucket backups-a at 127.0.0.1:4566 below backup/nightly/");
    expect(error.released?.left).not.toContain("delete");
  });

  test("stops a later attempt of Prepare Backup, too", async () => {
    const world = seededWorld();
    const after = (step: string, attempt: number) => {
      if (step === "prepare" && attempt === 0) compactBooks(world);
      if (step === "finalize") world.registerAnew("prod", { milvus: { ...world.environment("prod").milvus, port: 1 } });
    };

    const error = await failed(runBackup(world.context(), backup, executionOf("one"), { after }));

    expect(error).toMatchObject({ name: "EnvironmentChanged", message: expect.stringContaining("milvus.port") });
  });

  test("names a changed secret and shows none", async () => {
    const world = seededWorld();
    const credentials = { kind: "static", accessKeyId: "AKIANEW", secretAccessKey: "s3cret", token: "" } as const;
    const after = (step: string) => {
      const { storage } = world.environment("prod");
      if (step === "prepare") world.registerAnew("prod", { storage: { ...storage, credentials } });
    };

    const error = await failed(runBackup(world.context(), backup, executionOf("one"), { after }));

    expect(error.message).toContain("minio.accessKeyID, minio.secretAccessKey");
    expect(error.message).not.toMatch(/s3cret|AKIANEW/);
    expect(
      world.work
        .keys()
        .map((key) => world.work.read(key))
        .join(),
    ).not.toMatch(/s3cret|AKIANEW/);
  });

  test("with the same content changes nothing", async () => {
    const world = seededWorld();
    const after = () => world.registerAnew("prod", {});

    const result = await runBackup(world.context(), backup, executionOf("one"), { after });

    expect(result.outcome).toBe("backed-up");
  });

  test("and back again stops it where the registry keeps the first version no more: nobody can compare secrets then", async () => {
    const world = seededWorld();
    const { backupStorage } = world.environment("prod");
    const after = (step: string) => {
      if (step !== "prepare") return;
      world.registerAnew("prod", movedBackups(world, "prod"));
      world.registerAnew("prod", { backupStorage });
    };

    const error = await failed(runBackup(world.context(), backup, executionOf("one"), { after }));

    expect(error).toMatchObject({ name: "EnvironmentChanged", message: expect.stringContaining("registered anew") });
  });

  test("or removed stops it", async () => {
    const world = seededWorld();
    const after = (step: string) => {
      if (step === "copy") world.environments.remove("prod");
    };

    const error = await failed(runBackup(world.context(), backup, executionOf("one"), { after }));

    expect(error).toMatchObject({ name: "EnvironmentChanged", message: expect.stringContaining("was removed") });
  });
});

describe("an environment that is registered anew while a restore runs", () => {
  async function backedUp(): Promise<PipelineWorld> {
    const world = seededWorld();
    await runBackup(world.context(), backup, executionOf("backed-up"));
    return world;
  }

  test.each(["prepare", "copy", "recreate", "import"])("stops the step after %s", async (after) => {
    const world = await backedUp();
    const anew = (step: string) => {
      const { storage } = world.environment("dr");
      if (step === after) world.registerAnew("dr", { storage: { ...storage, bucket: "bucket-new" } });
    };

    const input = { ...restore, from: "prod" };
    const error = await failed(runRestore(world.context(), input, executionOf("one"), { after: anew }));

    expect(error).toMatchObject({ name: "EnvironmentChanged" });
    expect(error.message).toContain(
      "environment dr was registered anew with other values of minio.bucketName (bucket-b, now",
    );
    expect(world.bucket("bucket-new").keys()).toEqual([]);
    expect(await world.milvus("dr").hasCollection({ database: "default", collection: "books_bak" })).toBe(false);
  });

  test("stops it where it is the one that the backup is read from", async () => {
    const world = await backedUp();
    const after = (step: string) => {
      if (step === "prepare") world.registerAnew("prod", movedBackups(world, "prod"));
    };

    const error = await failed(
      runRestore(world.context(), { ...restore, from: "prod" }, executionOf("one"), { after }),
    );

    expect(error.message).toContain("environment prod was registered anew");
  });
});

describe("an environment that is registered anew while a transfer runs", () => {
  const name = "one";
  const request = transferRequest(name);

  test.each(["a", "b"])("%s stops its copies, and its last step", async (changed) => {
    const world = transferWorld();
    await prepareTransfer(request, world.context);
    const { version: _, ...before } = world.environments.current(changed);
    world.environments.register({ ...before, backupStorage: { ...before.backupStorage, rootPath: "elsewhere" } });

    const error = await failed(copyBatches(world, name));
    expect(error).toMatchObject({ name: "EnvironmentChanged", message: expect.stringContaining("backupRootPath") });

    world.environments.register(before);
    world.environments.remove(changed);
    expect(await failed(finalizeTransfer(request, world.context))).toMatchObject({ name: "EnvironmentChanged" });
    expect(world.destination.keys()).toEqual([world.to.claim]);
  });

  test("leaves a message that says where the copies lie", async () => {
    const world = transferWorld();
    await prepareTransfer(request, world.context);
    await copyBatches(world, name);
    const { version: _, ...before } = world.environments.current("b");
    world.environments.register({ ...before, backupStorage: { ...before.backupStorage, bucket: "bucket-new" } });
    await expect(finalizeTransfer(request, world.context)).rejects.toMatchObject({ name: "EnvironmentChanged" });

    const released = await releaseTransfer({ ...request, failure: { Error: "E", Cause: "" } }, world.context);

    expect(released.left).toContain("bucket bucket-b at b.test:9000 below copies/backup/my_backup/");
  });
});

describe("Release gives back what the execution took, whatever is registered by now", () => {
  const execution = executionOf("one");
  const failure = { Error: "EnvironmentChanged", Cause: "" };

  /** A prepared backup, and the environment with which Release looks for its Milvus. */
  async function releasing(change: (world: PipelineWorld, milvus: Environment["milvus"]) => void) {
    const world = seededWorld();
    const context = world.context();
    await prepareBackup({ execution, input: backup, attempt: 0 }, context);
    expect(world.milvus("prod").openPauses).toHaveLength(1);
    change(world, world.environment("prod").milvus);
    const connected: Environment[] = [];
    const garbageCollection: MilvusContext["garbageCollection"] = (environment) => {
      connected.push(environment);
      return context.garbageCollection(environment);
    };
    await releaseBackup({ execution, input: backup, attempt: 0, failure }, { ...context, garbageCollection });
    return { world, connected: connected.map(({ milvus }) => `${milvus.address} ${milvus.password}`) };
  }

  test("resumes garbage collection in the Milvus where it was paused, not in today's", async () => {
    const { world, connected } = await releasing((world, milvus) => {
      world.registerAnew("prod", { milvus: { ...milvus, address: "another", password: "new" } });
    });

    expect(connected).toEqual(["127.0.0.1 "]);
    expect(world.milvus("prod").openPauses).toEqual([]);
  });

  test("uses today's password for the same Milvus", async () => {
    const { world, connected } = await releasing((world, milvus) => {
      world.registerAnew("prod", { milvus: { ...milvus, password: "new" } });
    });

    expect(connected).toEqual(["127.0.0.1 new"]);
    expect(world.milvus("prod").openPauses).toEqual([]);
  });

  test.each([
    ["is kept no more", true],
    ["was removed", false],
  ])("leaves every Milvus alone where the registration %s: the pause ends by itself", async (_, anew) => {
    const { world, connected } = await releasing((world, milvus) => {
      const { version: __, ...before } = world.environments.current("prod");
      world.environments.remove("prod");
      if (anew) world.environments.register({ ...before, milvus: { ...milvus, address: "another" } });
    });

    expect(connected).toEqual([]);
    expect(world.memory.logged.map(({ message }) => message).join()).toContain("the pause ends by itself");
  });

  test("removes staged files from the bucket they were staged in", async () => {
    const world = seededWorld();
    await runBackup(world.context(), backup, executionOf("backed-up"));
    const input = { ...restore, from: "prod" };
    const request = { execution, input, attempt: 0 };
    await prepareRestore(request, world.context());
    const { stagingPrefix } = JSON.parse(world.work.read(workLayout("restore", "one").plan) ?? "{}");
    for (const bucket of ["bucket-b", "bucket-new"]) world.bucket(bucket).seed(`${stagingPrefix}x`, "staged");
    const { storage } = world.environment("dr");
    world.registerAnew("dr", { storage: { ...storage, bucket: "bucket-new" } });

    const released = await releaseRestore({ ...request, failure }, world.context());

    expect(released.left).toBe("");
    expect(world.bucket("bucket-b").keys(stagingPrefix)).toEqual([]);
    expect(world.bucket("bucket-new").keys(stagingPrefix)).toHaveLength(1);
    expect(heldTargets(world.bucket("bucket-b"))).toEqual([]);
  });

  test("says where staged files stay when the registration they were staged with is gone", async () => {
    const world = seededWorld();
    await runBackup(world.context(), backup, executionOf("backed-up"));
    const request = { execution, input: { ...restore, from: "prod" }, attempt: 0 };
    await prepareRestore(request, world.context());
    world.environments.remove("dr");

    const released = await releaseRestore({ ...request, failure }, world.context());

    expect(released.left).toMatch(/staged files below milvus-backup-staging\/\w+\//);
  });
});

describe("a pin", () => {
  const layout = workLayout("backup", "one");

  test("is that of the first run of the step, and holds no secret", async () => {
    const world = seededWorld();
    const context = world.context();
    const { milvus } = world.environment("prod");
    world.registerAnew("prod", { milvus: { ...milvus, password: "s3cret" } });
    await pinEnvironments(context, layout, ["prod", "dr", "prod"]);
    const first = world.work.read(layout.environments);

    world.registerAnew("prod", { milvus: { ...milvus, password: "s3cret", port: 1 } });
    await pinEnvironments(context, layout, ["prod", "dr"]);

    expect(world.work.read(layout.environments)).toBe(first);
    expect(first).not.toContain("s3cret");
    await expect(pinnedEnvironment(context, layout, "prod")).rejects.toMatchObject({ name: "EnvironmentChanged" });
    expect((await pinnedEnvironment(context, layout, "dr")).name).toBe("dr");
  });

  test("of two runs at once is one, and both go by it", async () => {
    const world = seededWorld();
    const context = world.context();
    const { milvus } = world.environment("prod");
    // what the second run reads is registered after the first one read
    const late = {
      ...context,
      environments: {
        get: async (name: string, pin?: { version: string }) => {
          if (pin === undefined) world.registerAnew(name, { milvus: { ...milvus, port: 2 } });
          return world.environments.get(name, pin);
        },
        getVersion: world.environments.getVersion.bind(world.environments),
      },
      work: new Proxy(context.work, {
        get: (target, key) => (key === "head" ? async () => undefined : Reflect.get(target, key)),
      }),
    };
    await pinEnvironments(context, layout, ["prod"]);
    const first = world.work.read(layout.environments);

    await pinEnvironments(late, layout, ["prod"]);

    expect(world.work.read(layout.environments)).toBe(first);
  });
});
