import { parseArgs } from "node:util";
import { rivalVariable } from "../../../bench/rival.ts";
import { startService, stopService } from "../../../local/index.ts";
import { type Difference, differencesOf } from "./differences.ts";
import { reasonOf } from "./known.ts";
import { type Runs, runOurs, runTheirs, type Verb, verbs } from "./runs.ts";
import { comparisonStore, openWorld, type World } from "./world.ts";

const versions = ["2.4.15", "2.5.12", "2.6.4", "2.6.12"];

const usage = `Runs create and restore of milvus-backup and of this pipeline against the fake Milvus, on a MinIO of its own, and prints
what they ask it differently (how often there : here): with the reason where it is meant (known.ts), and exit code 1 where some is not.

  ${rivalVariable}=/path/to/milvus-backup node test/tools/compare-calls/main.ts [--versions ${versions.join()}] [--examples]
`;

const { values } = parseArgs({
  options: {
    versions: { type: "string", default: versions.join() },
    examples: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const binary = process.env[rivalVariable];
if (values.help || binary === undefined) {
  console.log(usage);
  process.exit(values.help ? 0 : 2);
}

/** Whether everything went well, and every difference is meant. */
async function compare(version: string, rival: string): Promise<boolean> {
  const runIn = async (name: string, run: (world: World) => Promise<Runs>) => {
    const world = await openWorld(store, `v${version}`, `${name}-${version}`);
    return run(world).finally(() => world.close());
  };
  const [theirs, ours] = await Promise.all([
    runIn("theirs", (world) => runTheirs(rival, world)),
    runIn("ours", runOurs),
  ]);
  let isMeant = true;
  for (const verb of verbs) {
    const [there, here] = [theirs[verb], ours[verb]];
    console.log(`\n${version} ${verb}: ${there.calls.length} calls there, ${here.calls.length} here`);
    for (const problem of [there.problem, here.problem]) if (problem !== undefined) console.log(`FAILED ${problem}`);
    const unexplained = tell(verb, differencesOf(there.calls, here.calls));
    isMeant &&= unexplained === 0 && there.problem === undefined && here.problem === undefined;
  }
  return isMeant;
}

/** @returns how many nobody has explained */
function tell(verb: Verb, differences: readonly Difference[]): number {
  let unexplained = 0;
  for (const difference of differences) {
    const reason = reasonOf(verb, difference);
    if (reason === undefined) unexplained += 1;
    const { there, here } = difference.counts;
    console.log(`  ${difference.call} ${there} : ${here}: ${difference.what} (${reason ?? "NOT EXPLAINED"})`);
    const shown = values.examples || reason === undefined ? difference.examples : [];
    for (const example of shown) console.log(`      ${example.slice(0, 300)}`);
  }
  return unexplained;
}

const store = comparisonStore();
await startService(store, { afresh: true });
try {
  for (const version of values.versions.split(",")) if (!(await compare(version, binary))) process.exitCode = 1;
} finally {
  await stopService(store);
}
