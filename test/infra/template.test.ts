import { Match, type Template } from "aws-cdk-lib/assertions";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { describe, expect, it } from "vitest";
import { functionSpecs, pascalCase } from "../../infra/functions.ts";
import { readSettings } from "../../infra/settings.ts";
import { machines } from "../../src/core/execution/machines.ts";
import { pipelineApp, pipelineTemplate } from "./synthesized.ts";

const template = pipelineTemplate();

describe("stack", () => {
  it("tells the CLI where everything is", () => {
    const outputs = Object.keys(template.findOutputs("*"));

    expect(outputs.sort()).toEqual(
      [
        ...machines.map((machine) => `${pascalCase(machine)}StateMachineArn`),
        "EnvironmentsPrefix",
        "WorkBucketName",
      ].sort(),
    );
    template.hasOutput("EnvironmentsPrefix", { Value: "milvus-backup/MilvusBackup/environments/" });
  });

  it("can stand beside another one under another name", () => {
    const other = pipelineTemplate({ stack: "Second" });

    other.hasOutput("EnvironmentsPrefix", { Value: "milvus-backup/Second/environments/" });
    other.hasResourceProperties("AWS::Lambda::Function", { FunctionName: "Second-copy-segments" });
    other.hasResourceProperties("AWS::StepFunctions::StateMachine", { StateMachineName: "Second-backup" });
  });

  it("keeps the work bucket private, encrypted, reached by TLS only, and empties it in time", () => {
    template.hasResourceProperties("AWS::S3::Bucket", {
      BucketEncryption: { ServerSideEncryptionConfiguration: [Match.anyValue()] },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      LifecycleConfiguration: {
        Rules: [
          { Id: "executions", Prefix: "executions/", ExpirationInDays: 30, Status: "Enabled" },
          { Id: "drills", Prefix: "drills/", ExpirationInDays: 30, Status: "Enabled" },
          { Id: "restores", Prefix: "restores/", ExpirationInDays: 30, Status: "Enabled" },
          { Id: "uploads", AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Status: "Enabled" },
        ],
      },
    });
    template.hasResourceProperties("AWS::S3::BucketPolicy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
        ]),
      },
    });
  });

  it.each(functionSpecs)(
    "runs $name on arm64 and current Node.js, and tells it where its files and secrets are",
    ({ name, timeoutMinutes }) => {
      template.hasResourceProperties("AWS::Lambda::Function", {
        FunctionName: `MilvusBackup-${name}`,
        Runtime: "nodejs24.x",
        Architectures: ["arm64"],
        Timeout: timeoutMinutes * 60,
        Environment: {
          Variables: {
            WORK_BUCKET: Match.anyValue(),
            ENVIRONMENTS_PREFIX: "milvus-backup/MilvusBackup/environments/",
            POWERTOOLS_SERVICE_NAME: name,
            POWERTOOLS_METRICS_NAMESPACE: "MilvusBackup",
            POWERTOOLS_LOG_LEVEL: "INFO",
          },
        },
      });
      template.hasResourceProperties("AWS::Logs::LogGroup", {
        LogGroupName: `/aws/lambda/MilvusBackup-${name}`,
        RetentionInDays: 30,
      });
    },
  );

  it("runs a version of each function, which a deployment leaves as it is, and calls the newest one live", () => {
    const versions = Object.entries(template.findResources("AWS::Lambda::Version"));
    const functionOf = new Map(versions.map(([id, { Properties }]) => [id, Properties.FunctionName.Ref as string]));

    expect(new Set(functionOf.values()).size).toBe(functionSpecs.length);
    for (const [, version] of versions) {
      expect(version).toMatchObject({ DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Retain" });
    }
    const aliases = Object.values(template.findResources("AWS::Lambda::Alias")).map(({ Properties }) => Properties);
    expect(aliases).toHaveLength(functionSpecs.length);
    for (const { Name, FunctionName, FunctionVersion } of aliases) {
      expect(Name).toBe("live");
      expect(functionOf.get(FunctionVersion["Fn::GetAtt"][0])).toBe(FunctionName.Ref);
    }
    for (const { Properties } of Object.values(template.findResources("AWS::StepFunctions::StateMachine"))) {
      for (const [name, value] of Object.entries(
        Properties.DefinitionSubstitutions as Record<string, { Ref: string }>,
      )) {
        if (!name.endsWith("FunctionArn")) continue;
        expect(functionOf.get(value.Ref), name).toMatch(new RegExp(`^${name.replace("Arn", "")}[0-9A-F]{8}$`));
      }
    }
  });

  it("makes versions anew when code or settings change, and not otherwise", () => {
    const idsOf = (of: Template) => Object.keys(of.findResources("AWS::Lambda::Version")).sort();
    const changed = pipelineTemplate({ pipeline: "{ functions: { copy-segments: { memoryMiB: 2048 } } }" });

    expect(idsOf(pipelineTemplate())).toEqual(idsOf(template));
    const [before, after] = [idsOf(template), idsOf(changed)];
    expect(after.filter((id) => !before.includes(id))).toEqual([
      expect.stringMatching(/^CopySegmentsFunctionCurrentVersion/),
    ]);
  });

  it("logs and traces executions without their data", () => {
    template.allResourcesProperties("AWS::StepFunctions::StateMachine", {
      LoggingConfiguration: { IncludeExecutionData: false, Level: "ALL" },
      TracingConfiguration: { Enabled: true },
    });
  });

  it("holds no secret and no custom resource", () => {
    const text = JSON.stringify(template.toJSON());

    expect(text).not.toMatch(/secretAccessKey|password|AKIA[0-9A-Z]{16}|BEGIN [A-Z ]*PRIVATE KEY/i);
    expect(Object.keys(template.findResources("AWS::SecretsManager::Secret"))).toEqual([]);
    expect(text).not.toMatch(/Custom::/);
  });

  it("knows every function's machine", () => {
    expect(new Set(functionSpecs.map(({ name }) => name)).size).toBe(functionSpecs.length);
    for (const { name, machine } of functionSpecs) {
      if (/^(prepare|finalize|release)-/.test(name)) expect(name.endsWith(machine)).toBe(true);
    }
  });
});

describe("cdk-nag, AwsSolutions", () => {
  it.each([
    {},
    {
      milvusBuckets: "bucket-a/files",
      backupBuckets: "bucket-b/backup",
      assumableRoles: "arn:aws:iam::444455556666:role/reader",
    },
  ])("has nothing to say about the stack with %o", (context) => {
    const { app } = pipelineApp(context);

    expect(() => app.synth()).not.toThrow();
  });

  it("is not silenced: one more wildcard on a function's role is an error", () => {
    const { app, stack } = pipelineApp();
    stack.functions
      .get("copy-segments")
      ?.policy.addStatements(new PolicyStatement({ actions: ["s3:GetObject"], resources: ["arn:aws:s3:::*"] }));

    expect(() => app.synth()).toThrow(/CopySegments\/Policy[\s\S]*AwsSolutions-IAM5\[Resource::arn:aws:s3:::\*\]/);
  });
});

describe("settings", () => {
  it("take the stack's name from the environment, and from the context before that", () => {
    const environment = { MILVUS_BACKUP_STACK: "FromEnvironment" };

    expect(readSettings(() => undefined, environment).stack).toBe("FromEnvironment");
    expect(readSettings((key) => (key === "stack" ? "FromContext" : undefined), environment).stack).toBe("FromContext");
  });

  it("name the key that is wrong", () => {
    const context: Record<string, unknown> = { stack: "no spaces please", retentionDays: "soon" };

    expect(() => readSettings((key) => context[key])).toThrow(/context key stack: .*; context key retentionDays: /);
  });
});
