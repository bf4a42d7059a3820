import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { parseDrillProof } from "../../../../src/core/format/proof.ts";
import type { Milvus } from "../../../../src/ports/milvus.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { backedUpWorld, Died, leftOfDrills, nothingLeft, runDrill } from "../../../support/drill-world.ts";
import type { MemoryMilvus } from "../../../support/memory-milvus.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf } from "../../../support/run-machines.ts";

const input = { environment: "dr", backupName: "nightly" } as const;
const clean = { environment: "dr", clean: true } as const;
const { drilled: key, meta } = backupLayout("backup", "nightly");
const proof = (world: PipelineWorld) => parseDrillProof(world.bucket("bucket-b").read(key) ?? "");
const collections = (milvus: MemoryMilvus) => milvus.listCollections("default");

let world: PipelineWorld;
beforeEach(async () => {
  world = await backedUpWorld();
});

/** Answers the Milvus that an address stands for, or does not answer at all. */
function connectBy(connect: (address: string) => MemoryMilvus): void {
  const context = world.context.bind(world);
  world.context = (faults) => ({
    ...context(faults),
    connectMilvus: async ({ milvus }): Promise<Milvus> => connect(milvus.address),
  });
}

test("the environment is registered as another Milvus before its restore begins: it is cleaned where the restore was", async () => {
  const moved = (await backedUpWorld()).milvus("dr");
  connectBy((address) => (address === "moved" ? moved : world.milvus("dr")));

  const drill = runDrill(world, input, executionOf("drill-1"), {
    after: (step) => {
      if (step !== "prepare") return;
      const { milvus } = world.environment("dr");
      world.registerAnew("dr", { milvus: { ...milvus, address: "moved" } });
    },
  });

  await expect(drill).rejects.toThrow();
  expect(moved.calls.filter((call) => call.startsWith("createCollection"))).toHaveLength(1);
  expect(await collections(moved)).toEqual([]);
  expect(leftOfDrills(world)).toEqual(nothingLeft);
});

test("a Milvus that its load makes too busy to drop anything either: the backup's record says that the drill failed", async () => {
  let isBusy = false;
  connectBy(() => {
    if (isBusy) throw new PipelineError("MilvusBusy", "Milvus at dr.test:19530 takes no more requests");
    return world.milvus("dr");
  });
  await runDrill(world, input, executionOf("good"));

  const drill = runDrill(world, input, executionOf("bad"), {
    after: (step) => {
      if (step === "restore") isBusy = true;
    },
  });

  await expect(drill).rejects.toThrow("takes no more requests");
  expect(proof(world)?.last).toMatchObject({ outcome: "failed", executionArn: executionOf("bad").id });
  expect(proof(world)?.lastPassed?.executionArn).toBe(executionOf("good").id);
  isBusy = false;
  await runDrill(world, clean, executionOf("clean"));
  expect(await collections(world.milvus("dr"))).toEqual([]);
  expect(leftOfDrills(world)).toEqual(nothingLeft);
});

test("a backup that another deployment replaced meanwhile gets no judgement", async () => {
  const bucket = world.bucket("bucket-b");

  const result = await runDrill(world, input, executionOf("drill-1"), {
    after: (step) => {
      if (step === "search") bucket.seed(meta.full_meta, `${bucket.read(meta.full_meta)} `);
    },
  });

  expect(proof(world)).toBeUndefined();
  expect(result.warnings.join()).toContain("was replaced");
  expect(leftOfDrills(world)).toEqual(nothingLeft);
});

test("a collection that somebody put in the place of one while its imports were waited for is not dropped", async () => {
  const milvus = world.milvus("dr");
  const swap = async (collection: string) => {
    await milvus.dropCollection({ database: "default", collection });
    milvus.addCollection(collectionDescription(collection, { id: "4711" }));
  };
  let name = "";
  const listImports = milvus.listImports.bind(milvus);
  milvus.listImports = async (...args) => {
    const imports = await listImports(...args);
    if (name === "") return imports;
    await swap(name);
    return [];
  };

  const drill = runDrill(world, input, executionOf("drill-1"), {
    after: async (step) => {
      if (step === "search") [name = ""] = await collections(milvus);
    },
  });

  await expect(drill).rejects.toThrow("was not made by the drill and stays");
  expect((await milvus.describeCollection({ database: "default", collection: name })).id).toBe("4711");
});

describe("a drill that was stopped with its restore, a step of which goes on", () => {
  test("copies are asked to end, and what they stage afterwards is removed by the next one", async () => {
    const drill = runDrill(world, input, executionOf("dead"), {
      restore: {
        release: false,
        after: (step) => {
          if (step === "prepare") throw new Died();
        },
      },
    });
    await expect(drill).rejects.toThrow(Died);
    world.memory.running.clear();
    const [batch = ""] = world.work.keys("executions/restore/").filter((one) => one.includes("/batches/"));
    const { cancelKey } = JSON.parse(world.work.read(batch) ?? "{}");
    const plan = world.work.keys("executions/restore/").find((one) => one.endsWith("/plan.json")) ?? "";
    const { stagingPrefix } = JSON.parse(world.work.read(plan) ?? "{}");

    await runDrill(world, clean, executionOf("clean-1"));
    expect(world.work.read(cancelKey)).toBeDefined();
    world.bucket("bucket-b").seed(`${stagingPrefix}late`, "what was on its way");
    await runDrill(world, clean, executionOf("clean-2"));

    expect(leftOfDrills(world)).toEqual(nothingLeft);
  });
});
