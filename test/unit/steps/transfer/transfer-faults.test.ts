import { expect, test } from "vitest";
import type { StepContext } from "../../../../src/ports/step-context.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import {
  contentOf,
  damage,
  seedManifest,
  type TransferWorld,
  transfer,
  transferWorld,
} from "../../../support/transfer-world.ts";

/** The world with its calls counted; one of them ends the execution, which is never released. */
function disturbed(world: TransferWorld, faults: FaultInjector): TransferWorld {
  const { context } = world;
  const openStore: StepContext["openStore"] = async (ref) => faults.wrap(ref.environment, await context.openStore(ref));
  return { ...world, context: { ...context, work: faults.wrap("work", context.work), openStore } };
}

/** A copy of a backup is one call like the other: of these only the first is looked at. */
function worthTrying(calls: readonly string[]): number[] {
  const firstCopy = calls.findIndex((call) => call.includes(".copyFrom "));
  return calls.flatMap((call, at) => (at === firstCopy || !call.includes(".copyFrom ") ? [at] : []));
}

async function worldWith(again: boolean): Promise<TransferWorld> {
  const world = transferWorld();
  await seedManifest(world.source, world.from);
  if (!again) return world;
  await transfer(world, "before");
  const [missing = "", wrong = ""] = world.destination.keys(world.to.binlogs);
  world.destination.remove(missing);
  await damage(world.destination, wrong);
  return world;
}

test.each([
  ["a transfer", false],
  ["a transfer that repairs what is there", true],
])("%s killed before any call is made whole by the same command, and nobody is kept out", async (_, again) => {
  const counted = new FaultInjector();
  await transfer(disturbed(await worldWith(again), counted), "first");
  for (const at of worthTrying(counted.calls)) {
    const world = await worldWith(again);
    await transfer(disturbed(world, new FaultInjector(at)), "first").catch(() => undefined);

    await transfer(world, "second");

    const what = `killed before ${counted.calls[at]}`;
    expect(await contentOf(world.destination, world.to.root), what).toEqual(
      await contentOf(world.source, world.from.root),
    );
  }
});
