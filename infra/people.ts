import { Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import type { Machine } from "../src/core/execution/machines.ts";
import { workLayout } from "../src/core/execution/work-layout.ts";
import { statesArn } from "./permissions.ts";

/** Roles that people and pipelines of CI have towards a deployment; none of them reads a secret or a backup, as callers of the REST API do. */
const peopleRoles = ["auditor", "operator", "restorer"] as const;
export type PeopleRole = (typeof peopleRoles)[number];

/** Which machines each starts and stops; all see what every machine did. */
const startedBy: Readonly<Record<PeopleRole, readonly Machine[]>> = {
  auditor: [],
  operator: ["backup"],
  restorer: ["restore", "drill"],
};

export interface People {
  /** Name of the deployment. */
  readonly name: string;
  readonly machines: readonly Machine[];
  readonly workBucketArn: string;
  readonly workBucketKeyArn?: string | undefined;
}

/** What a role may do, as docs/policies has it for the stack MilvusBackup. */
export function peopleStatements(scope: Construct, role: PeopleRole, of: People): PolicyStatement[] {
  const { name, machines, workBucketArn, workBucketKeyArn } = of;
  const started = startedBy[role];
  const machineArns = (all: readonly Machine[]) =>
    all.map((machine) => statesArn(scope, "stateMachine", `${name}-${machine}`));
  const executions = (all: readonly Machine[]) =>
    all.map((machine) => statesArn(scope, "execution", `${name}-${machine}:*`));
  const statements: [sid: string, actions: string[], resources: string[]][] = [
    [
      "FindThePipeline",
      ["cloudformation:DescribeStacks"],
      [
        Stack.of(scope).formatArn({
          service: "cloudformation",
          resource: "stack",
          resourceName: `${Stack.of(scope).stackName}/*`,
        }),
      ],
    ],
    ["ListExecutions", ["states:ListExecutions"], machineArns(machines)],
    ["SeeExecutions", ["states:DescribeExecution", "states:GetExecutionHistory"], executions(machines)],
    ["ListPlans", ["s3:ListBucket"], [workBucketArn]],
    ["ReadPlans", ["s3:GetObject"], [`${workBucketArn}/*`]],
  ];
  if (workBucketKeyArn !== undefined) statements.push(["DecryptPlans", ["kms:Decrypt"], [workBucketKeyArn]]);
  if (started.length > 0) {
    statements.push(
      ["StartExecutions", ["states:StartExecution"], machineArns(started)],
      ["StopExecutions", ["states:StopExecution"], executions(started)],
      // Copies under way look for a mark.
      ["CancelCopies", ["s3:PutObject"], started.map((machine) => `${workBucketArn}/${cancelMarks(machine)}`)],
    );
    if (workBucketKeyArn !== undefined) statements.push(["EncryptMarks", ["kms:GenerateDataKey"], [workBucketKeyArn]]);
  }
  return statements.map(([sid, actions, resources]) => new PolicyStatement({ sid, actions, resources }));
}

/** What a caller of the REST API may, as docs/policies/api-caller.json has it. @param apiArn everything of it that can be called */
export function apiCallerStatement(apiArn: string): PolicyStatement {
  return new PolicyStatement({ sid: "CallTheApi", actions: ["execute-api:Invoke"], resources: [apiArn] });
}

function cancelMarks(machine: Machine): string {
  return workLayout(machine, "*").cancel;
}
