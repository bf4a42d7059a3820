import { Command } from "commander";
import { LocalStackError } from "../errors.ts";
import { runDemo } from "./demo.ts";

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    if (interrupt.signal.aborted) process.exit(130);
    process.stderr.write(`${name}: stopping what the demo started (again to leave at once)\n`);
    interrupt.abort(new LocalStackError("Interrupted."));
  });
}
const { signal } = interrupt;

const program = new Command("demo")
  .description("Backs up 10,000 handwritten digits of one Milvus, restores them into another, and searches both")
  .option("--keep", "leave the local stack and everything in it running")
  .option("--no-deploy", "on a stack that runs: use the pipeline as it is deployed")
  .action(async (options: { keep?: boolean; deploy: boolean }) => {
    const agreed = await runDemo({ keep: options.keep ?? false, deploy: options.deploy, signal });
    if (!agreed) process.exitCode = 1;
  });

try {
  await program.parseAsync();
} catch (error) {
  // Whatever an interrupted step fails with, the interruption is the reason.
  const reason: unknown = signal.aborted ? signal.reason : error;
  console.error(reason instanceof LocalStackError ? reason.message : reason);
  process.exitCode = signal.aborted ? 130 : 1;
}
