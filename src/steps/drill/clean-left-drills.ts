import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { executionNameOf } from "../../core/execution/state-machine-arn.ts";
import { workPrefixes } from "../../core/execution/work-layout.ts";
import { drillRecord } from "../../core/plan/drill.ts";
import { unmarkReader } from "../shared/readers.ts";
import { readWorkJsonIfThere } from "../shared/work-files.ts";
import type { DrillContext } from "./drill-context.ts";
import { dropMade } from "./drop-made.ts";

/**
 * Removes what drills made that are over and did not come to do it themselves: they were stopped, or died.
 * @param own the drill that asks, which is none of them
 * @returns how many drills nothing is left of now, and sentences about what stays
 */
export async function cleanLeftDrills(
  context: DrillContext,
  own: string,
): Promise<{ drills: number; warnings: readonly string[] }> {
  const warnings: string[] = [];
  let drills = 0;
  for await (const { key } of context.work.list(workPrefixes.drills)) {
    const record = await readWorkJsonIfThere(context, key, drillRecord);
    if (record === undefined || record.executionArn === own) continue;
    if ((await context.executions.state(record.executionArn)) !== "over") continue;
    const left = await drop(record, context);
    await unmarkReader(context, record.readerKey);
    if (left.length === 0) drills += 1;
    else warnings.push(...left.map((what) => `drill ${executionNameOf(record.executionArn)}: ${what}`));
  }
  return { drills, warnings };
}

/** One that cannot be cleaned up, as its Milvus is away, holds up no other. */
async function drop(record: Parameters<typeof dropMade>[0], context: DrillContext): Promise<string[]> {
  try {
    return await dropMade(record, context);
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return [`what was made (its names end in ${record.suffix}) could not be removed: ${messageOf(error)}`];
  }
}
