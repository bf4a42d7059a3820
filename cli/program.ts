import { readFileSync } from "node:fs";
import { Command, Help } from "commander";
import { addSharedOptions } from "./options.ts";
import type { Terminal } from "./output/terminal.ts";
import { addCheck } from "./verbs/check.ts";
import { addCompletion } from "./verbs/completion.ts";
import { addCopy } from "./verbs/copy.ts";
import { addCreate } from "./verbs/create.ts";
import { addDelete } from "./verbs/delete.ts";
import { addDiff } from "./verbs/diff.ts";
import { addDrill } from "./verbs/drill.ts";
import { addEnv } from "./verbs/env.ts";
import { addExecutions } from "./verbs/executions.ts";
import { addExport } from "./verbs/export.ts";
import { addGet } from "./verbs/get.ts";
import { addList } from "./verbs/list.ts";
import { addPeek } from "./verbs/peek.ts";
import { addRefused } from "./verbs/refused.ts";
import { addReport } from "./verbs/report.ts";
import { addRestore } from "./verbs/restore.ts";
import { addRetention } from "./verbs/retention.ts";
import { addServer } from "./verbs/server.ts";
import { addSweep } from "./verbs/sweep.ts";
import type { VerbHost } from "./verbs/verb.ts";
import { addVerify } from "./verbs/verify.ts";

/** In the order of the help. */
const verbs = [
  addCreate,
  addRestore,
  addCopy,
  addList,
  addGet,
  addPeek,
  addDiff,
  addExport,
  addDrill,
  addVerify,
  addReport,
  addDelete,
  addCheck,
  addExecutions,
  addEnv,
  addRetention,
  addSweep,
  addServer,
  addCompletion,
];

/** The whole command line; throws CommanderError instead of ending the process. */
export function buildProgram(terminal: Terminal, host: VerbHost): Command {
  const program = new Command("milvus-backup")
    .description(
      "Backs up and restores Milvus collections through a serverless pipeline, in milvus-backup's format and with its options.",
    )
    .version(readVersion(), "-V, --version")
    .exitOverride()
    .showHelpAfterError("(milvus-backup --help and milvus-backup VERB --help list the options)")
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "Error (Usage): ")),
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      getOutHelpWidth: () => terminal.stdout.columns ?? 100,
      getErrHelpWidth: () => terminal.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true, minWidthToWrap, formatItem })
    .addHelpText(
      "after",
      `
Examples:
  # back up a collection of milvus_A, restore it into milvus_B as coll_bak
  milvus-backup --config milvus-a.yaml create -c coll -n my_backup
  milvus-backup --config milvus-b.yaml restore -c coll -n my_backup -s _bak

  # what is there, what is in it, does everything answer
  milvus-backup --config milvus-a.yaml list
  milvus-backup --config milvus-a.yaml get -n my_backup
  milvus-backup --config milvus-a.yaml peek -n my_backup -c coll
  milvus-backup --config milvus-a.yaml verify -n my_backup
  milvus-backup --config milvus-a.yaml check

Options may be spelled as in milvus-backup (--drop_exist_collection, --meta_only).
AWS credentials come from the environment, as for every AWS tool (the local stack: . .local/aws.env).
Exit codes: 0 done, 1 failed, 130 left with Ctrl-C while the execution goes on.`,
    );
  addSharedOptions(program);
  for (const addVerb of verbs) addVerb(program, host);
  addRefused(program);
  return program;
}

/** Narrower columns are none: names of variables do not fit into them. */
const minWidthToWrap = 28;
const belowTerm = " ".repeat(6);

/** An option and what it does: beside it, or where there is no room for a column, below it. */
function formatItem(this: Help, term: string, termWidth: number, description: string, helper: Help): string {
  const { helpWidth = 80 } = helper;
  if (description === "" || helpWidth - termWidth - 4 >= minWidthToWrap) {
    return Help.prototype.formatItem.call(helper, term, termWidth, description, helper);
  }
  const wrapped = helper.boxWrap(description, helpWidth - belowTerm.length);
  return `  ${term}\n${wrapped.replaceAll(/^/gm, belowTerm)}`;
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}
