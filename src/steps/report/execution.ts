import { copyReceipt } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { Machine } from "../../core/execution/machines.ts";
import { type CopiedShare, countsOn, plannedAttempts, sharesOf } from "../../core/execution/planned-copies.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { jsonOrUndefined, parseWorkJson } from "../../core/execution/work-json.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import {
  type BatchReceipt,
  type BatchRun,
  batchesToAsk,
  type ExecutionReport,
  reportExecution,
  retriesIn,
} from "../../core/report/execution.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { ExecutionDescription, MapItem, PipelineExecutions } from "../../ports/pipeline-executions.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";

/** Labels of the maps whose items are batches. */
const batchMaps = ["CopySegments", "StageSegments", "VerifySegments", "ExportSegments"] as const;

/** Step Functions answers some fifteen descriptions a second; the work bucket more than we ask. */
const concurrency = 8;

interface ReportedRun {
  readonly machine: Machine;
  readonly execution: ExecutionDescription;
  readonly failure?: { readonly error: string; readonly message: string } | undefined;
}

/**
 * Reads what is known of one execution for its report: its history, its batches, their receipts. What is not there any more (Step
 * Functions keeps 90 days, the work bucket those of the deployment) is left out.
 * @throws what Step Functions throws
 */
export async function readExecutionReport(
  { machine, execution, failure }: ReportedRun,
  { executions, work }: { readonly executions: PipelineExecutions; readonly work: ObjectStore },
  now: Date,
): Promise<ExecutionReport> {
  const { arn, name, status, startedAt, stoppedAt, input, output } = execution;
  const events = await executions.history(arn);
  const items = (await Promise.all(batchMaps.map((label) => executions.mapItems(arn, label)))).flat();
  const warnings: string[] = [];
  const receipts = await readReceipts(work, machine, name).catch((error: unknown) => {
    if (!(error instanceof PipelineError)) throw error;
    warnings.push(`the receipts of its copies could not be read: ${error.message}`);
    return [];
  });
  return reportExecution({
    ...{ executionName: name, executionArn: arn, machine, state: status, startedAt, stoppedAt },
    input: jsonOrUndefined(input),
    ...(failure && { error: { name: failure.error, message: failure.message } }),
    warnings: [...warningsIn(output), ...warnings],
    events,
    batches: await askBatches(items, executions),
    receipts,
    now,
  });
}

/** Which batch an item is, and how often it was tried again: of those that are worth two more requests. */
async function askBatches(items: readonly MapItem[], executions: PipelineExecutions): Promise<BatchRun[]> {
  const asked = await settleEach(batchesToAsk(items), concurrency, async (item): Promise<[MapItem, BatchRun]> => {
    const [described, history] = await Promise.all([executions.describe(item.arn), executions.history(item.arn)]);
    const batch = batchIn(described?.input);
    return [item, { ...item, retries: retriesIn(history), ...(batch !== undefined && { batch }) }];
  });
  const known = new Map(asked);
  return items.map((item) => known.get(item) ?? item);
}

/** `{"batchKey": "executions/backup/.../batches/0-000003.json"}` */
function batchIn(input: string | undefined): string | undefined {
  const value = jsonOrUndefined(input ?? "");
  if (typeof value !== "object" || value === null || !("batchKey" in value)) return undefined;
  return /\/batches\/([^/]+)\.json$/.exec(String(value.batchKey))?.[1];
}

/** What they tell of what is planned: a later attempt copies anew what changed meanwhile. */
async function readReceipts(work: ObjectStore, machine: Machine, execution: string): Promise<BatchReceipt[]> {
  const layout = workLayout(machine, execution);
  const plan = await readWorkJsonIfThere({ work }, layout.plan, plannedAttempts);
  const keys: string[] = [];
  for await (const { key } of work.list(layout.receipts)) keys.push(key);
  const receipts = await settleEach(keys, concurrency, async (key) => {
    const receipt = parseWorkJson(await work.getText(key), key, copyReceipt);
    const shares = sharesOf(receipt, Number.parseInt(key.slice(layout.receipts.length), 10));
    const counted = shares.filter(countsOn(plan ?? { attempt: 0 }));
    const sum = (of: (share: CopiedShare) => number) => counted.reduce((total, share) => total + of(share), 0);
    return {
      batch: receipt.batch,
      segments: sum(({ segments }) => segments),
      objects: sum(({ objects }) => objects),
      bytes: sum(({ bytes }) => bytes),
      // nothing tells of which collection they are
      skippedObjects: counted.length === shares.length ? receipt.skippedObjects : 0,
      counted: counted.length,
    };
  });
  return receipts.flatMap(({ counted, ...receipt }) => (counted > 0 ? [receipt] : []));
}

/** What its last step warned of. */
function warningsIn(output: string | undefined): string[] {
  const value = jsonOrUndefined(output ?? "");
  if (typeof value !== "object" || value === null || !("warnings" in value)) return [];
  return Array.isArray(value.warnings) ? value.warnings.map(String) : [];
}
