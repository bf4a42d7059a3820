import { expect, test } from "vitest";
import type { Machine } from "../../../../src/core/execution/machines.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { runMachine } from "../../../support/asl-machine.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { seedRows } from "../../../support/row-backup.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const environments = {
  prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
  copies: { milvusAt: "bucket-c/files", backupAt: "bucket-c/copies" },
} as const;

/** What the data of a state may have; a larger result ends an execution with an error that no Catch sees. */
const stateBytes = 256 * 1024;
/** As thousands of collections bring them: one each. */
const warnings = Array.from(
  { length: 5_000 },
  (_, at) => `the backup does not say at which instant shop.c${at} was taken`,
);

const inputs: [Machine, object][] = [
  ["backup", { environment: "prod", backupName: "new" }],
  ["transfer", { backupName: "nightly", from: "prod", to: "copies" }],
  ["verify", { environment: "prod", backupName: "nightly" }],
  ["export", { environment: "prod", backupName: "rows", destination: "s3://lake/out", format: "jsonl" }],
];

test.each(inputs)(
  "an execution of %s with thousands of warnings answers those that fit, and where all are",
  async (machine, input) => {
    const world = new PipelineWorld(environments);
    seedShop(world);
    await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
    seedRows(world.bucket("bucket-b"), "rows", { segments: [{ id: 1, batches: [[{ id: 1, at: 10 }]] }], until: 100 });
    const { plan } = workLayout(machine, "first");

    const ended = await runMachine({
      ...{ machine, input, execution: executionOf("first"), context: world.context() },
      step: async (name, go) => {
        const answer = await go();
        if (name.startsWith("Prepare")) {
          world.work.seed(plan, JSON.stringify({ ...JSON.parse(world.work.read(plan) ?? ""), warnings }));
        }
        return answer;
      },
    });

    expect(ended).toMatchObject({ status: "succeeded" });
    expect(JSON.stringify(ended.output).length).toBeLessThan(stateBytes / 4);
    expect(ended.output).toMatchObject({
      warnings: expect.arrayContaining([warnings[0], expect.stringMatching(/^\d+ more warnings .* has all$/)]),
    });
  },
);
