import { ExecutionDoesNotExist, InvalidArn, SFNClient } from "@aws-sdk/client-sfn";
import { expect, test } from "vitest";
import { stepFunctionsExecutions } from "../../../src/adapters/step-functions-executions.ts";

const arn = "arn:aws:states:us-east-1:111111111111:execution:MilvusBackup-backup:one";
const metadata = { message: "", $metadata: {} };

function executionsThatAnswer(answer: { status: string } | Error) {
  const send = async () => {
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return stepFunctionsExecutions(Object.assign(new SFNClient({ region: "us-east-1" }), { send }));
}

test.each([
  [{ status: "RUNNING" }, "running"],
  [{ status: "PENDING_REDRIVE" }, "running"],
  [{ status: "SUCCEEDED" }, "over"],
  [{ status: "ABORTED" }, "over"],
  [new ExecutionDoesNotExist(metadata), "over"],
  [new InvalidArn(metadata), "unknown"],
  [Object.assign(new Error("not authorized"), { name: "AccessDeniedException" }), "unknown"],
])("an answer %j says that it is %s", async (answer, state) => {
  expect(await executionsThatAnswer(answer).state(arn)).toBe(state);
});

test("any other error is one", async () => {
  await expect(executionsThatAnswer(new Error("no route")).state(arn)).rejects.toThrow("no route");
});
