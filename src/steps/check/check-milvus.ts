import type { CheckResult } from "../../core/check/result.ts";
import type { Environment } from "../../core/environment/environment.ts";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import type { Milvus, TriedCall } from "../../ports/milvus.ts";

/** Connects to the Milvus of the environment, for as long as `use` takes. */
export type UseMilvus = <T>(use: (milvus: Milvus) => Promise<T>) => Promise<T>;

/** Whether Milvus answers, lets the user of the environment make the calls of backups and restores, and can be paused. Changes nothing. */
export async function checkMilvus(environment: Environment, withMilvus: UseMilvus): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  try {
    await withMilvus(async (milvus) => {
      results.push({ check: "milvus", ok: true, detail: `${milvus.address}, version ${await milvus.version()}` });
      const tried = await milvus.tryCalls();
      results.push(...callResults(tried, environment.milvus.user), rbacResult(tried, environment.milvus.user));
    });
  } catch (error) {
    results.push({ check: "milvus", ok: false, detail: messageOf(error) });
  }
  results.push({ check: "gc pause", ok: true, detail: await pauseOf(environment, withMilvus) });
  return results;
}

/**
 * Whether a backup can pause garbage collection. Where it cannot, it goes on without, so that is nothing wrong.
 * Only a pause with a ticket is ended: without tickets (before 2.6.8) that would end the pause of a backup that is running.
 */
async function pauseOf({ gcPause }: Environment, withMilvus: UseMilvus): Promise<string> {
  const { enable, address } = gcPause;
  if (!enable) return "off (backup.gcPause.enable)";
  try {
    return await withMilvus(async (milvus) => {
      const pause = await milvus.pauseGarbageCollection(1);
      if (pause === undefined) return `Milvus ${await milvus.version()} has no such call; backups go on without`;
      if (pause.ticket) await milvus.resumeGarbageCollection(pause);
      return pause.ticket ? `${address} pauses and resumes` : `${address} pauses`;
    });
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return `not possible, backups go on without: ${error.message}`;
  }
}

/** What was tried, for backups and for restores. */
function callResults(tried: readonly TriedCall[], user: string): CheckResult[] {
  return (["backup", "restore"] as const).map((of) => ({
    check: `milvus ${of}`,
    ...callResult(
      tried.filter((one) => one.of === of),
      user,
    ),
  }));
}

function callResult(calls: readonly TriedCall[], user: string): Pick<CheckResult, "ok" | "detail"> {
  const [denied, unanswered] = [byOutcome(calls, "denied"), byOutcome(calls, "unanswered")];
  if (denied.length === 0 && unanswered.length === 0) {
    const allowed = byOutcome(calls, "allowed").map(({ call }) => call);
    return { ok: true, detail: `${allowed.join(", ")} may be called` };
  }
  const problems = [
    ...(denied.length > 0 ? [tellDenied(denied, user)] : []),
    ...unanswered.map(({ call, reason }) => `${call} was not answered: ${reason}`),
  ];
  return { ok: false, detail: problems.join("; ") };
}

/** Users and roles: nothing is wrong with a user that may not make these calls, as long as nobody asks for them. */
function rbacResult(tried: readonly TriedCall[], user: string): CheckResult {
  const { detail, ok } = callResult(
    tried.filter(({ of }) => of === "rbac"),
    user,
  );
  const told = ok ? detail : `only create --rbac and restore --rbac need it: ${detail}`;
  return { check: "milvus rbac", ok: true, detail: told };
}

function byOutcome(calls: readonly TriedCall[], outcome: TriedCall["outcome"]): TriedCall[] {
  return calls.filter((one) => one.outcome === outcome);
}

function tellDenied(denied: readonly TriedCall[], user: string): string {
  const who = user === "" ? "an anonymous user (milvus.user is empty)" : `user ${JSON.stringify(user)}`;
  const names = denied.map(({ call }) => call).join(", ");
  return `${who} may not call ${names}: grant a role of that user these privileges on all collections (${denied[0]?.reason ?? ""})`;
}
