import { setTimeout as sleep } from "node:timers/promises";
import { ListExecutionsCommand, SFNClient } from "@aws-sdk/client-sfn";
import { aws } from "../local/aws.ts";
import { stackOutputs } from "../local/deploy.ts";
import { LocalStackError } from "../local/errors.ts";
import { leaderOf, stackProcesses } from "../local/processes.ts";

/** A Step Functions client of the emulator. */
export function sfnClient(): SFNClient {
  const { endpoint, region, accessKeyId, secretAccessKey } = aws;
  return new SFNClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } });
}

/**
 * Makes the next invocation of every function of the pipeline a cold one: ends the processes of the emulator's functions, which start
 * anew when they are called. A version of a function cannot be written again, as its newest code can. Those of invocations under way would
 * end too, so it waits until no execution is running.
 */
export async function coolFunctions({ timeoutMs = 120_000 } = {}): Promise<void> {
  await untilIdle(timeoutMs);
  const processes = await stackProcesses("aws");
  const emulator = leaderOf(processes);
  for (const { pid } of processes.filter((it) => it.pid !== emulator?.pid)) process.kill(pid, "SIGKILL");
}

async function untilIdle(timeoutMs: number): Promise<void> {
  const client = sfnClient();
  try {
    const machines = Object.entries(await stackOutputs()).filter(([key]) => key.endsWith("StateMachineArn"));
    const giveUp = performance.now() + timeoutMs;
    for (;;) {
      const running = await Promise.all(
        machines.map(([, stateMachineArn]) =>
          client.send(new ListExecutionsCommand({ stateMachineArn, statusFilter: "RUNNING" })),
        ),
      );
      const names = running.flatMap(({ executions = [] }) => executions.map(({ name }) => name));
      if (names.length === 0) return;
      if (performance.now() > giveUp) {
        throw new LocalStackError(`Executions go on and on, so nothing can be measured: ${names.join(", ")}`);
      }
      await sleep(500);
    }
  } finally {
    client.destroy();
  }
}
