import type { CheckResult } from "../../core/check/result.ts";
import type { Environment } from "../../core/environment/environment.ts";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { milvusLayout } from "../../core/format/layout.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { features } from "../../core/milvus/version.ts";
import type { ImportWay, Milvus, TriedCall } from "../../ports/milvus.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { findRows } from "../shared/milvus-data.ts";
import { listDatabases, selectCollections } from "../shared/select-collections.ts";

/** How long what is tried lasts where nothing ends it. */
const pauseSeconds = 1;

/** How many collections are asked for rows: those of one tell where all lie. */
const mostCollections = 20;

/** Connects to the Milvus of the environment, for as long as `use` takes. */
export type UseMilvus = <T>(use: (milvus: Milvus) => Promise<T>) => Promise<T>;

/**
 * Whether Milvus answers, lets the user of the environment make the calls of backups and restores, keeps its rows where the environment says, and can be
 * paused. Changes nothing.
 * @param openStore opens Milvus's bucket
 */
export async function checkMilvus(
  environment: Environment,
  withMilvus: UseMilvus,
  openStore: () => Promise<ObjectStore>,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  try {
    await withMilvus(async (milvus) => {
      const version = await milvus.version();
      results.push({ check: "milvus", ok: true, detail: `${milvus.address}, version ${version}` });
      if (features(version).restImports) results.push(restResult(await milvus.importWay(), environment));
      const tried = await milvus.tryCalls();
      results.push(...callResults(tried, environment.milvus.user), rbacResult(tried, environment.milvus.user));
      results.push({ check: "milvus data", ...(await dataResult(environment, milvus, openStore)) });
    });
  } catch (error) {
    results.push({ check: "milvus", ok: false, detail: messageOf(error) });
  }
  results.push({ check: "gc pause", ...(await pauseResult(environment, withMilvus)) });
  return results;
}

/** Whether bucket and root path are those of this Milvus. What cannot be asked is told by the checks of calls and buckets. */
async function dataResult(
  { storage }: Environment,
  milvus: Milvus,
  openStore: () => Promise<ObjectStore>,
): Promise<Pick<CheckResult, "ok" | "detail">> {
  try {
    const places = { store: await openStore(), from: milvusLayout(storage.rootPath) };
    const names = await selectCollections(milvus, await listDatabases(milvus, await milvus.version()), []);
    for (const name of names.slice(0, mostCollections)) {
      const { id } = await milvus.describeCollection(name);
      const key = await findRows(milvus, { name, id }, await milvus.listSegments(name), places);
      if (key !== undefined) return { ok: true, detail: `rows of ${qualifiedName(name)} lie in ${places.store.label}` };
    }
    const of =
      names.length > mostCollections ? ` of the first ${mostCollections} of its ${names.length} collections` : "";
    return { ok: true, detail: `not tried: Milvus lists no flushed rows${of}` };
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    if (error.name === "InvalidEnvironment") return { ok: false, detail: error.message };
    return { ok: true, detail: `not tried: ${error.message}` };
  }
}

/** Which way imports go. Where REST is out of reach they go over gRPC; only what was told to be elsewhere and is not there is wrong. */
function restResult({ closed, pairsPerJob }: ImportWay, { milvus }: Environment): CheckResult {
  const check = "milvus rest";
  if (closed === undefined)
    return { check, ok: true, detail: `answers: imports of up to ${pairsPerJob} pairs of directories each go over it` };
  const why = `nothing answers at ${closed.base} (${closed.reason})`;
  const instead = "imports go over gRPC, one pair of directories each, and logs of segments are listed";
  if (milvus.restAddress !== undefined || milvus.restPort !== undefined) {
    return { check, ok: false, detail: `${why}, so ${instead}: look at milvus.restAddress and milvus.restPort` };
  }
  const elsewhere = "where it is served elsewhere, milvus.restAddress and milvus.restPort say so";
  return { check, ok: true, detail: `${why}, so ${instead}; ${elsewhere}` };
}

/**
 * Whether a backup can pause garbage collection, and end that. Where it cannot pause it goes on without, so that is nothing wrong; a pause that cannot be
 * ended is. Only one with a ticket is ended: without tickets (before 2.6.8) that would end the pause of a backup that is running.
 */
async function pauseResult(
  { gcPause }: Environment,
  withMilvus: UseMilvus,
): Promise<Pick<CheckResult, "ok" | "detail">> {
  const { enable, address } = gcPause;
  const fine = (detail: string) => ({ ok: true, detail });
  if (!enable) return fine("off (backup.gcPause.enable)");
  try {
    return await withMilvus(async (milvus) => {
      const pause = await milvus.pauseGarbageCollection(pauseSeconds);
      if (pause === undefined) return fine(`Milvus ${await milvus.version()} has no such call; backups go on without`);
      if (pause.ticket === "") {
        return fine(`${address} pauses; resuming is not tried, as without tickets (before 2.6.8) it ends every pause`);
      }
      try {
        await milvus.resumeGarbageCollection(pause);
        return fine(`${address} pauses and resumes`);
      } catch (error) {
        if (!(error instanceof PipelineError)) throw error;
        return { ok: false, detail: `${address} pauses, and does not resume: ${error.message}` };
      }
    });
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return fine(`not possible, backups go on without: ${error.message}`);
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
