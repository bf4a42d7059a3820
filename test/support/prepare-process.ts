import { backupLayout } from "../../src/core/format/layout.ts";
import { prepareRestore } from "../../src/steps/restore/prepare-restore.ts";
import { prepareTransfer } from "../../src/steps/transfer/prepare-transfer.ts";
import { ForgetfulStore, LargeBackupStore } from "./large-backup.ts";
import { PipelineWorld } from "./pipeline-world.ts";
import { executionOf } from "./run-machines.ts";

/**
 * Prepares the restore or the transfer of a large backup in a process of its own, as a Lambda does, so that a test can give it a
 * Lambda's heap and see how much memory it took. Arguments: the step, the target's version, the number of segments, and `manifest`
 * where it has one. Prints the step's
 * result, what it wrote, and the most memory the process held, in bytes.
 */
const [step = "", version = "", segments = "", manifest = ""] = process.argv.slice(2);
const world = new PipelineWorld({
  a: { milvusAt: "bucket-a/files", backupAt: "backups/backup" },
  // of another store, so that nothing can be read where it lies
  b: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: { version } },
});
const backups = new LargeBackupStore("backups", backupLayout("backup", "large"), Number(segments));
if (manifest === "manifest") backups.seedManifest();
const work = new ForgetfulStore("work");
const base = world.context();
const context: typeof base = {
  ...base,
  work,
  openStore: async (ref) => (ref.environment === "a" && ref.side === "backup" ? backups : base.openStore(ref)),
};
const execution = executionOf("large");
const started = performance.now();
const result =
  step === "prepare-transfer"
    ? await prepareTransfer({ execution, input: { backupName: "large", from: "a", to: "b" }, attempt: 0 }, context)
    : await prepareRestore(
        { execution, input: { environment: "b", from: "a", backupName: "large" }, attempt: 0 },
        context,
      );
const { batches, logs, checksums, imported } = work;
console.log(
  JSON.stringify({
    result,
    written: { batches, segments: work.segments, logs, checksums, imported },
    planBytes: Buffer.byteLength(work.read(`executions/${step.slice(8)}/large/plan.json`) ?? ""),
    peakBytes: process.resourceUsage().maxRSS * 1024,
    seconds: Math.round((performance.now() - started) / 1000),
  }),
);
