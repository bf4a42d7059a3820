import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { pipelineTemplate } from "./synthesized.ts";

const example = readFileSync(new URL("../../examples/pipeline.yaml", import.meta.url), "utf8");
const template = pipelineTemplate({ pipeline: example });

interface Trust {
  readonly Effect: string;
  readonly Principal: Readonly<Record<string, unknown>>;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Statements of the policies of resources, and of who may assume roles, that let somebody in. */
function letIn(type: string, documentKey: string): { id: string; trust: Trust }[] {
  return Object.entries(template.findResources(type)).flatMap(([id, { Properties }]) =>
    (Properties[documentKey].Statement as Trust[])
      .filter(({ Effect }) => Effect === "Allow")
      .map((trust) => ({ id, trust })),
  );
}

/** Condition keys, whatever their operator. */
function keysOf({ Condition = {} }: Trust): string[] {
  return Object.values(Condition).flatMap((keys) => Object.keys(keys));
}

const roles = letIn("AWS::IAM::Role", "AssumeRolePolicyDocument");

it("lets services assume roles for this account's own resources only, Lambda apart, which knows no such conditions", () => {
  const services = Map.groupBy(roles, ({ trust }) => String(trust.Principal.Service));

  expect([...services.keys()].sort()).toEqual([
    "lambda.amazonaws.com",
    "scheduler.amazonaws.com",
    "states.amazonaws.com",
  ]);
  for (const [service, all] of services) {
    if (service === "lambda.amazonaws.com") continue;
    for (const { id, trust } of all) expect([id, ...keysOf(trust)]).toEqual([id, "aws:SourceAccount", "aws:SourceArn"]);
  }
});

it("lets services put something into topics and queues for this stack's own rules and alarms only", () => {
  const topics = letIn("AWS::SNS::TopicPolicy", "PolicyDocument");
  const queues = letIn("AWS::SQS::QueuePolicy", "PolicyDocument");

  expect(topics.map(({ trust }) => trust.Principal)).toEqual([
    { Service: "cloudwatch.amazonaws.com" },
    { Service: "events.amazonaws.com" },
  ]);
  for (const { trust } of topics) expect(keysOf(trust)).toEqual(["aws:SourceAccount", "aws:SourceArn"]);
  expect(queues.length).toBeGreaterThan(0);
  for (const { id, trust } of queues) expect([id, ...keysOf(trust)]).toContain("aws:SourceArn");
});

it("lets rules invoke functions by their ARN only", () => {
  const permissions = Object.values(template.findResources("AWS::Lambda::Permission"));

  expect(permissions.length).toBeGreaterThan(0);
  for (const { Properties } of permissions) expect(Properties.SourceArn).toBeDefined();
});
