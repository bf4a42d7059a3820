import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { formatReport } from "../local/index.ts";
import { interruptible, reportFailure } from "../local/interrupt.ts";
import { type BenchOptions, runBench } from "./bench.ts";
import { runNightlies } from "./nightlies.ts";
import { nightliesChart } from "./nightlies-chart.ts";
import { runOneInstant } from "./one-instant.ts";
import { benchText, broughtBackText, nightliesText, ratios } from "./report.ts";
import { rivalVariable } from "./rival.ts";

const signal = interruptible();
const say = (text: string) => console.error(text);

interface Options {
  readonly json?: boolean;
  readonly keep?: boolean;
  readonly deploy: boolean;
  readonly oneInstant?: boolean;
  readonly nightlies?: boolean;
  readonly svg?: string;
}

const program = new Command("bench")
  .description("Measures a backup and a restore of 80 small segments on the local stack, and copies alone")
  .option("--one-instant", "instead: what backups bring back that were taken while the collection was written to")
  .option("--nightlies", "instead: thirty nights of plain and incremental backups of a collection that grows")
  .option("--svg <file>", "with --nightlies: draws them")
  .option("--json", "the figures as one JSON document, times in milliseconds")
  .option("--keep", "leave the local stack running")
  .option("--no-deploy", "on a stack that runs: use the pipeline as it is deployed")
  .addHelpText("after", `\n${rivalVariable}=<a binary of milvus-backup> measures that tool too, in the same run.`)
  .action(async ({ json, keep = false, deploy, oneInstant, nightlies, svg }: Options) => {
    const options: BenchOptions = {
      keep,
      deploy,
      signal,
      say,
      reporter(report) {
        const line = formatReport(report);
        if (line !== undefined) say(line);
      },
      rival: process.env[rivalVariable] || undefined,
    };
    const [document, text] = nightlies
      ? await nightliesFigures(options, svg)
      : oneInstant
        ? await oneInstantFigures(options)
        : await timeFigures(options);
    console.log(json ? JSON.stringify(document, undefined, 2) : text);
  });

/** What a run measured, as a document and as text. */
type Figures = readonly [document: unknown, text: string];

async function timeFigures(options: BenchOptions): Promise<Figures> {
  const result = await runBench(options);
  return [{ ...result, ratios: ratios(result) }, benchText(result)];
}

async function oneInstantFigures(options: BenchOptions): Promise<Figures> {
  const results = await runOneInstant(options);
  return [results, broughtBackText(results)];
}

async function nightliesFigures(options: BenchOptions, svg: string | undefined): Promise<Figures> {
  const result = await runNightlies(options);
  if (svg !== undefined) await writeFile(svg, nightliesChart(result));
  return [result, nightliesText(result)];
}

try {
  await program.parseAsync();
} catch (error) {
  reportFailure(error, signal);
}
