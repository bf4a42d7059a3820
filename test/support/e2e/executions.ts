import { SFNClient } from "@aws-sdk/client-sfn";
import { aws, stackInfo } from "../../../local/index.ts";
import { createPipelineExecutions } from "../../../src/adapters/pipeline-executions.ts";
import { type CopyReceipt, copyReceipt } from "../../../src/core/execution/copy-plan.ts";
import { workLayout } from "../../../src/core/execution/work-layout.ts";
import type { ImportFiles } from "../../../src/core/milvus/descriptions.ts";
import type { RestorePlan } from "../../../src/core/plan/planned-restore.ts";
import type { ExecutionDescription } from "../../../src/ports/pipeline-executions.ts";
import { until } from "./milvus.ts";
import { getText, listKeys } from "./objects.ts";

const { endpoint, region, accessKeyId, secretAccessKey } = aws;

/** The executions of the deployed pipeline. */
export const executions = createPipelineExecutions(
  new SFNClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } }),
);

/** Waits until an execution is over, at most `timeoutMs` milliseconds. */
export async function finished(executionArn: string, timeoutMs = 180_000): Promise<ExecutionDescription> {
  return until(`the end of ${executionArn}`, timeoutMs, async () => {
    const found = await executions.describe(executionArn);
    return found === undefined || found.status === "running" ? undefined : found;
  });
}

/** What an execution left in the work bucket. */
export function executionFiles(machine: "backup" | "restore", executionArn: string) {
  const layout = workLayout(machine, executionArn.slice(executionArn.lastIndexOf(":") + 1));
  const read = async (key: string) => getText(await workBucket(), key);
  return {
    layout,
    plan: async <Plan = RestorePlan>() => JSON.parse(await read(layout.plan)) as Plan,
    /** What the imports of a restore read, all together. */
    async importFiles(): Promise<ImportFiles[]> {
      const keys = await listKeys(await workBucket(), layout.imports);
      return (await Promise.all(keys.map(async (key) => JSON.parse(await read(key)) as ImportFiles[]))).flat();
    },
    /** Of every batch, in order. */
    async receipts(): Promise<CopyReceipt[]> {
      const keys = await listKeys(await workBucket(), layout.receipts);
      return Promise.all(keys.map(async (key) => copyReceipt.parse(JSON.parse(await read(key)))));
    },
  };
}

/** The pipeline's own bucket. */
async function workBucket(): Promise<string> {
  const { outputs } = await stackInfo();
  const name = outputs.WorkBucketName;
  if (name === undefined) throw new Error("the stack has no output WorkBucketName: is it deployed?");
  return name;
}
