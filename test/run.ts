import { performance } from "node:perf_hooks";
import { bringUpStack } from "./support/e2e/stack.ts";
import { type Counts, runCheck, runTests } from "./support/run/sections.ts";
import { formatSummary, totalOf } from "./support/run/summary.ts";

/**
 * `npm test`: every check and every test, one section after another, but for the tutorials, beside which
 * the tests run that need no servers. A failure does not stop what follows. The last line is
 * `N passed, N failed`: each test counts, and each of lint, dependency rules and types; skipped tests count as failed.
 */
const sources = ["src", "functions", "cli", "infra", "local", "measure", "demo", "bench", "test"];

const sections: { title: string; counts: Counts; seconds: number }[] = [];

/** @param options.held what it prints comes when it has ended, as other sections run beside it: `run` sees to that */
async function section(
  title: string,
  run: () => Promise<Counts>,
  { held = false }: { held?: boolean } = {},
): Promise<void> {
  if (!held) console.log(`\n=== ${title}\n`);
  const began = performance.now();
  const counts = await run().catch((error: unknown) => {
    const problem = error instanceof Error ? error.message : String(error);
    console.error(problem);
    return { passed: 0, failed: 1, problems: [problem] };
  });
  sections.push({ title, counts, seconds: (performance.now() - began) / 1000 });
}

await section("lint", () => runCheck("biome", ["check", "."]));
await section("dependency rules", () =>
  // Without a parser for TypeScript it would look at nothing and find nothing wrong.
  runCheck("depcruise", ["--config", ".dependency-cruiser.cjs", ...sources], { unlike: /\(0 modules/ }),
);
await section("types", () => runCheck("tsc", ["-p", "."]));

let stack: Promise<() => Promise<void>> | undefined;
const takeDown = async () => (await stack?.catch(() => undefined))?.();
const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  // What was started here ends here, also halfway; a second signal does not wait for it.
  process.on(name, () => {
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort(new Error(`${name}: stopping`));
    void takeDown().finally(() => process.exit(130));
  });
}
const env: Record<string, string> = {};
await section("local stack", async () => {
  stack = bringUpStack({ signal: interrupt.signal });
  await stack;
  env.MILVUS_BACKUP_TEST_STACK = "up";
  return { passed: 0, failed: 0 };
});
// The tutorials wait for servers most of the time, and must have these to themselves: tests that only compute run beside them.
const heldBelow = "tutorials";
const tutorials = section(heldBelow, () => runTests("tutorials", { env, heldBelow }), { held: true });
for (const project of ["unit", "infra", "judges", "browser"]) {
  await section(project, () => runTests(project, { yielding: true }));
}
await tutorials;
for (const project of ["contract", "e2e"]) await section(project, () => runTests(project, { env }));
await takeDown();

const total = totalOf(sections.map(({ counts }) => counts));
process.exitCode = total.failed === 0 ? 0 : 1;
console.log(`\n${formatSummary(sections)}`);
