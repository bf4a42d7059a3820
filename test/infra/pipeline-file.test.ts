import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { App, Validations } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { AwsSolutionsChecks } from "cdk-nag";
import { describe, expect, it } from "vitest";
import { forwarderOf } from "../../infra/events-forwarder-stack.ts";
import { dataOf, readSettings } from "../../infra/settings.ts";
import { promisesIn } from "../../src/core/deployment/schedule-promise.ts";
import { parsePipelineYaml } from "../../src/core/deployment/yaml.ts";
import { machines } from "../../src/core/execution/machines.ts";
import { actionsOf, pipelineApp, pipelineTemplate, resourcesOf, statementsOf } from "./synthesized.ts";

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");
const example = read("examples/pipeline.yaml");
const template = pipelineTemplate({ pipeline: example });
const key = (last: number) => `arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d-0000-4000-8000-00000000000${last}`;

const count = (from: Template, type: string) => Object.keys(from.findResources(type)).length;

/** The input that a rule's target hands on, with `<fields>` as the template writes them. */
function inputOfRule(from: Template, beginning: string): string {
  const [rule] = Object.entries(from.findResources("AWS::Events::Rule")).filter(([id]) => id.startsWith(beginning));
  return rule?.[1].Properties.Targets[0].InputTransformer.InputTemplate as string;
}

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
    const { app } = pipelineApp({ pipeline: example });

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

describe("alarms", () => {
  const alarms = Object.values(template.findResources("AWS::CloudWatch::Alarm")).map(({ Properties }) => Properties);

  it("watch failed executions, failed functions behind rules, and schedules without backups", () => {
    expect(alarms.map(({ AlarmName }) => AlarmName).sort()).toEqual(
      [
        ...machines.flatMap((machine) => [`${machine}-failed`, `${machine}-timed-out`]),
        "prune-backups-failed",
        "start-triggered-restore-failed",
        "write-report-failed",
        ...["standby", "partner", "nightly-retention", "hourly-retention", "failures"].map((it) => `rule-${it}-failed`),
        ...["schedules", "reports"].flatMap((it) => [`${it}-failed`, `${it}-dropped`, `${it}-lost`]),
        "dead-letters",
        "schedule-nightly-late",
        "schedule-hourly-late",
        "drill-proof-late",
      ]
        .map((name) => `MilvusBackup-${name}`)
        .sort(),
    );
    for (const { AlarmActions } of alarms)
      expect(AlarmActions).toEqual([{ Ref: expect.stringMatching(/^AlarmsTopic/) }]);
  });

  it("watch what EventBridge could not start, and whatever lies in the dead-letter queue", () => {
    const named = (name: string) => alarms.find(({ AlarmName }) => AlarmName === `MilvusBackup-${name}`);

    expect(named("rule-standby-failed")).toMatchObject({
      Namespace: "AWS/Events",
      MetricName: "FailedInvocations",
      Dimensions: [{ Name: "RuleName", Value: { Ref: expect.stringMatching(/^RestoreTriggersstandby/) } }],
      Threshold: 1,
      TreatMissingData: "notBreaching",
    });
    for (const [name, group] of [
      ["schedules", "MilvusBackup"],
      ["reports", "MilvusBackup-reports"],
    ]) {
      for (const [fault, MetricName] of [
        ["failed", "TargetErrorCount"],
        ["dropped", "InvocationDroppedCount"],
        ["lost", "InvocationsFailedToBeSentToDeadLetterCount"],
      ]) {
        expect(named(`${name}-${fault}`)).toMatchObject({
          Namespace: "AWS/Scheduler",
          MetricName,
          Dimensions: [{ Name: "ScheduleGroup", Value: group }],
          Threshold: 1,
          TreatMissingData: "notBreaching",
        });
      }
    }
    expect(named("dead-letters")).toMatchObject({
      MetricName: "ApproximateNumberOfMessagesVisible",
      Statistic: "Maximum",
      Threshold: 1,
    });
  });

  it("look for silent schedules by their runs where the file says no time, if CloudWatch looks back so far", () => {
    const late = (expression: string) => {
      const schedules = `schedules: [{ name: s, environment: prod, expression: "${expression}" }]`;
      const made = pipelineTemplate({ pipeline: `{ environments: { prod: }, alarms: {}, ${schedules} }` });
      const [found] = Object.values(made.findResources("AWS::CloudWatch::Alarm"))
        .map(({ Properties }) => Properties)
        .filter(({ AlarmName }) => AlarmName === "MilvusBackup-schedule-s-late");
      return found && (found.Period * found.EvaluationPeriods) / 3600;
    };

    expect(late("cron(0 3 * * ? *)")).toBe(31);
    expect(late("cron(0 3 ? * SUN *)")).toBeUndefined();
  });

  it("take silence of a schedule for a fault, after the time the file says", () => {
    const late = (name: string) => alarms.find(({ AlarmName }) => AlarmName === `MilvusBackup-schedule-${name}-late`);

    const drill = alarms.find(({ AlarmName }) => AlarmName === "MilvusBackup-drill-proof-late");
    expect(drill).toMatchObject({ MetricName: "GoodDrills", Period: 3600, EvaluationPeriods: 120 });
    expect(drill?.Dimensions).toContainEqual({ Name: "Drill", Value: "proof" });
    expect(late("nightly")).toMatchObject({ Period: 3600, EvaluationPeriods: 26, TreatMissingData: "breaching" });
    expect(late("hourly")).toMatchObject({ Period: 10_800, EvaluationPeriods: 1, TreatMissingData: "breaching" });
    expect(late("hourly")).toMatchObject({
      Dimensions: [
        { Name: "Schedule", Value: "hourly" },
        { Name: "Stack", Value: "MilvusBackup" },
        { Name: "service", Value: "finalize-backup" },
      ],
    });
  });

  it("each have an entry in the runbook", () => {
    const headings = [...read("docs/runbook.md").matchAll(/^## `(.+)`$/gm)].map(([, heading]) => heading);
    const kinds = alarms.map(({ AlarmName }) =>
      String(AlarmName)
        .replace("MilvusBackup-", "")
        .replace(/^(schedule|drill)-.*-late$/, "$1-NAME-late")
        .replace(/^rule-.*-failed$/, "rule-NAME-failed")
        .replace(/^.*-timed-out$/, "MACHINE-timed-out"),
    );

    expect(headings.sort()).toEqual([...new Set(kinds)].sort());
  });

  it("tell who subscribed, and with them every failure with its reason", () => {
    template.hasResourceProperties("AWS::SNS::Subscription", { Protocol: "email", Endpoint: "ops@example.com" });
    template.hasResourceProperties("AWS::Events::Rule", {
      EventPattern: {
        source: ["milvus-backup"],
        "detail-type": [
          "Backup Failed",
          "Drill Failed",
          "Export Failed",
          "Restore Failed",
          "Transfer Failed",
          "Verify Failed",
          "Retention Failed",
        ],
        detail: { stack: ["MilvusBackup"] },
      },
    });
    expect(inputOfRule(template, "AlarmsFailures")).toContain('"error":<detail-failure-Error>');
    template.resourceCountIs("AWS::CloudWatch::Dashboard", 1);
  });
});

describe("what cannot be started", () => {
  const [queue = ""] = Object.keys(template.findResources("AWS::SQS::Queue"));
  const arn = { "Fn::GetAtt": [queue, "Arn"] };

  it("lies for two weeks in a queue that is encrypted and reached by TLS only", () => {
    template.resourceCountIs("AWS::SQS::Queue", 1);
    template.hasOutput("DeadLetterQueueUrl", { Value: { Ref: queue } });
    template.hasResourceProperties("AWS::SQS::Queue", {
      MessageRetentionPeriod: 14 * 86_400,
      KmsMasterKeyId: Match.stringLikeRegexp("0002$"),
    });
    template.hasResourceProperties("AWS::SQS::QueuePolicy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
        ]),
      },
    });
  });

  it("gets there from every rule, which may put there what is its own", () => {
    const rules = Object.entries(template.findResources("AWS::Events::Rule"));
    expect(rules).toHaveLength(5);
    const { Statement } =
      Object.values(template.findResources("AWS::SQS::QueuePolicy"))[0]?.Properties.PolicyDocument ?? {};
    const sources = (Statement as { Action: string; Condition?: { ArnEquals?: Record<string, unknown> } }[]).flatMap(
      ({ Action, Condition }) => (Action === "sqs:SendMessage" ? [Condition?.ArnEquals?.["aws:SourceArn"]] : []),
    );
    for (const [id, { Properties }] of rules) {
      for (const { DeadLetterConfig } of Properties.Targets) expect(DeadLetterConfig).toEqual({ Arn: arn });
      expect(sources).toContainEqual({ "Fn::GetAtt": [id, "Arn"] });
    }
  });

  it("gets there from every schedule, and from every function that is called without waiting", () => {
    template.allResourcesProperties("AWS::Scheduler::Schedule", { Target: { DeadLetterConfig: { Arn: arn } } });
    const configs = Object.values(template.findResources("AWS::Lambda::EventInvokeConfig"));
    expect(configs).toHaveLength(3);
    for (const { Properties } of configs) {
      expect(Properties).toMatchObject({
        MaximumRetryAttempts: 1,
        // of the ARN of the alias
        Qualifier: { "Fn::Select": [7, { "Fn::Split": [":", { Ref: expect.stringMatching(/Live[0-9A-F]{8}$/) }] }] },
        DestinationConfig: { OnFailure: { Destination: arn } },
      });
    }
    for (const id of ["PruneBackups", "StartTriggeredRestore", "WriteReport"]) {
      const [keep] = statementsOf(template, id).filter(({ Sid }) => Sid === "KeepWhatFailed");
      expect(keep && [actionsOf(keep), resourcesOf(keep)]).toEqual([["sqs:SendMessage"], ["<DeadLettersQueue>"]]);
    }
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

describe("functions", () => {
  const pipeline = (functions: string, more = "") => `{ functions: ${functions}${more} }`;

  it("get memory and concurrency of their own, and maps the concurrency that is said", () => {
    const made = pipelineTemplate({
      pipeline: pipeline(
        "{ copy-segments: { reservedConcurrency: 64, memoryMiB: 3008 }, finalize-backup: { memoryMiB: 2048 } }",
        ", maxConcurrency: 64",
      ),
    });

    made.hasResourceProperties("AWS::Lambda::Function", {
      FunctionName: "MilvusBackup-copy-segments",
      ReservedConcurrentExecutions: 64,
      MemorySize: 3008,
    });
    made.hasResourceProperties("AWS::Lambda::Function", {
      FunctionName: "MilvusBackup-finalize-backup",
      MemorySize: 2048,
    });
    made.hasResourceProperties("AWS::Lambda::Function", {
      FunctionName: "MilvusBackup-prepare-backup",
      MemorySize: 1024,
    });
    for (const [id, { Properties }] of Object.entries(made.findResources("AWS::StepFunctions::StateMachine"))) {
      const concurrency = [...String(Properties.DefinitionString).matchAll(/"MaxConcurrency": (\d+)/g)].map(
        ([, it]) => it,
      );
      // as a map run and within the execution; rows are read in maps of their own, a leg of imports is one item
      const maps = id.startsWith("Drill") ? 0 : id.startsWith("Verify") ? 4 : 2;
      const copies = Array.from({ length: maps }, () => "64");
      expect(concurrency, id).toEqual(id.startsWith("Restore") ? [...copies, "1"] : copies);
    }
  });

  it.each([
    [pipeline("{ copy-segment: { memoryMiB: 2048 } }"), /functions.*copy-segment/],
    [pipeline("{ copy-segments: { memoryMiB: 512 } }"), /pipeline.yaml:1: functions.copy-segments.memoryMiB: .*1024/],
    [
      pipeline("{ copy-segments: { reservedConcurrency: 8 } }"),
      /reservedConcurrency: is less than maxConcurrency \(16\)/,
    ],
    [
      pipeline("{ copy-segments: { memory: 2048 } }"),
      /memory is not a known key; accepted: memoryMiB, reservedConcurrency/,
    ],
    [pipeline("{}", ", maxConcurrency: 0"), /maxConcurrency: .*1/],
  ])("%s is refused with the key and what it takes", (text, message) => {
    expect(() => parsePipelineYaml(text, "pipeline.yaml")).toThrow(message);
  });
});

describe("settings", () => {
  const file = (text: string) => () => parsePipelineYaml(text, "pipeline.yaml");

  it("of the context win over the file's, and lists of both are taken together", () => {
    const context: Record<string, unknown> = { retentionDays: "7", backupBuckets: "more/backup" };

    const settings = readSettings(
      (name) => context[name],
      {},
      file(
        "{ stack: FromFile, retentionDays: 60, environments: { prod: { backupBuckets: [prod/b] }, dr: { backupBuckets: [dr-2/b] } } }",
      ),
    );

    const bucketsOf = (names?: string[]) => dataOf(settings, names).backupBuckets.map(({ bucket }) => bucket);
    expect(settings).toMatchObject({ stack: "FromFile", retentionDays: 7 });
    expect(bucketsOf()).toEqual(["more", "prod", "dr-2"]);
    expect(bucketsOf(["dr"])).toEqual(["more", "dr-2"]);
  });

  it.each([
    ["files", "files"],
    ["files", ""],
    ["files/a", "files"],
    ["files", "files/insert_log/1"],
    ["", "delta_log"],
  ])("refuse, where Milvus's data lies below %j, backups below %j", (milvus, backups) => {
    const root = (rootPath: string) => `[{ bucket: shared, rootPath: "${rootPath}" }]`;
    const text = `environments: { prod: { milvusBuckets: ${root(milvus)}, backupBuckets: ${root(backups)} } }`;

    expect(() => pipelineTemplate({ pipeline: text })).toThrow(
      `backupBuckets: shared/${backups} lies where Milvus's own data does (milvusBuckets: shared/${milvus})`,
    );
  });

  it("say what is written in the place of dataBuckets", () => {
    const context = (key: string) => (key === "dataBuckets" ? "bucket-a" : undefined);

    expect(() => readSettings(context)).toThrow(/^context key dataBuckets is told by its parts now: milvusBuckets, /);
  });

  it("fail at synthesis with the line of what is wrong", () => {
    const text =
      "environments: { prod: }\nschedules:\n  - name: nightly\n    environment: other\n    expression: rate(1 day)\n";

    expect(() => readSettings(() => undefined, {}, file(text))).toThrow(
      "pipeline.yaml:4: schedules[0].environment: names other, which is not under environments; declared are: prod",
    );
  });
});
