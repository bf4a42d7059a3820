import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
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
    { Service: "events.amazonaws.com" },
    { Service: "cloudwatch.amazonaws.com" },
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

describe("another stack whose name begins with this one's", () => {
  const otherStacks = ["MilvusBackup2", "MilvusBackup-2", "MilvusBackup-backup"];
  const matches = (pattern: string, text: string) =>
    new RegExp(
      `^${pattern
        .replace(/[.+^${}()|[\]\\]/g, "\\$&")
        .replaceAll("*", ".*")
        .replaceAll("?", ".")}$`,
    ).test(text);
  const rolesOf = (stack: string) =>
    Object.entries(pipelineTemplate({ pipeline: example, stack }).findResources("AWS::IAM::Role"))
      .filter(([, { Properties }]) => JSON.stringify(Properties.AssumeRolePolicyDocument).includes("lambda.amazonaws"))
      // The name as CloudFormation makes it.
      .map(
        ([id, { Properties }]) => `arn:aws:iam::222222222222:role${Properties.Path ?? "/"}${stack}-${id}-1A2B3C4D5E6F`,
      );

  it("has no role that the documented TrustedRoles match, which match each function's of this one", () => {
    const documented = [
      "cross-account.md",
      "cross-account/backup-reader.yaml",
      "cross-account/backup-bucket-policy.yaml",
    ]
      .map((name) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8"))
      .flatMap((text) => text.match(/arn:aws:iam::222222222222:role\/[^\s']+/g) ?? []);

    const [own, others] = [rolesOf("MilvusBackup"), otherStacks.flatMap(rolesOf)];
    expect(documented.length).toBeGreaterThanOrEqual(4);
    expect(own.length).toBeGreaterThan(20);
    for (const pattern of documented) {
      expect(own.filter((role) => !matches(pattern, role))).toEqual([]);
      expect(others.filter((role) => matches(pattern, role))).toEqual([]);
    }
  });

  it("has none of its alarms, rules or machines let in: every pattern ends a name where the name ends", () => {
    const text = JSON.stringify(template.toJSON());

    // What follows a hyphen may be the rest of some other stack's name.
    expect(text.match(/MilvusBackup-?\*/g)).toBeNull();
    const [alarms] = letIn("AWS::SNS::TopicPolicy", "PolicyDocument").filter(
      ({ trust }) => trust.Principal.Service === "cloudwatch.amazonaws.com",
    );
    const sources = alarms?.trust.Condition?.ArnLike?.["aws:SourceArn"] as { "Fn::GetAtt": [string, string] }[];
    expect(sources.map((source) => source["Fn::GetAtt"][0]).sort()).toEqual(
      Object.keys(template.findResources("AWS::CloudWatch::Alarm")).sort(),
    );
  });
});
