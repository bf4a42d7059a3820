import { describe, expect, test } from "vitest";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { parseDrillProof } from "../../../../src/core/format/proof.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { backedUpWorld, leftOfDrills, nothingLeft, runDrill } from "../../../support/drill-world.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf } from "../../../support/run-machines.ts";

const input = { environment: "dr", backupName: "nightly" } as const;
const others = ["books", "books_drill_20261121_00000000"];
const proof = (world: PipelineWorld) =>
  parseDrillProof(world.bucket("bucket-b").read(backupLayout("backup", "nightly").drilled) ?? "");

/** A world with collections of others in the target. */
async function sharedWorld(): Promise<PipelineWorld> {
  const world = await backedUpWorld();
  for (const [index, collection] of others.entries()) {
    world.milvus("dr").addCollection(collectionDescription(collection, { id: `4${index}` }));
  }
  return world;
}

async function callsOfDrill(): Promise<number> {
  const faults = new FaultInjector();
  await runDrill(await sharedWorld(), input, executionOf("drill-1"), { faults });
  return faults.calls.length;
}

const calls = await callsOfDrill();

describe("a fault at every single call", () => {
  test("that passes, as the step is tried again: the drill is good and leaves nothing", async () => {
    for (let at = 0; at < calls; at += 1) {
      const world = await sharedWorld();
      // The call is made, and its answer lost: what was done must not be done twice.
      const faults = new FaultInjector(at, "after");

      const result = await runDrill(world, input, executionOf("drill-1"), { faults, retries: 1 });

      expect(result.outcome, faults.calls[at]).toBe("drilled");
      expect(proof(world)?.lastPassed, faults.calls[at]).toBeDefined();
      expect(await world.milvus("dr").listCollections("default"), faults.calls[at]).toEqual(others);
      expect(leftOfDrills(world), faults.calls[at]).toEqual(nothingLeft);
    }
  });

  test.each<FaultMoment>(["before", "after"])(
    "%s it, that fails the drill: nothing is left, or the next one removes it",
    async (moment) => {
      for (let at = 0; at < calls; at += 1) {
        const world = await sharedWorld();
        const faults = new FaultInjector(at, moment);

        await runDrill(world, input, executionOf("drill-1"), { faults }).catch(() => undefined);
        await runDrill(world, { environment: "dr", clean: true }, executionOf("clean-1"));
        await runDrill(world, { environment: "dr", clean: true }, executionOf("clean-2"));

        expect(await world.milvus("dr").listCollections("default"), faults.calls[at]).toEqual(others);
        expect(leftOfDrills(world), faults.calls[at]).toEqual(nothingLeft);
      }
    },
  );
});
