import * as z from "zod";
import { PipelineError } from "../../core/execution/errors.ts";
import { jsonOrUndefined } from "../../core/execution/work-json.ts";
import { type LeaseKind, leaseKey } from "../../core/execution/work-layout.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";

const leaseRecord = z.object({ executionArn: z.string(), acquiredAt: z.string() });

/** How often a lease that changes hands while it is looked at is looked at again. */
const attempts = 5;

/**
 * Takes a lease on `subject` for an execution, or keeps the one it has. A lease of an execution that is over is taken over.
 * Throws AlreadyRunning, naming the execution that holds it.
 */
export async function acquireLease(
  context: Pick<StepContext, "work" | "executions" | "clock" | "log">,
  kind: LeaseKind,
  subject: string,
  executionArn: string,
): Promise<void> {
  const key = leaseKey(kind, subject);
  const body = JSON.stringify({ executionArn, acquiredAt: context.clock.now().toISOString() });
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    if (await context.work.putText(key, body, { ifAbsent: true, contentType: "application/json" })) return;
    const held = await readLease(context.work, key);
    if (held === undefined) continue;
    if (held.executionArn === executionArn) return;
    if (held.executionArn !== undefined && (await context.executions.state(held.executionArn)) !== "over") {
      throw alreadyRunning(kind, subject, held.executionArn);
    }
    context.log.info("taking over the lease of an execution that is over", { kind, subject, from: held.executionArn });
    // only the version that was just read is replaced: of two executions that take over at once, one gets it
    if (await context.work.putText(key, body, { ifMatch: held.etag, contentType: "application/json" })) return;
  }
  throw new PipelineError(
    "AlreadyRunning",
    `${kind} of ${subject}: several executions started at once; start it again when they are over`,
    { details: { kind, subject } },
  );
}

/** Gives a lease back; does nothing where another execution holds it by now, or nobody does. */
export async function releaseLease(
  context: Pick<StepContext, "work">,
  kind: LeaseKind,
  subject: string,
  executionArn: string,
): Promise<void> {
  const key = leaseKey(kind, subject);
  const held = await readLease(context.work, key);
  if (held?.executionArn === executionArn) await context.work.deleteKeys([key]);
}

/** undefined where there is no lease; `executionArn` is undefined where the record cannot be read. */
async function readLease(
  work: ObjectStore,
  key: string,
): Promise<{ etag: string; executionArn: string | undefined } | undefined> {
  const summary = await work.head(key);
  if (summary === undefined) return undefined;
  const text = await work.getTextIfPresent(key);
  if (text === undefined) return undefined;
  const parsed = leaseRecord.safeParse(jsonOrUndefined(text));
  return { etag: summary.etag, executionArn: parsed.data?.executionArn };
}

function alreadyRunning(kind: LeaseKind, subject: string, holder: string): PipelineError {
  const name = holder.slice(holder.lastIndexOf(":") + 1);
  return new PipelineError(
    "AlreadyRunning",
    `${kind} of ${subject} is already being worked on by execution ${name}: wait until it is over, or stop it`,
    { details: { kind, subject, executionArn: holder } },
  );
}
