import { pipelineTemplate, resourcesOf, statementsOf } from "../../infra/synthesized.ts";
import { place } from "./needs.ts";
import type { PolicyStatement } from "./policy.ts";

export const stack = "MilvusBackup";
export const workBucket = "work-of-the-pipeline";

/** `arn:aws:states:us-east-1:111111111111:stateMachine:MilvusBackup-restore` */
export function machineArn(machine: string): string {
  return `arn:aws:states:${place.region}:${place.account}:stateMachine:${stack}-${machine}`;
}

/** What a deployment grants its functions: by CDK id, with the names that CloudFormation would give. */
export function policiesOf(pipeline: string, ids: readonly string[]): ReadonlyMap<string, readonly PolicyStatement[]> {
  const template = pipelineTemplate({ pipeline });
  return new Map(
    ids.map((id) => [
      id,
      statementsOf(template, id).map((statement): PolicyStatement => {
        const { Sid = "", Action, Condition } = statement;
        return {
          Sid,
          Effect: "Allow",
          Action: [Action].flat(),
          Resource: resourcesOf(statement).map(concrete),
          ...(Condition !== undefined && { Condition: Condition as NonNullable<PolicyStatement["Condition"]> }),
        };
      }),
    ]),
  );
}

/** The same with another key in the place of one. */
export function withKey(
  policies: ReadonlyMap<string, readonly PolicyStatement[]>,
  keyArn: string,
  other: string,
): ReadonlyMap<string, readonly PolicyStatement[]> {
  const replaced = (resource: string) => (resource === keyArn ? other : resource);
  return new Map(
    [...policies].map(([id, all]) => [id, all.map((one) => ({ ...one, Resource: one.Resource.map(replaced) }))]),
  );
}

/** With a name for each that only CloudFormation knows. */
function concrete(resource: string): string {
  return resource
    .replace("<WorkBucket>", `arn:aws:s3:::${workBucket}`)
    .replace(/<(\w+)StateMachine\w*>/, (_, machine: string) => machineArn(machine.toLowerCase()))
    .replace(
      /<(\w+)Function>/,
      (_, id: string) =>
        `arn:aws:lambda:${place.region}:${place.account}:function:${stack}${id.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    )
    .replace(/<(\w+)Logs>/, `arn:aws:logs:${place.region}:${place.account}:log-group:/aws/lambda/$1:*`)
    .replace(":region:account:", `:${place.region}:${place.account}:`);
}

/** What CloudFormation takes for a template. */
const longestTemplate = 51_200;

/** CloudFormation templates with a role for each policy, by its name; the account itself may assume them. */
export function rolesTemplates(policies: Iterable<readonly [string, readonly PolicyStatement[]]>): string[] {
  const Version = "2012-10-17";
  const trust = { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${place.account}:root` }, Action: "sts:AssumeRole" };
  const role = ([RoleName, Statement]: readonly [string, readonly PolicyStatement[]]) => ({
    Type: "AWS::IAM::Role",
    Properties: {
      RoleName,
      AssumeRolePolicyDocument: { Version, Statement: [trust] },
      Policies: [{ PolicyName: "granted", PolicyDocument: { Version, Statement } }],
    },
  });
  const templates: string[] = [];
  let Resources: Record<string, object> = {};
  for (const entry of policies) {
    const more = { ...Resources, [`Role${Object.keys(Resources).length}`]: role(entry) };
    if (JSON.stringify({ Resources: more }).length <= longestTemplate) {
      Resources = more;
      continue;
    }
    templates.push(JSON.stringify({ Resources }));
    Resources = { Role0: role(entry) };
  }
  return [...templates, JSON.stringify({ Resources })];
}
