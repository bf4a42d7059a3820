import { type GetExecutionHistoryCommand, SFNClient } from "@aws-sdk/client-sfn";
import { expect, test } from "vitest";
import { createPipelineExecutions } from "../../../src/adapters/pipeline-executions.ts";

const arn = "arn:aws:states:us-east-1:111111111111:execution:MilvusBackup-backup:one";

/** Step Functions with one history, oldest first, that is asked from its end. */
function historyOf(events: readonly object[]) {
  const asked: number[] = [];
  const send = async ({ input }: GetExecutionHistoryCommand) => {
    const [from, size] = [Number(input.nextToken ?? 0), input.maxResults ?? 100];
    asked.push(size);
    const page = events.toReversed().slice(from, from + size);
    return { events: page, ...(from + size < events.length && { nextToken: String(from + size) }) };
  };
  return {
    asked,
    executions: createPipelineExecutions(Object.assign(new SFNClient({ region: "us-east-1" }), { send })),
  };
}

const entered = { type: "TaskStateEntered", stateEnteredEventDetails: { name: "Copy Batch Directly" } };
const attempt = [
  { type: "LambdaFunctionScheduled" },
  { type: "LambdaFunctionStarted" },
  { type: "LambdaFunctionFailed" },
];

test("the current state is found behind the attempts of eight batches that are tried again and again", async () => {
  const { executions } = historyOf([entered, ...Array.from({ length: 8 * 30 }, () => attempt).flat()]);

  expect(await executions.currentState(arn)).toBe("Copy Batch Directly");
});

test("the current state takes one request where it is among the newest events", async () => {
  const { executions, asked } = historyOf([...Array.from({ length: 300 }, () => attempt).flat(), entered, ...attempt]);

  expect(await executions.currentState(arn)).toBe("Copy Batch Directly");
  expect(asked).toHaveLength(1);
});

test("an execution that entered nothing yet has no current state", async () => {
  expect(await historyOf([{ type: "ExecutionStarted" }]).executions.currentState(arn)).toBeUndefined();
});
