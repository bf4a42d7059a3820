import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { AccountPrincipal, ArnPrincipal, Role } from "aws-cdk-lib/aws-iam";
import { afterAll, describe, expect, it } from "vitest";
import { eventFunctionSpecs, functionSpecs } from "../../infra/functions.ts";
import { MilvusBackup, type PipelineOptions } from "../../infra/index.ts";

const directory = mkdtempSync(join(tmpdir(), "milvus-backup-doors-"));
const functionsDirectory = join(directory, "functions");
for (const { name } of [...functionSpecs, ...eventFunctionSpecs]) {
  mkdirSync(join(functionsDirectory, name), { recursive: true });
  writeFileSync(join(functionsDirectory, name, "index.js"), "");
}
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const env = { account: "111122223333", region: "eu-central-1" };

function deployment(pipeline: PipelineOptions = {}) {
  const stack = new Stack(new App({ outdir: mkdtempSync(join(directory, "out-")) }), "MilvusBackup", { env });
  return { stack, backup: new MilvusBackup(stack, "Backup", { functionsDirectory, pipeline }) };
}

interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
}

/** The statements of whoever's policy is attached to a role whose logical ID begins so. */
function statementsOf(stack: Stack, role: string): Statement[] {
  return Object.values(Template.fromStack(stack).findResources("AWS::IAM::Policy"))
    .filter(({ Properties }) => JSON.stringify(Properties.Roles).includes(`{"Ref":"${role}`))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[]);
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
/** ARNs as they are written by hand. */
const written = (arn: unknown) =>
  JSON.stringify(arn)
    .replace(/\{"Fn::Join":\["",\[(.*?)\]\]\}/g, (_, parts: string) =>
      JSON.stringify(
        (JSON.parse(`[${parts}]`) as unknown[])
          .map((part) =>
            typeof part === "string"
              ? part
              : JSON.stringify(part).includes("AWS::Partition")
                ? "aws"
                : "arn:aws:s3:::WORK_BUCKET",
          )
          .join(""),
      ),
    )
    .replace(/\{"Fn::GetAtt":\["[^"]*Work[^"]*","Arn"\]\}/g, '"arn:aws:s3:::WORK_BUCKET"');

describe("roles of people", () => {
  it.each([
    ["auditor", (backup: MilvusBackup, role: Role) => backup.grantAudit(role)],
    ["operator", (backup: MilvusBackup, role: Role) => backup.grantOperate(role)],
    ["restorer", (backup: MilvusBackup, role: Role) => backup.grantRestore(role)],
  ] as const)("docs/policies/%s.json is what the construct grants", (name, grant) => {
    const { stack, backup } = deployment();
    grant(backup, new Role(stack, "Person", { assumedBy: new AccountPrincipal(env.account) }));

    const granted = statementsOf(stack, "Person").map(({ Sid, Effect, Action, Resource }) => ({
      Sid,
      Effect,
      Action: list(Action),
      Resource: list(Resource).map((arn) => JSON.parse(written(arn)) as unknown),
    }));

    const file = new URL(`../../docs/policies/${name}.json`, import.meta.url);
    const documented = JSON.parse(readFileSync(file, "utf8"));
    expect(granted).toEqual(documented.Statement);
  });

  it("docs/policies/api-caller.json is what lets somebody call the API, and nobody else gets that", () => {
    const { stack, backup } = deployment({ environments: { prod: null }, api: { environment: "prod" } });
    const role = (name: string) => new Role(stack, name, { assumedBy: new AccountPrincipal(env.account) });
    backup.grantCallApi(role("Caller"));
    backup.grantOperate(role("Operator"));
    const template = Template.fromStack(stack);
    const [apiId] = Object.keys(template.findResources("AWS::ApiGatewayV2::Api"));

    const granted = JSON.stringify(statementsOf(stack, "Caller")).replace(
      /\{"Fn::Join":\["",\[(.*)\]\]\}/,
      (_, parts: string) =>
        JSON.stringify(
          (JSON.parse(`[${parts}]`) as (string | { Ref: string })[])
            .map((part) => (typeof part === "string" ? part : part.Ref === apiId ? "API_ID" : "aws"))
            .join(""),
        ),
    );

    const file = new URL("../../docs/policies/api-caller.json", import.meta.url);
    const [documented] = JSON.parse(readFileSync(file, "utf8")).Statement;
    const [{ Action, Resource, ...rest }] = JSON.parse(granted);
    expect({ ...rest, Action: list(Action), Resource: list(Resource) }).toEqual(documented);
    expect(JSON.stringify(statementsOf(stack, "Operator"))).not.toContain("execute-api");
    expect(() => deployment().backup.grantCallApi(role("Nobody"))).toThrow(/pipeline.api/);
  });

  it.each([
    ["grantAudit", [], []],
    ["grantOperate", ["states:StartExecution", "states:StopExecution"], ["backup"]],
    ["grantRestore", ["states:StartExecution", "states:StopExecution"], ["restore", "drill"]],
  ] as const)("%s starts and stops %s of %s, and reads no secret", (grant, changes, machines) => {
    const { stack, backup } = deployment({ workBucketKeyArn: `arn:aws:kms:eu-central-1:111122223333:key/k` });
    backup[grant](new Role(stack, "Person", { assumedBy: new AccountPrincipal(env.account) }));

    const statements = statementsOf(stack, "Person");
    const changing = statements.filter(({ Action }) =>
      list(Action).some((action) => /:(Start|Stop|Put)/.test(String(action))),
    );
    expect(changing.flatMap(({ Action }) => list(Action)).filter((action) => /states/.test(String(action)))).toEqual(
      changes,
    );
    const reached = new Set(
      [...JSON.stringify(changing).matchAll(/MilvusBackup-([a-z]+)/g)].map(([, machine]) => machine),
    );
    expect([...reached]).toEqual(machines);
    expect(JSON.stringify(statements)).not.toMatch(/secretsmanager|lambda:|iam:|"\*"/);
    expect(JSON.stringify(statements)).toContain("kms:Decrypt");
  });

  it("refuses who has no policy that could be added to", () => {
    const { backup } = deployment();

    expect(() => backup.grantOperate(new ArnPrincipal("arn:aws:iam::111122223333:role/release"))).toThrow(
      /Role\.fromRoleArn/,
    );
  });
});

const ours = "arn:aws:kms:eu-central-1:111122223333:key/ours";
const theirs = "arn:aws:kms:eu-central-1:444455556666:key/theirs";
const kmsActions = (stack: Stack, name: string) =>
  statementsOf(stack, `Backup${name}`).flatMap(({ Action, Resource }) =>
    list(Action)
      .filter((action) => ["kms:Sign", "kms:Verify"].includes(String(action)))
      .map((action) => [action, list(Resource)]),
  );

describe("signatures", () => {
  const { stack } = deployment({
    signBackups: ours,
    trustedKeyArns: [`${theirs}2`],
    environments: { dr: null },
    restoreTriggers: [
      {
        name: "partner",
        bucket: "partner-backups",
        account: "444455556666",
        collections: ["a"],
        environment: "dr",
        signedBy: theirs,
        rbac: true,
      },
      {
        name: "open",
        bucket: "other-backups",
        account: "444455556666",
        collections: ["a"],
        environment: "dr",
        unsigned: true,
      },
    ],
  });

  it("are made by Finalize Backup, verified by Prepare Restore, and nobody else may use the keys", () => {
    const users = functionSpecs
      .map(({ name }) => name.replace(/(?:^|-)(.)/g, (_, first: string) => first.toUpperCase()))
      .map((name) => [name, kmsActions(stack, name)])
      .filter(([, actions]) => actions?.length);

    expect(users).toEqual([
      ["FinalizeBackup", [["kms:Sign", [ours]]]],
      ["PrepareRestore", [["kms:Verify", [ours, theirs, `${theirs}2`]]]],
    ]);
    const functions = Template.fromStack(stack).findResources("AWS::Lambda::Function", {
      Properties: { Environment: { Variables: Match.objectLike({ SIGN_BACKUPS: ours }) } },
    });
    expect(Object.keys(functions)).toEqual([expect.stringMatching(/^BackupFinalizeBackup/)]);
  });

  it("are what a trigger hands on, and `unsigned` is for who reads the file", () => {
    const rules = Object.values(Template.fromStack(stack).findResources("AWS::Events::Rule"));
    const handed = rules
      .map(({ Properties }) => JSON.stringify(Properties.Targets))
      .filter((it) => it.includes("trigger"));

    const [signed, open] = handed;
    expect(handed).toHaveLength(2);
    expect(signed).toContain(theirs);
    expect(signed).toMatch(/\\"rbac\\":true/);
    expect(open).not.toMatch(/unsigned|signedBy|rbac/);
  });

  it("need no permission where nothing is signed", () => {
    expect(kmsActions(deployment().stack, "PrepareRestore")).toEqual([]);
  });
});

describe("allowedEnvironments", () => {
  const { stack } = deployment({
    environments: {
      prod: { backupBuckets: ["prod-backups/backup"], milvusBuckets: ["prod-milvus/files"] },
      dr: { backupBuckets: ["dr-backups/backup"], milvusBuckets: ["dr-milvus/files"] },
    },
    allowedEnvironments: { backup: ["prod"], restore: ["dr"], read: ["dr"] },
  });
  const reaches = (name: string) => {
    const text = JSON.stringify(statementsOf(stack, `Backup${name}`));
    return ["prod", "dr"].filter(
      (it) => text.includes(`environments/${it}-`) || text.includes(`${it}-milvus`) || text.includes(`${it}-backups`),
    );
  };

  it("narrow secrets and buckets of the functions whose machine they are said for", () => {
    expect({
      backup: reaches("FinalizeBackup"),
      restore: reaches("PrepareRestore"),
      verify: reaches("PrepareVerify"),
    }).toEqual({
      backup: ["prod"],
      restore: ["dr"],
      verify: ["dr"],
    });
  });

  it("leave those who may name any as they are, and tell every function", () => {
    expect(reaches("FinalizeTransfer")).toEqual(["prod", "dr"]);
    Template.fromStack(stack).allResourcesProperties("AWS::Lambda::Function", {
      Environment: {
        Variables: Match.objectLike({
          ALLOWED_ENVIRONMENTS: '{"backup":["prod"],"restore":["dr"],"read":["dr"]}',
        }),
      },
    });
  });
});
