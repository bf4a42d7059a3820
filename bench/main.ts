import { writeFile } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { formatReport } from "../local/index.ts";
import { interruptible, reportFailure } from "../local/interrupt.ts";
import { withStack } from "../measure/with-stack.ts";
import { measureCopyRates } from "./copy-rate.ts";
import { runGrowth } from "./growth.ts";
import { growthChart, growthText } from "./growth-report.ts";
import { runMany } from "./many.ts";
import { runMinio } from "./minio.ts";
import { minioText } from "./minio-text.ts";
import { runNightlies } from "./nightlies.ts";
import { nightliesChart } from "./nightlies-chart.ts";
import { runOneInstant } from "./one-instant.ts";
import type { BenchOptions } from "./options.ts";
import { partitionsText, runPartitions } from "./partitions.ts";
import { broughtBackText, copyTable, manyText, nightliesText, ratios, segmentsText } from "./report.ts";
import { rivalVariable } from "./rival.ts";
import { runSegments } from "./segments.ts";

const signal = interruptible();
const say = (text: string) => console.error(text);

interface Shared {
  readonly json?: boolean;
  readonly keep?: boolean;
  readonly deploy: boolean;
}

/** What a run measured, as a document and as text. */
type Figures = readonly [document: unknown, text: string];

const program = new Command("bench").description("Measures the pipeline on the local stack").addHelpText(
  "after",
  `
${rivalVariable}=<a binary of milvus-backup> measures that tool too, in the same run.
Without a name it is segments that is measured.`,
);

/** Adds a benchmark with the options that all have. */
function bench<O extends object>(
  name: string,
  description: string,
  run: (options: BenchOptions, own: O) => Promise<Figures>,
  isDefault = false,
): Command {
  return program
    .command(name, { isDefault })
    .description(description)
    .option("--json", "the figures as one JSON document, times in milliseconds")
    .option("--keep", "leave the local stack running")
    .option("--no-deploy", "on a stack that runs: use the pipeline as it is deployed")
    .action(async ({ json, keep = false, deploy, ...own }: Shared & O) => {
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
      const [document, text] = await run(options, own as unknown as O);
      console.log(json ? JSON.stringify(document, undefined, 2) : text);
    });
}

const runsOption = ["--runs <n>", "runs that the medians are of", atLeastOne, 3] as const;

bench<{ runs: number }>(
  "segments",
  "backups and restores of 80 small segments, and backups of 4",
  async (options, { runs }) => {
    const result = await runSegments({ ...options, runs });
    return [{ ...result, ratios: ratios(result) }, segmentsText(result)];
  },
  true,
).option(...runsOption);

bench<{ runs: number; latency: number }>(
  "many",
  "restores of 80 small segments, with and without deletes, from a store that takes its time, beside the Go tool",
  async (options, { runs, latency }) => {
    const result = await runMany({ ...options, runs, latency });
    return [result, manyText(result)];
  },
)
  .option(...runsOption)
  .option(
    "--latency <ms>",
    "milliseconds by which a request to the object store takes longer: 25 is an S3",
    atLeastNone,
    0,
  );

bench<{ runs: number }>(
  "partitions",
  "restores of small partitions: 64 of a key, and 28 of four collections, beside the Go tool",
  async (options, { runs }) => {
    const result = await runPartitions({ ...options, runs });
    return [result, partitionsText(result)];
  },
).option(...runsOption);

bench("copies", "copies alone, within the emulator's store", async (options) => {
  const rates = await withStack(options, () => measureCopyRates(signal));
  return [rates, copyTable(rates)];
});

bench<{ runs: number }>(
  "minio",
  "backups, restores and transfers on MinIO, beside the Go tool and mc cp --recursive",
  async (options, { runs }) => {
    const result = await runMinio({ ...options, runs });
    return [result, minioText(result)];
  },
).option(...runsOption);

bench("one-instant", "what backups bring back that were taken while the collection was written to", async (options) => {
  const results = await runOneInstant(options);
  return [results, broughtBackText(results)];
});

bench<{ svg?: string }>(
  "nightlies",
  "thirty nights of plain and incremental backups of a collection that grows",
  async (options, { svg }) => {
    const result = await runNightlies(options);
    if (svg !== undefined) await writeFile(svg, nightliesChart(result));
    return [result, nightliesText(result)];
  },
).option("--svg <file>", "draws them");

bench<{ svg?: string }>(
  "growth",
  "every step of 100 to 100,000 segments, with stores and Milvus in memory: time, memory, payloads",
  async (options, { svg }) => {
    const result = await runGrowth(options);
    if (svg !== undefined) await writeFile(svg, growthChart(result));
    return [result, growthText(result)];
  },
).option("--svg <file>", "draws them");

function atLeastNone(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError("It is a number of milliseconds from 0 to 999.");
  return Number(text);
}

function atLeastOne(text: string): number {
  if (!/^[1-9]\d?$/.test(text)) throw new InvalidArgumentError("It is a number from 1 to 99.");
  return Number(text);
}

try {
  await program.parseAsync();
} catch (error) {
  reportFailure(error, signal);
}
