import type { Machine } from "./machines.ts";

/** What the keys of the pipeline's own work bucket begin with. */
export const workPrefixes = {
  /** What drills made and have not dropped yet (core/plan/drill.ts). */
  drills: "drills/",
  executions: "executions/",
  /** Who reads which backup. */
  readers: "readers/",
  /** What outlives one execution of a restore (core/plan/restore-work.ts). */
  restores: "restores/",
} as const;

/** The keys of many executions and subjects at once, as permissions name them. */
export const workKeyPatterns = {
  drills: `${workPrefixes.drills}*`,
  executions: `${workPrefixes.executions}*`,
  executionsOf: (machine: Machine) => `${workPrefixes.executions}${machine}/*`,
  /** What the distributed maps of a machine read. */
  itemsOf: (machine: Machine) => `${workPrefixes.executions}${machine}/*/items-*.json`,
  readers: `${workPrefixes.readers}*`,
  restores: `${workPrefixes.restores}*`,
} as const;

/** The files of one execution in the work bucket. */
export function workLayout(machine: Machine, execution: string) {
  const root = `${workPrefixes.executions}${machine}/${execution}`;
  return {
    root: `${root}/`,
    /** The environments it began with (steps/shared/pinned-environments.ts). */
    environments: `${root}/environments.json`,
    plan: `${root}/plan.json`,
    /** What the execution holds outside of its own files (steps/shared/held.ts). */
    held: `${root}/held.json`,
    /** Renewals of the pause of garbage collection (steps/shared/gc-pause.ts). */
    pauseRenewals: `${root}/pause-renewals.json`,
    /** Which collections the execution is about, as they were selected when it began. */
    selected: `${root}/selected.json`,
    /** Where the channel of CDC stood when the backup began. */
    rpcChannel: `${root}/rpc-channel.json`,
    /** The flush of the whole server, once an execution (core/plan/server-flush.ts); null where there was none. */
    serverFlush: `${root}/server-flush.json`,
    /** What an attempt found out about one of them: with it, a step that starts again goes on behind it. */
    draft: (attempt: number, index: number) => `${root}/drafts/${attempt}-${index}.json`,
    /** What is planned for one collection, by its number and the attempt that planned it. */
    collection: (attempt: number, index: number) => `${root}/collections/${attempt}-${index}.json`,
    /** The plan of the attempt before, as this attempt found it. */
    earlierPlan: (attempt: number) => `${root}/earlier-plan-${attempt}.json`,
    /** Which collections an attempt could not copy as they were planned. */
    torn: (attempt: number) => `${root}/torn-${attempt}.json`,
    imports: `${root}/imports/`,
    /** What an import of a restore reads: ImportFiles[]. */
    importFiles: (task: number) => `${root}/imports/${task}.json`,
    /** What is read of the partitions of a collection whose rows are inserted: Insertion. */
    insertion: (number: number) => `${root}/insertions/${number}.json`,
    /** What the distributed map of an attempt reads: CopyItem[], the batches that have something to copy. */
    items: (attempt: number) => `${root}/items-${attempt}.json`,
    /** How many batches an attempt has, with those of which nothing is copied. */
    batchCount: (attempt: number) => `${root}/batch-count-${attempt}.json`,
    batch: (batch: string) => `${root}/batches/${batch}.json`,
    receipts: `${root}/receipts/`,
    receipt: (batch: string) => `${root}/receipts/${batch}.json`,
    /** Why copies of batches failed: a distributed map fails without a reason. */
    copyFailures: `${root}/failures/`,
    /** What of a restore could not be compared with what was backed up: string[], for people. */
    uncompared: `${root}/uncompared.json`,
    /** What a restore did with users and roles: counts and warnings, no passwords. */
    rbac: `${root}/rbac.json`,
    progress: `${root}/progress.json`,
    /** Its mere presence asks running copies to stop before their next segment. */
    cancel: `${root}/cancelled`,
    /** When everything that a drill restored answered a search for the first time. */
    searchable: `${root}/searchable.json`,
    failure: `${root}/failure.json`,
    /** What a verification found (core/plan/verify.ts): problems, one a line, in files from 0 on, and their sum. */
    problems: (file: number) => `${root}/problems/${file}.jsonl`,
    findings: `${root}/findings.json`,
    /** Keys of living rows that a batch of a verification read (core/binlog/key-entries.ts). */
    keyRun: (batch: string, run: number) => `${root}/keys/${batch}-${run}`,
    /** What the last step answers, whole: an execution's output is bounded. */
    result: `${root}/result.json`,
  };
}

export type WorkLayout = ReturnType<typeof workLayout>;

/** Where the copy of a batch says why it failed: in `copyFailures` of the execution that its batch file belongs to. */
export function copyFailureKey(batchKey: string): string {
  return batchKey.replace("/batches/", "/failures/");
}

/** Where the execution that a batch belongs to says what it holds, and how its pause of garbage collection was renewed. */
export function heldOfBatch(batchKey: string): Pick<WorkLayout, "held" | "pauseRenewals"> {
  const root = batchKey.replace(/\/batches\/.*$/, "");
  return { held: `${root}/held.json`, pauseRenewals: `${root}/pause-renewals.json` };
}

/** Where the copy of a batch leaves its receipt, from where it says why it failed. */
export function receiptKeyOfFailure(failureKey: string): string {
  return failureKey.replace("/failures/", "/receipts/");
}

/** The name of a batch within its execution: attempt and number, sortable. */
export function batchName(attempt: number, index: number): string {
  return `${attempt}-${String(index).padStart(6, "0")}`;
}

/** Who reads a backup: one mark an execution below the prefix of a place. */
export function readersPrefix(place: string): string {
  return `${workPrefixes.readers}${encodeURIComponent(place)}/`;
}
