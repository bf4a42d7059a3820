import { LocalStackError } from "../local/errors.ts";
import { countRows } from "../local/milvus-client.ts";
import { formatReport, type Reporter } from "../local/reporter.ts";
import { stackInfo } from "../local/stack.ts";
import { measureCopyBundle } from "../measure/copy-bundle.ts";
import { commandLine, configs, milvusBackup } from "../measure/milvus-backup.ts";
import { coolFunctions, sfnClient } from "../measure/pipeline-functions.ts";
import { measureCreate, measureRestore, timesOf } from "../measure/pipeline-run.ts";
import { type ExecutionTimes, newestExecution } from "../measure/state-times.ts";
import { seconds } from "../measure/times-table.ts";
import { type Servers, type WithStackOptions, withStack } from "../measure/with-stack.ts";
import { cleanUp, cleanUpWarm } from "./clean.ts";
import { names } from "./collection.ts";
import { type Digit, readDigits } from "./digits.ts";
import { type LoadedDigits, loadDigits } from "./load.ts";
import { findPlaces } from "./places.ts";
import { comparisonText, count, headline, indented, measuresText, placesText, rowsText } from "./report.ts";
import { agreementOf, type Comparison, chooseQueries, search } from "./search.ts";

const say = (text: string) => console.log(text);
const reporter: Reporter = (report) => {
  const line = formatReport(report);
  if (line !== undefined) say(indented(line));
};

/**
 * Runs the whole demo and prints what it sees; answers whether the restored collection holds and finds exactly what the source does.
 * Takes the local stack down again where it was this demo that started it.
 */
export async function runDemo(options: Omit<WithStackOptions, "reporter">): Promise<boolean> {
  const began = performance.now();
  say(headline("The local stack: two Milvus servers, an AWS emulator, the pipeline deployed into it"));
  return withStack({ ...options, reporter }, async (servers, stays) => {
    const agreed = await demonstrate(servers, options.signal);
    say(`\nDone in ${seconds(performance.now() - began)}.`);
    say(stays ? howToGoOn() : headline("Taking the local stack down (--keep leaves it running)"));
    return agreed;
  });
}

async function demonstrate(servers: Servers, signal: AbortSignal): Promise<boolean> {
  const removed = await cleanUp(servers.a, servers.b);
  if (removed.length > 0) say(indented(`An earlier demo left ${removed.join(", ")}: removed`));

  say(headline("10,000 handwritten digits for Milvus A"));
  const digits = await readDigits();
  const onProgress = (text: string) => say(indented(text));
  const loaded = await loadDigits(servers.a, digits, { onProgress, signal });

  await coolFunctions(); // a stack that was kept has warm functions from before
  say(headline("Back up: milvus-backup as a person types it"));
  const backup = await runCommand(["--config", configs.a, "create", "-c", names.collection, "-n", names.backup], {
    machine: "Backup",
    prefix: `create-${names.backup}-`,
    signal,
  });
  await coolFunctions(); // the function that stages is the one that copied
  say(headline("Restore into Milvus B"));
  const restore = await runCommand(
    ["--config", configs.b, "restore", "-c", names.collection, "-n", names.backup, "-s", names.suffix],
    { machine: "Restore", prefix: `restore-${names.backup}-`, signal },
  );

  const agreed = await compare(servers, digits, loaded);
  signal.throwIfAborted();
  say(headline("Where it lies"));
  say(indented(placesText(await findPlaces(servers.a, servers.b))));

  say(headline("Measures"));
  const { warm } = names;
  const warmBackup = await measureCreate(names.collection, warm.backup);
  const warmRestore = await measureRestore(names.collection, warm.backup, warm.suffix);
  await cleanUpWarm(servers.b);
  const measures = {
    backup: { cold: backup, warm: warmBackup.times },
    restore: { cold: restore, warm: warmRestore.times },
    bundle: await measureCopyBundle(),
  };
  say(indented(measuresText(measures)));
  return agreed;
}

/** Shows a command and what it prints; answers the times of the execution it started. */
async function runCommand(
  args: readonly string[],
  { machine, prefix, signal }: { machine: "Backup" | "Restore"; prefix: string; signal: AbortSignal },
): Promise<ExecutionTimes> {
  say(indented(`$ . .local/aws.env\n$ ${commandLine(args)}`));
  await milvusBackup(args, { onLine: (line) => say(indented(line, 6)), signal });
  const stateMachineArn = (await stackInfo()).outputs[`${machine}StateMachineArn`];
  if (stateMachineArn === undefined) throw new LocalStackError("The pipeline is not deployed: npm run local -- up");
  const client = sfnClient();
  try {
    return await timesOf(await newestExecution(client, stateMachineArn, prefix));
  } finally {
    client.destroy();
  }
}

/** Searches and counts in both servers, and prints it. */
async function compare(servers: Servers, digits: readonly Digit[], loaded: LoadedDigits): Promise<boolean> {
  say(headline(`The same searches: ${names.collection} in Milvus A | ${names.restored} in Milvus B`));
  const comparisons: Comparison[] = [];
  for (const query of chooseQueries(digits, loaded.deleted)) {
    const comparison = {
      query,
      source: await search(servers.a, names.collection, query),
      restored: await search(servers.b, names.restored, query),
    };
    comparisons.push(comparison);
    say(`\n${indented(comparisonText(comparison))}`);
  }
  const agreement = agreementOf(comparisons);
  say(
    `\n${indented(`The top tens agree at ${(agreement * 100).toFixed(1)} % of their ranks (same digit, same distance).`)}`,
  );

  const rows = {
    inserted: loaded.inserted,
    deleted: loaded.deleted.size,
    source: await countRows(servers.a, names.collection),
    restored: await countRows(servers.b, names.restored),
  };
  say(`\n${indented(rowsText(rows))}`);
  const complete = rows.source === rows.inserted - rows.deleted && rows.restored === rows.source;
  if (!complete)
    say(indented(`The counts differ: ${count(rows.inserted - rows.deleted)} were expected on both sides.`));
  return agreement === 1 && complete;
}

function howToGoOn(): string {
  return [
    headline("The local stack is still there"),
    indented(
      [
        "$ . .local/aws.env",
        `$ ${commandLine(["--config", configs.b, "list"])}`,
        `$ ${commandLine(["--config", configs.b, "get", "-n", names.backup])}`,
        `$ ${commandLine(["executions"])}`,
        "$ npm run local -- down",
      ].join("\n"),
    ),
  ].join("\n");
}
