import {
  DeleteRuleCommand,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
} from "@aws-sdk/client-eventbridge";
import {
  CreateStateMachineCommand,
  DeleteStateMachineCommand,
  DescribeExecutionCommand,
  ListExecutionsCommand,
} from "@aws-sdk/client-sfn";
import { expect } from "vitest";
import { aws } from "../../../local/index.ts";
import type { DetailType } from "../../../src/core/deployment/events.ts";
import { eventProblems } from "../json-schemas.ts";
import { eventBridge, stepFunctions } from "./aws-clients.ts";

interface CapturedEvent {
  readonly source: string;
  readonly "detail-type": string;
  readonly detail: Record<string, unknown>;
}

export interface CapturedEvents {
  /** What came so far, oldest first. */
  of(detailType: DetailType): Promise<CapturedEvent[]>;
  close(): Promise<void>;
}

/** Keeps the events of one deployment as they come over the bus: a rule starts a machine that does nothing with each. */
export async function captureEvents(stack: string): Promise<CapturedEvents> {
  const name = `${stack}-captured-events`;
  const roleArn = `arn:aws:iam::${aws.account}:role/${name}`;
  const { stateMachineArn = "" } = await stepFunctions.send(
    new CreateStateMachineCommand({
      name,
      roleArn,
      definition: JSON.stringify({ StartAt: "Keep", States: { Keep: { Type: "Pass", End: true } } }),
    }),
  );
  const EventPattern = JSON.stringify({ source: ["milvus-backup"], detail: { stack: [stack] } });
  await eventBridge.send(new PutRuleCommand({ Name: name, EventPattern }));
  await eventBridge.send(
    new PutTargetsCommand({ Rule: name, Targets: [{ Id: "keep", Arn: stateMachineArn, RoleArn: roleArn }] }),
  );
  return {
    async of(detailType) {
      const { executions = [] } = await stepFunctions.send(new ListExecutionsCommand({ stateMachineArn }));
      const events = await Promise.all(
        executions.toReversed().map(async ({ executionArn }) => {
          const { input = "{}" } = await stepFunctions.send(new DescribeExecutionCommand({ executionArn }));
          return JSON.parse(input) as CapturedEvent;
        }),
      );
      // Whatever a test asks for, every event has to be what its published schema says.
      for (const event of events) expect(eventProblems(event)).toEqual([]);
      return events.filter((event) => event["detail-type"] === detailType);
    },
    async close() {
      await eventBridge.send(new RemoveTargetsCommand({ Rule: name, Ids: ["keep"] }));
      await eventBridge.send(new DeleteRuleCommand({ Name: name }));
      await stepFunctions.send(new DeleteStateMachineCommand({ stateMachineArn }));
    },
  };
}
