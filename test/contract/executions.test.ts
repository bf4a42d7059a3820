import { randomUUID } from "node:crypto";
import {
  CreateStateMachineCommand,
  DeleteStateMachineCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stepFunctionsExecutions } from "../../src/adapters/step-functions-executions.ts";

const client = new SFNClient({
  endpoint: "http://127.0.0.1:4566",
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
});
const executions = stepFunctionsExecutions(client);
let stateMachineArn = "";

beforeAll(async () => {
  const waiting = { StartAt: "Stay", States: { Stay: { Type: "Wait", Seconds: 600, End: true } } };
  const created = await client.send(
    new CreateStateMachineCommand({
      name: `contract-${randomUUID()}`,
      roleArn: "arn:aws:iam::000000000000:role/contract",
      definition: JSON.stringify(waiting),
    }),
  );
  stateMachineArn = created.stateMachineArn ?? "";
});

afterAll(async () => {
  await client.send(new DeleteStateMachineCommand({ stateMachineArn }));
});

test("an execution is running until it is stopped", async () => {
  const { executionArn = "" } = await client.send(new StartExecutionCommand({ stateMachineArn }));

  expect(await executions.state(executionArn)).toBe("running");
  await client.send(new StopExecutionCommand({ executionArn }));
  expect(await executions.state(executionArn)).toBe("over");
});

test("an execution that nobody remembers is over", async () => {
  const forgotten = `${stateMachineArn.replace(":stateMachine:", ":execution:")}:${randomUUID()}`;

  expect(await executions.state(forgotten)).toBe("over");
});
