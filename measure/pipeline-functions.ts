import { setTimeout as sleep } from "node:timers/promises";
import { ListExecutionsCommand, SFNClient } from "@aws-sdk/client-sfn";
import { z } from "zod";
import { aws, stackName } from "../local/aws.ts";
import { stackOutputs } from "../local/deploy.ts";
import { LocalStackError } from "../local/errors.ts";

const functionsUrl = `${aws.endpoint}/2015-03-31/functions`;
const functionList = z.object({ Functions: z.array(z.object({ FunctionName: z.string(), Timeout: z.number() })) });

/** A Step Functions client of the emulator. */
export function sfnClient(): SFNClient {
  const { endpoint, region, accessKeyId, secretAccessKey } = aws;
  return new SFNClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } });
}

/**
 * Makes the next invocation of every function of the pipeline a cold one: a function whose configuration is written again starts
 * in new processes, here as in AWS. Ends the processes of invocations under way, so it waits until no execution is running.
 * The Lambda API is called by hand: nothing else in the project needs its SDK.
 */
export async function coolFunctions({ timeoutMs = 120_000 } = {}): Promise<void> {
  await untilIdle(timeoutMs);
  const { Functions } = functionList.parse(await call(`${functionsUrl}?MaxItems=100`));
  for (const { FunctionName, Timeout } of Functions.filter((it) => it.FunctionName.startsWith(`${stackName}-`))) {
    await call(`${functionsUrl}/${FunctionName}/configuration`, { Timeout });
  }
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

/** The emulator looks at the scope of a signature, not at the signature. */
async function call(url: string, body?: object): Promise<unknown> {
  const scope = `${aws.accessKeyId}/20260101/${aws.region}/lambda/aws4_request`;
  const response = await fetch(url, {
    method: body === undefined ? "GET" : "PUT",
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=${scope}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) throw new LocalStackError(`${url}: HTTP ${response.status}: ${await response.text()}`);
  return response.json();
}
