import { stackName } from "../../../local/index.ts";
import { commandOf, stackProcesses } from "../../../local/processes.ts";

/** Ends the processes in which the emulator runs one of the pipeline's functions, as if the machine under them had died. */
export async function killFunction(name: string): Promise<number> {
  const own = await stackProcesses("aws");
  const running = own.filter(({ pid }) => commandOf(pid).includes(`ministack-lambda-${stackName}-${name}-`));
  for (const { pid } of running) process.kill(pid, "SIGKILL");
  return running.length;
}
