import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { machines } from "../../src/core/execution/machines.ts";
import { actionsOf, examplePipeline, inputOfRule, pipelineTemplate, resourcesOf, statementsOf } from "./synthesized.ts";

const template = pipelineTemplate({ pipeline: examplePipeline });

describe("alarms", () => {
  const alarms = Object.values(template.findResources("AWS::CloudWatch::Alarm")).map(({ Properties }) => Properties);

  it("watch failed executions, failed functions behind rules, and schedules without backups", () => {
    expect(alarms.map(({ AlarmName }) => AlarmName).sort()).toEqual(
      [
        ...machines.flatMap((machine) => [`${machine}-failed`, `${machine}-timed-out`]),
        "prune-backups-failed",
        "start-triggered-restore-failed",
        "serve-api-failed",
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
    const headings = [
      ...readFileSync(fileURLToPath(new URL("../../docs/runbook.md", import.meta.url)), "utf8").matchAll(
        /^## `(.+)`$/gm,
      ),
    ].map(([, heading]) => heading);
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
