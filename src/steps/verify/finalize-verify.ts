import { logsOf, type ObjectProblem, pinnedStore } from "../../core/execution/copy-plan.ts";
import { countOf, wasOrWere } from "../../core/execution/count-of.ts";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { fitting, fittingWarnings } from "../../core/execution/fitting.ts";
import { KeyTable } from "../../core/execution/key-table.ts";
import type { FinalizeVerifyResult, VerifyStepRequest } from "../../core/execution/messages.ts";
import { settleAll } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { parseVerificationProof, type Verification } from "../../core/format/proof.ts";
import {
  depthOf,
  type ProblemCounts,
  printProblem,
  problemsPerFile,
  tellCounts,
  tellProblem,
  totalOf,
  type VerifyFindings,
  type VerifyPlan,
  verifyPlan,
} from "../../core/plan/verify.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { checkNotBeingDeleted, releaseClaim } from "../shared/backup-claim.ts";
import { readHeld } from "../shared/held.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { checkRecord } from "../shared/planned-record.ts";
import { recordOutcome } from "../shared/proofs.ts";
import { unmarkReader } from "../shared/readers.ts";
import { StoredBackup } from "../shared/stored-backup.ts";
import { readCopyReceipts, readWorkJson, writeWorkJson } from "../shared/work-files.ts";
import { checkLookedAt } from "./looked-at.ts";
import { sealBackup } from "./seal-backup.ts";
import { sumRows } from "./sum-rows.ts";

/** As many are named in the message of a failure. */
const namedProblems = 10;

/**
 * Last step of a verification: passes over the receipts, looks by one listing for what nothing says should lie there, writes down what was
 * found, and keeps the outcome beside the backup. With `seal` a backup without problems gets its manifest before that. Held in memory are
 * 23 bytes of each object.
 * @throws CorruptBackup where there are problems, naming the first of them; BackupNotFound where the backup was deleted meanwhile, CopyMismatch
 *   where it was replaced, or a batch was not looked at to its end: then nothing is said of it; EnvironmentChanged, ClaimLost
 */
export async function finalizeVerify(request: VerifyStepRequest, context: StepContext): Promise<FinalizeVerifyResult> {
  const { execution, input } = request;
  const layout = workLayout("verify", execution.name);
  const [plan, environment] = await settleAll([
    readWorkJson(context, layout.plan, verifyPlan),
    pinnedEnvironment(context, layout, input.environment),
  ]);
  const store = await context.openStore(pinnedStore(environment, "backup"));
  const stored = new StoredBackup(store, environment.backupStorage, plan.backupName, plan.source);
  await checkStillThere(stored, plan);
  const problems = new ProblemFiles(context.work, layout.problems);
  for (const problem of plan.problems) await problems.add(problem);
  const { present, ...looked } = await readReceipts(request, problems, plan, context);
  const rows = plan.rows && (await sumRows(context, layout, plan.rows, (problem) => problems.addOnce(problem)));
  if (plan.against !== "nothing") await nameExtras(stored, plan, present, problems);
  await problems.end();
  // what is missing may be on its way out with the whole backup: of that nothing is said
  await checkStillThere(stored, plan);

  const isGood = totalOf(problems.counts) === 0;
  if (isGood && plan.seal) {
    const receipts = readCopyReceipts(context, layout, 0);
    await sealBackup(stored, plan, { receipts, stillThere: () => checkStillThere(stored, plan) }, execution, context);
  }
  const findings: VerifyFindings = {
    backupName: plan.backupName,
    outcome: isGood ? "passed" : "failed",
    ...looked,
    // what a seal reads is compared with nothing
    ...depthOf(plan.percent, { ...looked, rows: rows?.found }),
    ...(rows && { rows: rows.found }),
    problems: problems.counts,
    problemFiles: problems.files,
    warnings: [...plan.warnings, ...bySizeOnly(plan, looked), ...(rows?.warnings ?? [])],
  };
  const unkept = await keepOutcome(stored, plan, findings, request, context);
  await writeWorkJson(context, layout.findings, { ...findings, warnings: [...findings.warnings, ...unkept] });
  if (!isGood) throw damaged(stored, problems);
  if (plan.seal) await releaseClaim(stored, execution.id);
  await unmarkReader(context, (await readHeld(context, layout))?.readerKey);
  const { outcome: _, problems: __, problemFiles: ___, warnings, rows: found, ...rest } = findings;
  return {
    outcome: plan.seal ? "sealed" : "verified",
    ...rest,
    ...(found && { rows: { ...found, collections: fitting(found.collections) } }),
    warnings: [...fittingWarnings(warnings, `${layout.findings} in the work bucket`), ...unkept],
  };
}

/** @throws BackupNotFound, CopyMismatch where what lies there is not what was planned */
function checkStillThere(stored: StoredBackup, { record }: VerifyPlan): Promise<void> {
  return checkRecord(stored, record, {
    meanwhile: "while it was verified",
    result: "nothing is said of it",
    again: "verify",
  });
}

/** What the batches looked at. */
interface Looked {
  readonly objects: number;
  readonly bytes: number;
  readonly readObjects: number;
  readonly readBytes: number;
  readonly bySize: number;
  /** Keys that belong there. */
  readonly present: KeyTable;
}

async function readReceipts(
  { execution }: VerifyStepRequest,
  problems: ProblemFiles,
  { totals }: VerifyPlan,
  context: StepContext,
): Promise<Looked> {
  const sums = { readObjects: 0, readBytes: 0, bySize: 0 };
  const present = new KeyTable(totals.objects);
  for await (const receipt of readCopyReceipts(context, workLayout("verify", execution.name), 0)) {
    checkLookedAt(receipt);
    sums.readObjects += receipt.readObjects ?? 0;
    sums.readBytes += receipt.readBytes ?? 0;
    sums.bySize += receipt.bySize ?? 0;
    for (const segment of receipt.segments) {
      for (const { key } of logsOf(segment)) present.set(key, "");
      for (const problem of segment.problems ?? []) await problems.add(problem);
    }
  }
  return { objects: totals.objects, bytes: totals.bytes, ...sums, present };
}

/** Names what lies in the backup's folder and is neither a log that was expected nor a file that backups have. */
async function nameExtras(
  stored: StoredBackup,
  { against }: VerifyPlan,
  present: KeyTable,
  problems: ProblemFiles,
): Promise<void> {
  const { root, meta, manifest, signature, manifestParts, claim, verified, drilled } = stored.layout;
  const files = new Set([...Object.values(meta), manifest, signature, claim, verified, drilled]);
  const detail = `it is not in the ${against}`;
  for await (const { key, size } of stored.store.list(root)) {
    // parts of a manifest that was never finished are no part of anything; some stores keep an empty object in place of a directory
    const isKnown = files.has(key) || key.startsWith(manifestParts) || (size === 0 && key.endsWith("/"));
    if (!isKnown && present.slotOf(key) === undefined) await problems.add({ key, kind: "extra", detail });
  }
}

function bySizeOnly({ against, seal, totals }: VerifyPlan, { bySize }: Pick<Looked, "bySize">): string[] {
  if (against !== "manifest" || seal || bySize === 0) return [];
  return [
    `${bySize} of ${countOf(totals.objects, "object", wasOrWere)} compared by key and size only: the store keeps no checksum of them that compares with the ` +
      "manifest's. readData (--read-data) reads them",
  ];
}

/**
 * Keeps what was found beside the backup, unless it is on its way out; where these credentials may only read, that is said.
 * @returns sentences
 */
async function keepOutcome(
  stored: StoredBackup,
  plan: VerifyPlan,
  findings: VerifyFindings,
  { execution }: VerifyStepRequest,
  context: StepContext,
): Promise<string[]> {
  const { store, layout } = stored;
  const { outcome, depth, percent, rows, objects, bytes } = findings;
  const verification: Verification = {
    at: context.clock.now().toISOString(),
    outcome,
    depth,
    percent,
    ...(rows && { rows: { percent: rows.percent, rows: rows.rows, living: rows.living } }),
    objects,
    bytes,
    problems: totalOf(findings.problems),
    executionArn: execution.id,
  };
  await checkNotBeingDeleted(stored, context);
  let stands: Verification;
  try {
    stands = await recordOutcome(store, layout.verified, verification, {
      parse: parseVerificationProof,
      covers: (it, failure) => isAllRead(it, failure, it === verification ? plan : undefined),
    });
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name !== "StoreAccessDenied") throw error;
    return [
      `the outcome could not be kept beside the backup, lists and retention do not know of it: ${messageOf(error)}`,
    ];
  }
  try {
    await checkStillThere(stored, plan);
  } catch (error) {
    // whoever deletes may have listed before: nothing of a backup that is gone may stay
    await store.deleteKeys([layout.verified]);
    throw error;
  }
  if (stands === verification || stands.outcome === "passed" || outcome === "failed") return [];
  return [
    `the verification of ${stands.at} (${stands.executionArn}) read ${stands.rows ? "rows" : "contents"} and found ` +
      `${stands.problems} problem${stands.problems === 1 ? "" : "s"}: that stands in lists and for retention until one reads all of them ` +
      `(${howToRead(stands)})`,
  ];
}

/** What reads all that a verification read some of. */
function howToRead({ depth, rows }: Verification): string {
  return [...(depth === "size" ? [] : ["--read-data"]), ...(rows ? ["--rows"] : [])].join(" ");
}

/** Whether a verification tells as much as an earlier one that failed: of what that read, it read all. */
function isAllRead(it: Verification, failure: Verification, plan: VerifyPlan | undefined): boolean {
  const contents = failure.depth === "size" || ["content", "rows"].includes(it.depth) || plan?.percent === 100;
  const rows = failure.rows === undefined || it.rows?.percent === 100 || plan?.rows?.percent === 100;
  return contents && rows;
}

function damaged(stored: StoredBackup, problems: ProblemFiles): PipelineError {
  const total = totalOf(problems.counts);
  const more = total > problems.named.length ? `, and ${total - problems.named.length} more` : "";
  return new PipelineError(
    "CorruptBackup",
    `backup ${stored.name} in ${stored.place} is damaged (${tellCounts(problems.counts)}): ` +
      `${shortList(problems.named.map(tellProblem), { limit: namedProblems, separator: "; " })}${more}. Restore another backup; nothing was changed`,
    { details: { backupName: stored.name, problems: total } },
  );
}

/** Everything that is wrong, on its way into the work bucket. */
class ProblemFiles {
  readonly counts: ProblemCounts = { missing: 0, extra: 0, truncated: 0, altered: 0, inconsistent: 0 };
  /** The first of them. */
  readonly named: ObjectProblem[] = [];
  /** How many are written. */
  files = 0;
  /** Keys of objects, and for `addOnce` with what is wrong. */
  readonly #told = new KeyTable();
  readonly #work: ObjectStore;
  readonly #keyOf: (file: number) => string;
  #lines: string[] = [];

  constructor(work: ObjectStore, keyOf: (file: number) => string) {
    this.#work = work;
    this.#keyOf = keyOf;
  }

  async add(problem: ObjectProblem): Promise<void> {
    this.#told.set(problem.key, "");
    await this.#add(problem);
  }

  /** Where nothing is told of the object by `add`, and not that very thing by this. */
  async addOnce(problem: ObjectProblem): Promise<void> {
    const what = `${problem.key} ${problem.detail}`;
    if (this.#told.slotOf(problem.key) !== undefined || this.#told.slotOf(what) !== undefined) return;
    this.#told.set(what, "");
    await this.#add(problem);
  }

  async #add(problem: ObjectProblem): Promise<void> {
    this.counts[problem.kind] += 1;
    if (this.named.length < namedProblems) this.named.push(problem);
    this.#lines.push(printProblem(problem));
    if (this.#lines.length === problemsPerFile) await this.end();
  }

  async end(): Promise<void> {
    if (this.#lines.length === 0) return;
    const body = this.#lines.join("");
    await this.#work.putText(this.#keyOf(this.files), body, { contentType: "application/jsonl" });
    this.files += 1;
    this.#lines = [];
  }
}
