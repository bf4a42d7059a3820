import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Key } from "aws-cdk-lib/aws-kms";
import { afterAll, describe, expect, it } from "vitest";
import { eventFunctionSpecs, functionSpecs, pascalCase } from "../../infra/functions.ts";
import { MilvusBackup } from "../../infra/index.ts";
import { actionsOf, pipelineTemplate, resourcesOf, statementsOf } from "./synthesized.ts";

const keyOf = (name: string) => `arn:aws:kms:eu-central-1:111122223333:key/${name}`;
const parts = `
environments: { prod: {} }
schedules: [{ name: nightly, environment: prod, expression: rate(1 day), keep: { last: 1 } }]
reports: [{ name: morning, environment: prod, expression: rate(1 day) }]
api: { environment: prod }
restoreTriggers: [{ name: standby, bucket: backups-of-prod, environment: prod, suffix: _standby }]
`;
const none = pipelineTemplate({ pipeline: `${parts}alarms: {}` });
const one = pipelineTemplate({ pipeline: `${parts}alarms: {}\nencryptionKeyArn: ${keyOf("one")}` });
const each = pipelineTemplate({
  pipeline: `${parts}alarms: { topicKeyArn: ${keyOf("topic")} }
encryptionKeyArn: ${keyOf("one")}
workBucketKeyArn: ${keyOf("work")}
logsKeyArn: ${keyOf("logs")}
environmentsKeyArn: ${keyOf("environments")}
`,
});

/** Which keys the resources of a type have. */
function keysIn(template: Template, type: string, ...path: string[]): unknown[] {
  const keys = Object.values(template.findResources(type)).map(({ Properties }) =>
    path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], Properties),
  );
  expect(keys.length).toBeGreaterThan(0);
  return [...new Set(keys)];
}

const encrypted = (template: Template) => ({
  workBucket: JSON.stringify(keysIn(template, "AWS::S3::Bucket", "BucketEncryption")).match(/arn:aws:kms[^"]+/)?.[0],
  logs: keysIn(template, "AWS::Logs::LogGroup", "KmsKeyId"),
  environments: template.toJSON().Outputs.EnvironmentsKeyArn?.Value,
  topic: keysIn(template, "AWS::SNS::Topic", "KmsMasterKeyId"),
  deadLetters: keysIn(template, "AWS::SQS::Queue", "KmsMasterKeyId"),
  variables: keysIn(template, "AWS::Lambda::Function", "KmsKeyArn"),
});

describe("customer-managed keys", () => {
  it("are those of pipeline.yaml: AWS's own, one for everything, others in its place", () => {
    expect(encrypted(none)).toEqual({
      workBucket: undefined,
      logs: [undefined],
      environments: undefined,
      topic: [undefined],
      deadLetters: [undefined],
      variables: [undefined],
    });
    expect(keysIn(none, "AWS::SQS::Queue", "SqsManagedSseEnabled")).toEqual([true]);
    const key = keyOf("one");
    expect(encrypted(one)).toEqual({
      workBucket: key,
      logs: [key],
      environments: key,
      topic: [key],
      deadLetters: [key],
      variables: [key],
    });
    expect(encrypted(each)).toEqual({
      workBucket: keyOf("work"),
      logs: [keyOf("logs")],
      environments: keyOf("environments"),
      topic: [keyOf("topic")],
      deadLetters: [key],
      variables: [key],
    });
  });

  const all = [...functionSpecs, ...eventFunctionSpecs].map(({ name }) => pascalCase(name));

  it.each(all)("%s may decrypt secrets of environments, by Secrets Manager only", (id) => {
    const [decrypt, ...more] = statementsOf(each, id).filter((it) => resourcesOf(it).includes(keyOf("environments")));

    expect(more).toEqual([]);
    expect(decrypt).toMatchObject({ Sid: "DecryptEnvironments", Action: "kms:Decrypt" });
    expect(JSON.stringify(decrypt?.Condition)).toBe(
      JSON.stringify({
        StringEquals: {
          "kms:ViaService": {
            "Fn::Join": ["", ["secretsmanager.", { Ref: "AWS::Region" }, ".", { Ref: "AWS::URLSuffix" }]],
          },
        },
      }),
    );
    expect(JSON.stringify(statementsOf(none, id))).not.toContain("kms:");
  });

  it("of the queue are used by whoever puts something there in its own name, and by no function of a machine", () => {
    const users = [...all, "Schedules", "Reports"].filter((id) =>
      statementsOf(each, id).some(({ Sid }) => Sid === "EncryptWhatFailed"),
    );

    expect(users).toEqual(["PruneBackups", "StartTriggeredRestore", "WriteReport", "Schedules", "Reports"]);
    for (const id of users) {
      const statements = statementsOf(each, id).filter(({ Sid }) => Sid === "EncryptWhatFailed");
      expect(statements.map((it) => [actionsOf(it), resourcesOf(it)])).toEqual([
        [["kms:Decrypt", "kms:GenerateDataKey"], [keyOf("one")]],
      ]);
    }
  });

  it("of the work bucket are granted where it is used, and those of logs and the topic to no role", () => {
    expect(statementsOf(each, "FinalizeBackup").find(({ Sid }) => Sid === "UseWorkBucketKey")?.Resource).toBe(
      keyOf("work"),
    );
    const policies = JSON.stringify(each.findResources("AWS::IAM::Policy"));
    expect(policies).not.toContain(keyOf("logs"));
    expect(policies).not.toContain(keyOf("topic"));
  });
});

describe("the policy of a key", () => {
  const directory = mkdtempSync(join(tmpdir(), "milvus-backup-encryption-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const functionsDirectory = join(directory, "functions");
  for (const { name } of [...functionSpecs, ...eventFunctionSpecs]) {
    mkdirSync(join(functionsDirectory, name), { recursive: true });
    writeFileSync(join(functionsDirectory, name, "index.js"), "");
  }
  const newStack = () =>
    new Stack(new App({ outdir: mkdtempSync(join(directory, "out-")) }), "MilvusBackup", {
      env: { account: "111122223333", region: "eu-central-1" },
    });

  it("of the app's own lets in what docs/policies/encryption-key.json lets in", () => {
    const stack = newStack();
    const encryptionKey = new Key(stack, "Key");
    new MilvusBackup(stack, "Backup", { functionsDirectory, encryptionKey });

    const template = Template.fromStack(stack);
    const file = new URL("../../docs/policies/encryption-key.json", import.meta.url);
    const { Statement } = JSON.parse(readFileSync(file, "utf8"));
    const plain = JSON.parse(
      JSON.stringify(Object.values(template.findResources("AWS::KMS::Key"))[0]?.Properties.KeyPolicy.Statement).replace(
        /\{"Fn::Join":\["",\[(.*?)\]\]\}/g,
        (_, joined: string) =>
          JSON.stringify(
            (JSON.parse(`[${joined}]`) as unknown[]).map((part) => (typeof part === "string" ? part : "aws")).join(""),
          ),
      ),
    );
    expect(plain).toEqual(Statement);
    expect(JSON.stringify(keysIn(template, "AWS::Logs::LogGroup", "KmsKeyId"))).toContain("Fn::GetAtt");
  });

  it("of somebody else is theirs to change", () => {
    const stack = newStack();
    const encryptionKey = Key.fromKeyArn(stack, "Key", keyOf("theirs"));
    new MilvusBackup(stack, "Backup", { functionsDirectory, encryptionKey });

    expect(keysIn(Template.fromStack(stack), "AWS::Logs::LogGroup", "KmsKeyId")).toEqual([keyOf("theirs")]);
  });
});
