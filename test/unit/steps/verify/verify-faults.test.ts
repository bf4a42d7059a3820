import { expect, test } from "vitest";
import type { VerifyInput } from "../../../../src/core/execution/messages.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { parseManifestIndex } from "../../../../src/core/format/manifest.ts";
import { parseVerificationProof } from "../../../../src/core/format/proof.ts";
import { FaultInjector, type FaultMoment } from "../../../support/fault-injector.ts";
import { seedGolden } from "../../../support/golden-backup.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runVerify } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const shop = backupLayout("backup", "shop");
const golden = backupLayout("backup", "golden");

async function seeded(): Promise<PipelineWorld> {
  const world = new PipelineWorld();
  seedShop(world);
  await runBackup(world.context(), { environment: "prod", backupName: "shop" });
  return world;
}

function goldenWorld(): PipelineWorld {
  const world = new PipelineWorld();
  seedGolden(world.bucket("bucket-b"), "golden");
  return world;
}

/** Reads of objects are one call like the other: of these only the first is looked at. */
function worthTrying(calls: readonly string[]): number[] {
  const first = calls.findIndex((call) => call.includes(".readChecksum "));
  return calls.flatMap((call, at) => (at === first || !call.includes(".readChecksum ") ? [at] : []));
}

const moments: FaultMoment[] = ["before", "after"];

test.each(moments)(
  "a verification whose call fails (%s it is made) passes when the step is tried again, and never says that the backup is damaged",
  async (moment) => {
    const input: VerifyInput = { environment: "prod", backupName: "shop", readData: 100 };
    const counted = new FaultInjector();
    await runVerify((await seeded()).context(counted), input);
    for (const at of worthTrying(counted.calls)) {
      const world = await seeded();
      const what = `${moment} ${counted.calls[at]}`;

      const result = await runVerify(world.context(new FaultInjector(at, moment)), input, undefined, { retries: 1 });

      expect(result, what).toMatchObject({ outcome: "verified", depth: "content" });
      const proof = parseVerificationProof(world.bucket("bucket-b").read(shop.verified) ?? "");
      expect(proof, what).toMatchObject({ last: { outcome: "passed" }, lastPassed: { outcome: "passed" } });
      expect(world.work.keys("readers/"), what).toEqual([]);
    }
  },
);

test("one that is killed before any call leaves the backup as it was, and the next one passes", async () => {
  const input: VerifyInput = { environment: "prod", backupName: "shop" };
  const counted = new FaultInjector();
  await runVerify((await seeded()).context(counted), input);
  for (const at of worthTrying(counted.calls)) {
    const world = await seeded();
    const bucket = world.bucket("bucket-b");
    const before = bucket.keys("backup/shop/");
    await runVerify(world.context(new FaultInjector(at)), input, undefined, { release: false }).catch(() => undefined);

    const what = `killed before ${counted.calls[at]}`;
    expect(
      bucket.keys("backup/shop/").filter((key) => key !== shop.verified),
      what,
    ).toEqual(before);
    expect(await runVerify(world.context(), input, executionOf("next")), what).toMatchObject({ outcome: "verified" });
  }
});

test("a seal that is killed before any call leaves a backup without a manifest, or with a whole one, and the next one goes on", async () => {
  const input: VerifyInput = { environment: "prod", backupName: "golden", seal: true };
  const counted = new FaultInjector();
  await runVerify(goldenWorld().context(counted), input);
  for (const at of worthTrying(counted.calls)) {
    const world = goldenWorld();
    const bucket = world.bucket("bucket-b");
    await runVerify(world.context(new FaultInjector(at)), input, undefined, { release: false }).catch(() => undefined);

    const what = `killed before ${counted.calls[at]}`;
    // parts that it left make no backup of ours of it
    const other: VerifyInput = { environment: "prod", backupName: "golden" };
    expect(await runVerify(world.context(), other, executionOf("other")), what).toMatchObject({ outcome: "verified" });
    const isSealed = bucket.read(golden.manifest) !== undefined;
    if (!isSealed) await runVerify(world.context(), input, executionOf("next"));
    expect(bucket.read(golden.claim) === undefined || isSealed, what).toBe(true);
    parseManifestIndex(bucket.read(golden.manifest) ?? "", "index");
    const result = await runVerify(
      world.context(),
      { environment: "prod", backupName: "golden", readData: 100 },
      executionOf("after"),
    );
    expect(result, what).toMatchObject({ outcome: "verified", depth: "content" });
  }
});

test("a seal that fails while it writes takes its parts away again", async () => {
  const world = goldenWorld();
  const bucket = world.bucket("bucket-b");
  const before = bucket.keys("backup/golden/");
  const input: VerifyInput = { environment: "prod", backupName: "golden", seal: true };
  const counted = new FaultInjector();
  await runVerify(goldenWorld().context(counted), input);
  const at = counted.calls.findIndex((call) => call.includes(`putText "${golden.manifest}`));

  await expect(runVerify(world.context(new FaultInjector(at)), input)).rejects.toThrow("injected");

  expect(bucket.keys("backup/golden/")).toEqual(before);
});
