import { readFileSync } from "node:fs";
import { explainMapFailure, tellingWhy } from "../../functions/shared/copy-failures.ts";
import { caughtOf } from "../../functions/shared/release-handler.ts";
import { parquetPayloads, tableFiles } from "../../src/adapters/parquet/index.ts";
import type { Machine } from "../../src/core/execution/machines.ts";
import {
  backupStepRequest,
  type CaughtFailure,
  copySegmentsRequest,
  type ExecutionRef,
  exportStepRequest,
  restoreStepRequest,
  transferStepRequest,
  verifyStepRequest,
} from "../../src/core/execution/messages.ts";
import { workLayout } from "../../src/core/execution/work-layout.ts";
import { finalizeBackup } from "../../src/steps/backup/finalize-backup.ts";
import { prepareBackup } from "../../src/steps/backup/prepare-backup.ts";
import { releaseBackup } from "../../src/steps/backup/release-backup.ts";
import { copySegments } from "../../src/steps/copy/copy-segments.ts";
import { exportSegments } from "../../src/steps/export/export-segments.ts";
import { finalizeExport } from "../../src/steps/export/finalize-export.ts";
import { prepareExport } from "../../src/steps/export/prepare-export.ts";
import { releaseExport } from "../../src/steps/export/release-export.ts";
import { finishRestore } from "../../src/steps/restore/finish-restore.ts";
import type { ImportContext } from "../../src/steps/restore/import-segments.ts";
import { importSegments } from "../../src/steps/restore/import-segments.ts";
import { prepareRestore } from "../../src/steps/restore/prepare-restore.ts";
import { recreateCollections } from "../../src/steps/restore/recreate-collections.ts";
import { releaseRestore } from "../../src/steps/restore/release-restore.ts";
import { finalizeTransfer } from "../../src/steps/transfer/finalize-transfer.ts";
import { prepareTransfer } from "../../src/steps/transfer/prepare-transfer.ts";
import { releaseTransfer } from "../../src/steps/transfer/release-transfer.ts";
import { finalizeVerify } from "../../src/steps/verify/finalize-verify.ts";
import { prepareVerify } from "../../src/steps/verify/prepare-verify.ts";
import { releaseVerify } from "../../src/steps/verify/release-verify.ts";
import { type AslExecution, type Definition, runAsl, type Standing } from "./run-asl.ts";

type Step = (event: unknown) => Promise<unknown>;

/** The steps of the machines by the names of their functions, as their handlers call them. */
function stepsOf(context: ImportContext): Readonly<Record<string, Step>> {
  const failureOf = async (machine: Machine, event: unknown): Promise<CaughtFailure> => {
    const { execution, ...caught } = event as { execution: ExecutionRef } & Parameters<typeof caughtOf>[0];
    return explainMapFailure(context.work, workLayout(machine, execution.name), caughtOf(caught));
  };
  return {
    CopySegments: (event) => {
      const request = copySegmentsRequest.parse(event);
      return tellingWhy(request, context.work, () => copySegments(request, context));
    },
    PrepareBackup: (event) => prepareBackup(backupStepRequest.parse(event), context),
    FinalizeBackup: (event) => finalizeBackup(backupStepRequest.parse(event), context),
    ReleaseBackup: async (event) =>
      releaseBackup({ ...backupStepRequest.parse(event), failure: await failureOf("backup", event) }, context),
    PrepareExport: (event) => prepareExport(exportStepRequest.parse(event), context),
    ExportSegments: (event) => {
      const request = copySegmentsRequest.parse(event);
      const reading = { ...context, payloads: async () => parquetPayloads, tables: async () => tableFiles };
      return tellingWhy(request, context.work, () => exportSegments(request, reading), "ExportSegments");
    },
    FinalizeExport: (event) => finalizeExport(exportStepRequest.parse(event), context),
    ReleaseExport: async (event) =>
      releaseExport({ ...exportStepRequest.parse(event), failure: await failureOf("export", event) }, context),
    PrepareRestore: (event) => prepareRestore(restoreStepRequest.parse(event), context),
    RecreateCollections: (event) => recreateCollections(restoreStepRequest.parse(event), context),
    ImportSegments: (event) => importSegments(restoreStepRequest.parse(event), context),
    FinishRestore: (event) => finishRestore(restoreStepRequest.parse(event), context),
    ReleaseRestore: async (event) =>
      releaseRestore({ ...restoreStepRequest.parse(event), failure: await failureOf("restore", event) }, context),
    PrepareTransfer: (event) => prepareTransfer(transferStepRequest.parse(event), context),
    FinalizeTransfer: (event) => finalizeTransfer(transferStepRequest.parse(event), context),
    ReleaseTransfer: async (event) =>
      releaseTransfer({ ...transferStepRequest.parse(event), failure: await failureOf("transfer", event) }, context),
    PrepareVerify: (event) => prepareVerify(verifyStepRequest.parse(event), context),
    FinalizeVerify: (event) => finalizeVerify(verifyStepRequest.parse(event), context),
    ReleaseVerify: async (event) =>
      releaseVerify({ ...verifyStepRequest.parse(event), failure: await failureOf("verify", event) }, context),
  };
}

export function definitionOf(machine: Machine): Definition {
  return JSON.parse(readFileSync(new URL(`../../state-machines/${machine}.asl.json`, import.meta.url), "utf8"));
}

interface MachineRun {
  readonly machine: Machine;
  readonly input: object;
  readonly execution: ExecutionRef;
  readonly context: ImportContext;
  /** In the place of a step; what is announced has the name `""`. */
  readonly step?: (name: string, run: () => Promise<unknown>, event: unknown) => Promise<unknown>;
  /** Where it goes on. */
  readonly redriven?: Standing | undefined;
}

/** A state machine as its text says it, with the real steps. */
export async function runMachine({
  machine,
  input,
  execution,
  context,
  step,
  redriven,
}: MachineRun): Promise<AslExecution> {
  const steps = stepsOf(context);
  return runAsl(
    definitionOf(machine),
    input,
    {
      task: async (resource, event) => {
        const name = /(\w+)FunctionArn/.exec(resource)?.[1] ?? "";
        const run = async () => steps[name]?.(event) ?? {};
        return step ? step(name, run, event) : run();
      },
      items: async ({ Key = "" }) => JSON.parse(await context.work.getText(Key)),
      wait: (seconds) => context.clock.sleep(seconds * 1_000),
    },
    { Execution: { Id: execution.id, Name: execution.name, StartTime: execution.startTime, Input: input } },
    redriven,
  );
}
