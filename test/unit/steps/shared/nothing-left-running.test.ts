import { expect, test } from "vitest";
import type { ImportContext } from "../../../../src/steps/restore/import-segments.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, type RunOptions, runBackup, runRestore } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

async function shop(): Promise<PipelineWorld> {
  const world = new PipelineWorld();
  seedShop(world);
  return world;
}

async function backedUp(): Promise<PipelineWorld> {
  const world = await shop();
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  return world;
}

const restore = { environment: "dr", backupName: "nightly", suffix: "_bak" };

type Run = (context: ImportContext, options: RunOptions) => Promise<unknown>;

test.each<[string, () => Promise<PipelineWorld>, Run]>([
  ["backup", shop, (context, options) => runBackup(context, { environment: "prod" }, executionOf("one"), options)],
  ["restore", backedUp, (context, options) => runRestore(context, restore, executionOf("one"), options)],
])("whichever call of a %s fails, none goes on when its step is over", async (_, make, run) => {
  const undisturbed = new FaultInjector(Number.POSITIVE_INFINITY, "before", { slow: true });
  await run((await make()).context(undisturbed), {});
  let failed = 0;

  for (let at = 0; at < undisturbed.calls.length; at += 1) {
    const faults = new FaultInjector(at, "before", { slow: true });
    const world = await make();
    await run(world.context(faults), {
      failed(step) {
        failed += 1;
        expect([...faults.running], `${step}: ${faults.calls[at]}`).toEqual([]);
      },
    }).catch((error: Error) => {
      if (error.name === "AssertionError") throw error;
    });
  }
  expect(failed).toBeGreaterThan(20);
});
