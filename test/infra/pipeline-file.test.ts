import { App, Validations } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { AwsSolutionsChecks } from "cdk-nag";
import { describe, expect, it } from "vitest";
import { forwarderOf } from "../../infra/events-forwarder-stack.ts";
import { readSettings } from "../../infra/settings.ts";
import { promisesIn } from "../../src/core/deployment/schedule-promise.ts";
import { parsePipelineYaml } from "../../src/core/deployment/yaml.ts";
import {
  actionsOf,
  examplePipeline,
  inputOfRule,
  pipelineApp,
  pipelineTemplate,
  resourcesOf,
  statementsOf,
} from "./synthesized.ts";

const template = pipelineTemplate({ pipeline: examplePipeline });
const key = (last: number) => `arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d-0000-4000-8000-00000000000${last}`;
const count = (from: Template, type: string) => Object.keys(from.findResources(type)).length;

describe("without pipeline.yaml", () => {
  it("nothing is scheduled, triggered, watched or put into a network", () => {
    const plain = pipelineTemplate();

    for (const type of [
      "Scheduler::Schedule",
      "Events::Rule",
      "CloudWatch::Alarm",
      "CloudWatch::Dashboard",
      "SNS::Topic",
      "SQS::Queue",
    ]) {
      expect(count(plain, `AWS::${type}`)).toBe(0);
    }
    expect(JSON.stringify(plain.toJSON())).not.toMatch(/VpcConfig|kms:|ec2:/);
  });
});

describe("examples/pipeline.yaml", () => {
  it("passes cdk-nag", () => {
    const { app } = pipelineApp({ pipeline: examplePipeline });

    expect(() => app.synth()).not.toThrow();
  });

  it("starts the machines by schedule, with a role that may start those and nothing else", () => {
    template.hasResourceProperties("AWS::Scheduler::Schedule", {
      Name: "nightly",
      ScheduleExpression: "cron(0 3 * * ? *)",
      ScheduleExpressionTimezone: "Europe/Berlin",
      State: "ENABLED",
      Target: {
        Arn: { Ref: Match.stringLikeRegexp("^BackupStateMachine") },
        Input: JSON.stringify({
          environment: "prod",
          collections: ["coll", "shop.*"],
          lock: { for: "3d", mode: "governance" },
          schedule: "nightly",
          scheduledTime: "<aws.scheduler.scheduled-time>",
        }),
      },
    });
    template.hasResourceProperties("AWS::Scheduler::Schedule", {
      Name: "nightly-verify",
      ScheduleExpression: "cron(0 12 ? * SUN *)",
      ScheduleExpressionTimezone: "Europe/Berlin",
      Target: {
        Arn: { Ref: Match.stringLikeRegexp("^VerifyStateMachine") },
        Input: JSON.stringify({ environment: "prod", schedule: "nightly", readData: 10, rows: 5 }),
      },
    });
    template.hasResourceProperties("AWS::Scheduler::Schedule", {
      Name: "hourly-verify",
      Target: { Input: JSON.stringify({ environment: "prod", schedule: "hourly" }) },
    });
    const statements = statementsOf(template, "Schedules").map((it) => [it.Sid, actionsOf(it), resourcesOf(it)]);
    expect(statements).toEqual([
      ["StartBackups", ["states:StartExecution"], [expect.stringMatching(/^<BackupStateMachine/)]],
      ["StartDrills", ["states:StartExecution"], [expect.stringMatching(/^<DrillStateMachine/)]],
      ["StartVerifications", ["states:StartExecution"], [expect.stringMatching(/^<VerifyStateMachine/)]],
      ["KeepWhatFailed", ["sqs:SendMessage"], ["<DeadLettersQueue>"]],
      ["EncryptWhatFailed", ["kms:Decrypt", "kms:GenerateDataKey"], [expect.stringMatching(/0002$/)]],
    ]);
  });

  it("says in its outputs what each schedule promises", () => {
    const outputs = Object.entries(template.findOutputs("*")).map(([id, { Value }]) => [id, String(Value)]);

    expect(promisesIn(Object.fromEntries(outputs))).toMatchObject([
      { name: "nightly", environment: "prod", expression: "cron(0 3 * * ? *)", timeZone: "Europe/Berlin" },
      { name: "hourly", alarmAfterSeconds: 10_800 },
    ]);
  });

  it("starts no verification where none is asked for, and its role may not either", () => {
    const one = "{ name: nightly, environment: prod, expression: rate(1 day) }";
    const without = pipelineTemplate({ pipeline: `environments: { prod: }\nschedules:\n  - ${one}\n` });

    without.resourceCountIs("AWS::Scheduler::Schedule", 1);
    expect(statementsOf(without, "Schedules").map(({ Sid }) => Sid)).toEqual(["StartBackups", "KeepWhatFailed"]);
  });

  it("starts the drill machine, with the environment of the schedule whose backups it is about", () => {
    const target = (input: object) => ({
      Arn: { Ref: Match.stringLikeRegexp("^DrillStateMachine") },
      Input: JSON.stringify(input),
    });
    template.hasResourceProperties("AWS::Scheduler::Schedule", {
      Name: "proof",
      ScheduleExpression: "cron(0 6 ? * MON,THU *)",
      Target: target({
        environment: "dr",
        from: "prod",
        of: "nightly",
        pick: "newest",
        collections: ["coll"],
        drill: "proof",
      }),
    });
    template.hasResourceProperties("AWS::Scheduler::Schedule", {
      Name: "any_of_them",
      Target: target({ environment: "dr", from: "prod", pick: "random", drill: "any_of_them" }),
    });
  });

  it("applies a schedule's rules when one of its backups is complete", () => {
    template.hasResourceProperties("AWS::Events::Rule", {
      EventPattern: {
        source: ["milvus-backup"],
        "detail-type": ["Backup Completed"],
        detail: { stack: ["MilvusBackup"], input: { schedule: ["nightly"], environment: ["prod"] } },
      },
    });
    expect(inputOfRule(template, "SchedulesnightlyRetention")).toBe(
      '{"input":{"schedule":"nightly","environment":"prod","keep":{"last":3,"daily":7,"weekly":4,"monthly":12,"failed":"2d"},"timeZone":"Europe/Berlin"},"execution":<detail-execution>,"startTime":<detail-startTime>}',
    );
  });

  it("restores what appears in a bucket, and hears another account's bucket only through S3's events", () => {
    template.hasResourceProperties("AWS::Events::Rule", {
      EventPattern: {
        source: ["aws.s3"],
        "detail-type": ["Object Created"],
        account: ["444455556666"],
        region: [{ Ref: "AWS::Region" }],
        detail: {
          bucket: { name: ["partner-backups"] },
          object: {
            key: [{ wildcard: "backup/*/meta/full_meta.json" }, { wildcard: "backup/*/incremental/*/full_meta.json" }],
          },
        },
      },
    });
    expect(inputOfRule(template, "RestoreTriggersstandby")).toContain(
      '"backups":"nightly_*","prefix":"backup","restore":{"environment":"dr","collections":["coll"],"dropExisting":true}',
    );
    template.resourceCountIs("AWS::Events::EventBusPolicy", 1);
    template.hasResourceProperties("AWS::Events::EventBusPolicy", {
      Statement: Match.objectLike({
        Action: "events:PutEvents",
        Principal: { AWS: { "Fn::Join": ["", Match.arrayWith([":iam::444455556666:root"])] } },
        Condition: { StringEquals: { "events:source": "aws.s3", "events:detail-type": "Object Created" } },
      }),
    });
  });

  it("lets retention delete backups and announce it, and triggers start restores and nothing else", () => {
    const granted = (id: string) => statementsOf(template, id).map(({ Sid }) => Sid);

    expect(granted("PruneBackups")).toEqual([
      "WriteLogs",
      "ListWorkFiles",
      "SeeWorkFiles",
      "ReadEnvironments",
      "NameEnvironments",
      "DecryptEnvironments",
      "ListBackups",
      "AskLocksOfBackups",
      "UseBackups",
      "UseDataKeys",
      "UseWorkBucketKey",
      "JoinNetwork",
      "Announce",
      "KeepWhatFailed",
      "EncryptWhatFailed",
      "LookAtLeaseHolders",
    ]);
    const [list, see] = statementsOf(template, "PruneBackups").slice(1, 3);
    expect(list?.Condition).toEqual({ StringLike: { "s3:prefix": ["readers/*"] } });
    expect(see?.Action).toBe("s3:GetObject");
    expect(granted("StartTriggeredRestore")).toContain("StartRestores");
    expect(granted("StartTriggeredRestore").join()).not.toMatch(/Milvus|Staging|Backups|AssumeRoles|DataKeys/);
  });

  it("writes reports on a schedule, with a function that can write that one key and nothing else", () => {
    template.hasResourceProperties("AWS::Scheduler::Schedule", {
      Name: "morning",
      ScheduleExpression: "cron(0 7 * * ? *)",
      ScheduleExpressionTimezone: "Europe/Berlin",
      Target: { Input: Match.stringLikeRegexp('^{"environment":"prod","promises":\\[{"name":"nightly"') },
    });
    expect(statementsOf(template, "Reports").flatMap(actionsOf)).toEqual([
      "lambda:InvokeFunction",
      "sqs:SendMessage",
      "kms:Decrypt",
      "kms:GenerateDataKey",
    ]);
    expect(statementsOf(template, "Reports").flatMap(resourcesOf)).toEqual([
      expect.stringMatching(/^<WriteReportLive/),
      "<DeadLettersQueue>",
      expect.stringMatching(/0002$/),
    ]);
    const writes = statementsOf(template, "WriteReport").filter((it) =>
      actionsOf(it).some((action) => /s3:(Put|Delete)/.test(action)),
    );
    expect(writes.flatMap(actionsOf)).toEqual(["s3:PutObject"]);
    for (const resource of writes.flatMap(resourcesOf))
      expect(resource).toMatch(/:::prod-backups\/backup\/milvus-backup-report\.html$/);
  });

  it("puts every function into the network", () => {
    template.allResourcesProperties("AWS::Lambda::Function", {
      VpcConfig: {
        SubnetIds: ["subnet-0a1b2c3d4e5f60718", "subnet-1a1b2c3d4e5f60718"],
        SecurityGroupIds: ["sg-0a1b2c3d4e5f60718"],
      },
    });
  });

  it("makes a security group where none is named, and says which it is", () => {
    const network = pipelineTemplate({
      pipeline: "network: { vpcId: vpc-0a1b2c3d, subnetIds: [subnet-0a1b2c3d] }",
    });

    network.hasResourceProperties("AWS::EC2::SecurityGroup", { VpcId: "vpc-0a1b2c3d" });
    network.hasOutput("FunctionsSecurityGroupId", {});
  });

  it("encrypts the work bucket with its key, and grants it and the data buckets' keys to those that use them", () => {
    template.hasResourceProperties("AWS::S3::Bucket", {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: key(2) } },
        ],
      },
    });
    const keysOf = (id: string) =>
      statementsOf(template, id)
        .filter((it) => actionsOf(it).some((action) => action.startsWith("kms:")))
        .map((it) => `${it.Sid}: ${actionsOf(it).join(" ")} on ${resourcesOf(it).join(" ")}`);

    expect(keysOf("CopySegments")).toEqual([
      `DecryptEnvironments: kms:Decrypt on ${key(5)}`,
      `UseDataKeys: kms:Decrypt kms:GenerateDataKey on ${key(1)}`,
      `UseWorkBucketKey: kms:Decrypt kms:GenerateDataKey on ${key(2)}`,
    ]);
    expect(keysOf("FinalizeTransfer")[2]).toBe(`UseWorkBucketKey: kms:Decrypt on ${key(2)}`);
    expect(keysOf("PrepareRestore")[1]).toBe(`UseDataKeys: kms:Decrypt kms:GenerateDataKey on ${key(1)}`);
    expect(keysOf("Backup")).toEqual([`ReadWorkBucketKey: kms:Decrypt on ${key(2)}`]);
  });
});

describe("a bucket of another region or account", () => {
  const pipeline =
    "{ environments: { dr: }, restoreTriggers: [{ name: near, bucket: here, environment: dr }, " +
    "{ name: far, bucket: dr-backups, region: eu-west-1, prefix: backup, environment: dr }] }";
  const settings = readSettings(
    () => undefined,
    {},
    () => parsePipelineYaml(pipeline, "pipeline.yaml"),
  );

  it("is heard of by the events of its region", () => {
    pipelineTemplate({ pipeline }).hasResourceProperties("AWS::Events::Rule", {
      EventPattern: {
        region: ["eu-west-1"],
        account: [{ Ref: "AWS::AccountId" }],
        detail: { bucket: { name: ["dr-backups"] } },
      },
    });
  });

  it("gets a stack with the rule that forwards them, and a role that may do that and nothing else", () => {
    const app = new App();
    const forwarder = Template.fromStack(forwarderOf(app, settings, "far"));
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

    expect(() => app.synth()).not.toThrow();
    forwarder.hasParameter("EventBusArn", { Type: "String" });
    forwarder.hasResourceProperties("AWS::Events::Rule", {
      EventPattern: {
        source: ["aws.s3"],
        "detail-type": ["Object Created"],
        region: [{ Ref: "AWS::Region" }],
        detail: {
          bucket: { name: ["dr-backups"] },
          object: {
            key: [{ wildcard: "backup/*/meta/full_meta.json" }, { wildcard: "backup/*/incremental/*/full_meta.json" }],
          },
        },
      },
      Targets: [
        {
          Arn: { Ref: "EventBusArn" },
          RoleArn: { "Fn::GetAtt": [Match.stringLikeRegexp("^ForwarderRole"), "Arn"] },
          DeadLetterConfig: { Arn: Match.anyValue() },
        },
      ],
    });
    const statements = statementsOf(forwarder, "Forwarder");
    expect(statements.map((it) => [actionsOf(it), resourcesOf(it)])).toEqual([
      [["events:PutEvents"], ["<EventBusArn>"]],
    ]);
    forwarder.hasResourceProperties("AWS::IAM::Role", {
      AssumeRolePolicyDocument: {
        Statement: [
          {
            Principal: { Service: "events.amazonaws.com" },
            Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
          },
        ],
      },
    });
  });

  it("names the triggers that have one where another is asked for", () => {
    expect(() => forwarderOf(new App(), settings, "near")).toThrow(
      "near is no restore trigger with a region or an account; those of pipeline.yaml: far",
    );
  });
});
