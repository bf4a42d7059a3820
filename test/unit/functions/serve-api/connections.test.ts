import { afterEach, beforeEach, expect, test } from "vitest";
import { machineArn } from "../../../../cli/pipeline/stack.ts";
import { functionConnections } from "../../../../functions/serve-api/connections.ts";

const states = "arn:aws:states:eu-central-1:111122223333:stateMachine:MilvusBackup";
const variables = {
  STACK_NAME: "MilvusBackup",
  WORK_BUCKET: "work",
  ENVIRONMENTS_PREFIX: "milvus-backup/MilvusBackup/environments/",
  BACKUP_STATE_MACHINE_ARN: `${states}-backup`,
  RESTORE_STATE_MACHINE_ARN: `${states}-restore`,
  ALLOWED_ENVIRONMENTS: JSON.stringify({ backup: ["dr"], restore: ["prod"], read: ["dr"] }),
  AWS_REGION: "eu-central-1",
};
const before = { ...process.env };

beforeEach(() => {
  Object.assign(process.env, variables);
});
afterEach(() => {
  process.env = { ...before };
});

test("the pipeline is what the variables say, and nothing else of it is there", async () => {
  const pipeline = await functionConnections("prod").pipeline("");

  expect(machineArn(pipeline, "restore")).toBe(`${states}-restore`);
  expect(() => machineArn(pipeline, "export")).toThrow(/has no state machine export/);
});

test("what the deployment does not let executions name is not started, whoever asks", async () => {
  const executions = await functionConnections("prod").executions();
  const start = (machine: string) =>
    executions.start({ stateMachineArn: `${states}-${machine}`, name: "mine", input: {} });

  await expect(start("backup")).rejects.toThrow(/allowedEnvironments.backup .*has: dr/);
  await expect(start("restore")).rejects.toThrow(/allowedEnvironments.read .*has: dr/);
});
