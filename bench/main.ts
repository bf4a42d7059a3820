import { Command } from "commander";
import { formatReport } from "../local/index.ts";
import { interruptible, reportFailure } from "../local/interrupt.ts";
import { runBench } from "./bench.ts";
import { benchText, ratios } from "./report.ts";
import { rivalVariable } from "./rival.ts";

const signal = interruptible();
const say = (text: string) => console.error(text);

const program = new Command("bench")
  .description("Measures a backup and a restore of 80 small segments on the local stack, and copies alone")
  .option("--json", "the figures as one JSON document, times in milliseconds")
  .option("--keep", "leave the local stack running")
  .option("--no-deploy", "on a stack that runs: use the pipeline as it is deployed")
  .addHelpText("after", `\n${rivalVariable}=<a binary of milvus-backup> measures that tool too, in the same run.`)
  .action(async ({ json, keep = false, deploy }: { json?: boolean; keep?: boolean; deploy: boolean }) => {
    const result = await runBench({
      keep,
      deploy,
      signal,
      say,
      reporter(report) {
        const line = formatReport(report);
        if (line !== undefined) say(line);
      },
      rival: process.env[rivalVariable] || undefined,
    });
    console.log(json ? JSON.stringify({ ...result, ratios: ratios(result) }, undefined, 2) : benchText(result));
  });

try {
  await program.parseAsync();
} catch (error) {
  reportFailure(error, signal);
}
