/** Keys of the pipeline's own work bucket. Everything of one execution lies under `executions/<machine>/<execution name>/`. */
export function workLayout(machine: "backup" | "restore" | "transfer", execution: string) {
  const root = `executions/${machine}/${execution}`;
  return {
    root: `${root}/`,
    plan: `${root}/plan.json`,
    /** What the execution holds outside of its own files (steps/shared/held.ts). */
    held: `${root}/held.json`,
    /** Renewals of the pause of garbage collection (steps/shared/gc-pause.ts). */
    pauseRenewals: `${root}/pause-renewals.json`,
    items: (attempt: number) => `${root}/items-${attempt}.json`,
    batch: (batch: string) => `${root}/batches/${batch}.json`,
    receipts: `${root}/receipts/`,
    receipt: (batch: string) => `${root}/receipts/${batch}.json`,
    /** Why copies of batches failed: a distributed map fails without a reason. */
    copyFailures: `${root}/failures/`,
    progress: `${root}/progress.json`,
    /** Its mere presence asks running copies to stop before their next segment. */
    cancel: `${root}/cancelled`,
    failure: `${root}/failure.json`,
    /** What the last step answers, whole: an execution's output is bounded. */
    result: `${root}/result.json`,
  };
}

/** Where the copy of a batch says why it failed: in `copyFailures` of the execution that its batch file belongs to. */
export function copyFailureKey(batchKey: string): string {
  return batchKey.replace("/batches/", "/failures/");
}

/** The file of an execution that a batch belongs to: of `held` or of `pauseRenewals`. */
export function besideBatches(batchKey: string, file: "held" | "pause-renewals"): string {
  return batchKey.replace(/\/batches\/.*$/, `/${file}.json`);
}

/** Where the copy of a batch leaves its receipt, from where it says why it failed. */
export function receiptKeyOfFailure(failureKey: string): string {
  return failureKey.replace("/failures/", "/receipts/");
}

/** The name of a batch within its execution: attempt and number, sortable. */
export function batchName(attempt: number, index: number): string {
  return `${attempt}-${String(index).padStart(6, "0")}`;
}

/** Who may work on something that only one execution may work on (a backup name, a restore target). */
export function leaseKey(kind: "backup" | "restore", subject: string): string {
  return `leases/${kind}/${encodeURIComponent(subject)}.json`;
}
