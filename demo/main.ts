import { Command } from "commander";
import { interruptible, reportFailure } from "../local/interrupt.ts";
import { runDemo } from "./demo.ts";

const signal = interruptible();

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
  reportFailure(error, signal);
}
