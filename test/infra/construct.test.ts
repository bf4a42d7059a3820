import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, NestedStack, Stack, Validations } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { Bucket, BucketEncryption } from "aws-cdk-lib/aws-s3";
import { AwsSolutionsChecks } from "cdk-nag";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { eventFunctionSpecs, functionSpecs } from "../../infra/functions.ts";
import { MilvusBackup, type PipelineOptions } from "../../infra/index.ts";
import type { PipelineFile } from "../../src/core/deployment/config.ts";
import { pipelineTemplate } from "./synthesized.ts";

const directory = mkdtempSync(join(tmpdir(), "milvus-backup-construct-"));
const functionsDirectory = join(directory, "functions");
beforeAll(() => {
  for (const { name } of [...functionSpecs, ...eventFunctionSpecs]) {
    mkdirSync(join(functionsDirectory, name), { recursive: true });
    writeFileSync(join(functionsDirectory, name, "index.js"), "");
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const schedule = { name: "nightly", environment: "prod", expression: "cron(0 3 * * ? *)" };
const newStack = (name = "Shop") => {
  const app = new App({ outdir: mkdtempSync(join(directory, "out-")) });
  return { app, stack: new Stack(app, name) };
};

/** A bucket with its key and a network that the same app makes: nothing of them has a name yet. */
function stackWithParts() {
  const { app, stack } = newStack();
  const encryptionKey = new Key(stack, "Key");
  const data = new Bucket(stack, "Data", { encryption: BucketEncryption.KMS, encryptionKey });
  const vpc = new Vpc(stack, "Vpc");
  const group = new SecurityGroup(stack, "Group", { vpc });
  const [milvusBuckets, backupBuckets] = ["files", "/backup/"].map((rootPath) => [{ bucket: data, rootPath }]);
  new MilvusBackup(stack, "Backup", { functionsDirectory, milvusBuckets, backupBuckets, vpc, securityGroups: [group] });
  return { app, stack };
}

describe("MilvusBackup in a stack of another app", () => {
  it("is the pipeline of this project's own stack, beside whatever else stands there", () => {
    const { stack } = newStack();
    const backup = new MilvusBackup(stack, "Backup", { functionsDirectory, name: "MilvusBackup" });

    const template = Template.fromStack(stack);
    const typesOf = (of: Template) =>
      Object.values(of.toJSON().Resources as Record<string, { Type: string }>)
        .map(({ Type }) => Type)
        .sort();
    expect(typesOf(template)).toEqual(typesOf(pipelineTemplate()));
    expect([...backup.stateMachines.keys()]).toContain("restore");
  });

  it("is found by the command under the outputs it looks for, and named after the stack", () => {
    const { stack } = newStack();
    new MilvusBackup(stack, "Backup", { functionsDirectory });

    const template = Template.fromStack(stack);
    expect(Object.keys(template.findOutputs("*"))).toEqual(
      expect.arrayContaining(["BackupStateMachineArn", "WorkBucketName", "EnvironmentsPrefix"]),
    );
    template.hasOutput("EnvironmentsPrefix", { Value: "milvus-backup/Shop/environments/" });
    template.hasResourceProperties("AWS::Lambda::Function", { FunctionName: "Shop-copy-segments" });
    template.hasResourceProperties("AWS::StepFunctions::StateMachine", {
      DefinitionSubstitutions: Match.objectLike({ StackName: "Shop" }),
    });
  });

  it("takes what pipeline.yaml says as an object, and tells what is wrong with it by key", () => {
    const { stack } = newStack();
    const pipeline: PipelineOptions = { environments: { prod: null }, schedules: [schedule], alarms: {} };
    const { topic } = new MilvusBackup(stack, "Backup", { functionsDirectory, pipeline });

    Template.fromStack(stack).hasResourceProperties("AWS::Scheduler::Schedule", {
      Name: "nightly",
      GroupName: Match.anyValue(),
    });
    expect(topic).toBeDefined();
    const misspelt: object = { ...schedule, colections: ["coll"] };
    const wrong: PipelineOptions = { environments: { prod: {} }, schedules: [misspelt as typeof schedule] };
    expect(() => new MilvusBackup(newStack().stack, "Backup", { functionsDirectory, pipeline: wrong })).toThrow(
      /MilvusBackup, pipeline: schedules\[0\]\.colections is not a known key; accepted: name, environment, /,
    );
    expect(
      () => new MilvusBackup(newStack().stack, "Backup", { functionsDirectory, pipeline: "nowhere.yaml" }),
    ).toThrow("MilvusBackup, pipeline: there is no file nowhere.yaml");
  });

  it("gives its functions the app's own buckets with their keys, and puts them into its VPC", () => {
    const template = Template.fromStack(stackWithParts().stack);

    template.hasResourceProperties("AWS::IAM::Policy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Sid: "UseMilvus",
            Action: "s3:GetObject",
            Resource: { "Fn::Join": ["", Match.arrayWith([{ Ref: Match.stringLikeRegexp("^Data") }, "/files/*"])] },
          }),
          Match.objectLike({ Sid: "UseBackups" }),
          Match.objectLike({ Sid: "UseDataKeys", Resource: { "Fn::GetAtt": [Match.stringLikeRegexp("^Key"), "Arn"] } }),
        ]),
      },
    });
    template.allResourcesProperties("AWS::Lambda::Function", {
      VpcConfig: { SecurityGroupIds: [{ "Fn::GetAtt": [Match.stringLikeRegexp("^Group"), "GroupId"] }] },
    });
  });

  it("leaves cdk-nag nothing to say about its own parts, also where a bucket has no name yet", () => {
    const { app } = stackWithParts();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

    expect(() => app.synth()).toThrow(/Shop\/Data\/Resource/);
    expect(() => app.synth()).not.toThrow(/Shop\/Backup/);
  });

  it("says what is written in the place of dataBuckets, and refuses backups where Milvus's own data lies", () => {
    const { stack } = newStack();
    const bucket = new Bucket(stack, "Data");
    const root = { bucket, rootPath: "files" };

    const old: object = { functionsDirectory, dataBuckets: [bucket] };
    expect(() => new MilvusBackup(stack, "Old", old)).toThrow(
      /MilvusBackup, dataBuckets is told by its parts now: milvusBuckets, .* and backupBuckets, /,
    );
    const props = { functionsDirectory, milvusBuckets: [root], backupBuckets: [root] };
    expect(() => new MilvusBackup(newStack().stack, "One", props)).toThrow(
      /backupBuckets: .*\/files lies where Milvus/,
    );
    const pattern = { functionsDirectory, backupBuckets: [{ bucket, rootPath: "team*" }] };
    expect(() => new MilvusBackup(newStack().stack, "Pattern", pattern)).toThrow(/rootPath team\*: a policy takes/);
  });

  it("lets somebody start a machine", () => {
    const { stack } = newStack();
    const role = new Role(stack, "Nightly", { assumedBy: new ServicePrincipal("codebuild.amazonaws.com") });
    new MilvusBackup(stack, "Backup", { functionsDirectory }).grantStart("backup", role);

    Template.fromStack(stack).hasResourceProperties("AWS::IAM::Policy", {
      Roles: [{ Ref: Match.stringLikeRegexp("^Nightly") }],
      PolicyDocument: { Statement: [Match.objectLike({ Action: "states:StartExecution" })] },
    });
  });

  it("refuses what the command could not find: a second one in a stack, a nested stack, a name no function can have", () => {
    const { stack } = newStack();
    new MilvusBackup(stack, "Backup", { functionsDirectory });

    expect(() => new MilvusBackup(stack, "Second", { functionsDirectory, name: "Second" })).toThrow(
      "stack Shop has a MilvusBackup already",
    );
    expect(
      () => new MilvusBackup(new NestedStack(newStack().stack, "Inner"), "Backup", { functionsDirectory }),
    ).toThrow("not in a nested one");
    expect(() => new MilvusBackup(newStack("x".repeat(60)).stack, "Backup", { functionsDirectory })).toThrow(
      "MilvusBackup, name: use a letter, then up to 39 letters, digits and -",
    );
    expect(() => new MilvusBackup(newStack().stack, "Backup", { functionsDirectory: directory })).toThrow(
      /there is no .*index\.js: the functions are built with the package/,
    );
  });
});

it("takes as an object exactly what the file may say", () => {
  expectTypeOf<PipelineOptions>().toExtend<PipelineFile>();
  expectTypeOf<Exclude<PipelineFile["schedules"], undefined>[number]>().toExtend<
    Exclude<PipelineOptions["schedules"], undefined>[number]
  >();
});
