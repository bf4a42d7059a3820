import { describe, expect, it } from "vitest";
import { eventFunctionSpecs, functionSpecs, pascalCase } from "../../infra/functions.ts";
import { definitionOf } from "../../infra/pipeline-state-machine.ts";
import { machines } from "../../src/core/execution/machines.ts";
import { actionsOf, examplePipeline, pipelineTemplate, resourcesOf, statementsOf } from "./synthesized.ts";

const template = pipelineTemplate();
const withData = pipelineTemplate({
  milvusBuckets: "bucket-a/files,bucket-b/files",
  backupBuckets: ["bucket-b/backup", { bucket: "bucket-c", rootPath: "" }],
  exportBuckets: "lake/exports",
  assumableRoles: ["arn:aws:iam::444455556666:role/reader"],
});

const withRetention = pipelineTemplate({ pipeline: examplePipeline });

/** One bucket for Milvus and its backups, another one for backups, and every function. */
const withEvents = pipelineTemplate({
  pipeline: `
environments:
  prod: { milvusBuckets: [milvus/files], backupBuckets: [milvus/backup, backups/backup] }
schedules: [{ name: nightly, environment: prod, expression: rate(1 day), keep: { last: 3 } }]
restoreTriggers: [{ name: standby, bucket: backups, environment: prod, suffix: _a }]
reports: [{ name: morning, environment: prod, expression: rate(1 day) }]
api: { environment: prod }
`,
});

/** The statements of a function, of which there are some. */
function allStatements(from: typeof template, id: string) {
  const statements = statementsOf(from, id);
  expect(statements).not.toEqual([]);
  return statements;
}

/** `Sid: actions on resources`, one line a statement. */
function granted(from: typeof template, id: string): string[] {
  return statementsOf(from, id).map(
    (statement) => `${statement.Sid}: ${actionsOf(statement).join(" ")} on ${resourcesOf(statement).join(" ")}`,
  );
}

const environments = "arn:aws:secretsmanager:region:account:secret:milvus-backup/MilvusBackup/environments/*";

describe("roles of functions", () => {
  it("let a first step read environments and name them, and see whether a claim's holder still runs", () => {
    expect(granted(template, "PrepareBackup")).toEqual([
      "WriteLogs: logs:CreateLogStream logs:PutLogEvents on <PrepareBackupLogs>",
      "ListWorkFiles: s3:ListBucket on <WorkBucket>",
      "UseWorkFiles: s3:GetObject s3:PutObject on <WorkBucket>/executions/backup/*",
      `ReadEnvironments: secretsmanager:GetSecretValue on ${environments}`,
      "NameEnvironments: secretsmanager:ListSecrets on *",
      "LookAtLeaseHolders: states:DescribeExecution on arn:aws:states:region:account:execution:MilvusBackup-backup:* arn:aws:states:region:account:execution:MilvusBackup-drill:* arn:aws:states:region:account:execution:MilvusBackup-export:* arn:aws:states:region:account:execution:MilvusBackup-restore:* arn:aws:states:region:account:execution:MilvusBackup-transfer:* arn:aws:states:region:account:execution:MilvusBackup-verify:*",
    ]);
  });

  it("let Copy Segments use the work files of every machine, and no lease", () => {
    expect(granted(template, "CopySegments")).toEqual([
      "WriteLogs: logs:CreateLogStream logs:PutLogEvents on <CopySegmentsLogs>",
      "ListWorkFiles: s3:ListBucket on <WorkBucket>",
      "UseWorkFiles: s3:GetObject s3:PutObject on <WorkBucket>/executions/*",
      `ReadEnvironments: secretsmanager:GetSecretValue on ${environments}`,
    ]);
  });

  it.each(functionSpecs)(
    "let $name touch no data bucket and assume no role unless the deployment names some",
    ({ name }) => {
      const text = granted(template, pascalCase(name)).join("\n");

      expect(text).not.toMatch(/arn:aws:s3:::/);
      expect(text).not.toMatch(/sts:/);
    },
  );

  it("let Copy Segments read Milvus's data, and write to the backups and to what is staged", () => {
    const assume = "AssumeRoles: sts:AssumeRole on arn:aws:iam::444455556666:role/reader";
    const all = "s3:AbortMultipartUpload s3:DeleteObject s3:GetObject s3:PutObject";
    const uploads = "s3:ListBucketMultipartUploads on";
    const stagingOf = (bucket: string) => `arn:aws:s3:::${bucket}/milvus-backup-staging/*`;

    expect(granted(withData, "CopySegments").slice(-12)).toEqual([
      "ListMilvus: s3:ListBucket on arn:aws:s3:::bucket-a arn:aws:s3:::bucket-b",
      "UseMilvus: s3:GetObject on arn:aws:s3:::bucket-a/files/* arn:aws:s3:::bucket-b/files/*",
      "ListStaging: s3:ListBucket on arn:aws:s3:::bucket-a arn:aws:s3:::bucket-b",
      `FindUploadsOfStaging: ${uploads} arn:aws:s3:::bucket-a arn:aws:s3:::bucket-b`,
      `UseStaging: ${all} on ${stagingOf("bucket-a")} ${stagingOf("bucket-b")}`,
      "ListBackups: s3:ListBucket on arn:aws:s3:::bucket-b",
      `FindUploadsOfBackups: ${uploads} arn:aws:s3:::bucket-b`,
      `UseBackups: s3:AbortMultipartUpload s3:DeleteObject s3:GetObject s3:GetObjectRetention s3:PutObject s3:PutObjectRetention on arn:aws:s3:::bucket-b/backup/*`,
      "ListBackups2: s3:ListBucket on arn:aws:s3:::bucket-c",
      `FindUploadsOfBackups2: ${uploads} arn:aws:s3:::bucket-c`,
      `UseBackups2: s3:AbortMultipartUpload s3:DeleteObject s3:GetObject s3:GetObjectRetention s3:PutObject s3:PutObjectRetention on arn:aws:s3:::bucket-c/*`,
      assume,
    ]);
    const prefixes = statementsOf(withData, "CopySegments").flatMap(({ Sid, Condition }) => [[Sid, Condition]]);
    const like = (prefix: string) => ({ StringLike: { "s3:prefix": [prefix] } });
    expect(Object.fromEntries(prefixes)).toMatchObject({
      ListMilvus: like("files/*"),
      ListStaging: like("milvus-backup-staging/*"),
      ListBackups: like("backup/*"),
      ListBackups2: undefined,
    });
    expect(granted(withData, "RecreateCollections")).toContain(assume);
  });

  it("let Prepare Backup read logs of Milvus", () => {
    const lines = granted(withData, "PrepareBackup").filter((line) => line.includes("bucket-a"));
    expect(lines).toEqual([
      "ListMilvus: s3:ListBucket on arn:aws:s3:::bucket-a arn:aws:s3:::bucket-b",
      "UseMilvus: s3:GetObject on arn:aws:s3:::bucket-a/files/* arn:aws:s3:::bucket-b/files/*",
    ]);
  });

  it.each([...functionSpecs, ...eventFunctionSpecs])(
    "let $name change nothing below Milvus's root path, and nothing but backups and what is staged",
    ({ name }) => {
      for (const { Action, Resource } of allStatements(withEvents, pascalCase(name))) {
        const changes = [Action].flat().some((action) => /^s3:(Put|Delete|Abort)/.test(action));
        const data = resourcesOf({ Effect: "Allow", Action, Resource }).filter((arn) => arn.includes(":s3:::"));
        if (!changes) continue;
        for (const arn of data) {
          expect(arn).toMatch(/^arn:aws:s3:::(milvus\/milvus-backup-staging\/\*$|milvus\/backup\/|backups\/backup\/)/);
        }
      }
    },
  );

  it("let what reads rows write nothing but its own work files", () => {
    const lines = granted(withData, "ReadRows");
    expect(lines).toContain("UseBackups: s3:GetObject on arn:aws:s3:::bucket-b/backup/*");
    const writing = lines.filter((line) => /s3:(Put|Delete|Abort)/.test(line));
    expect(writing.map((line) => line.split(":")[0])).toEqual(["UseWorkFiles"]);
  });

  it("let a verification read named backups, and write only what lies beside the logs and metas of one", () => {
    const below = (key: string) => `arn:aws:s3:::bucket-b/backup/*/${key}`;
    for (const id of ["PrepareVerify", "FinalizeVerify", "ReleaseVerify"]) {
      const lines = granted(withData, id);
      expect(lines).toContain("UseBackups: s3:GetObject on arn:aws:s3:::bucket-b/backup/*");
      const written = lines.find((line) => line.startsWith("WriteBesideBackups: ")) ?? "";
      const keys = [...written.matchAll(/bucket-b\/backup\/\*\/(\S+)/g)].map(([, key]) => key);
      expect(keys.sort()).toEqual([
        "manifest/*.jsonl",
        "milvus-backup-claim.json",
        "milvus-backup-manifest.json",
        "milvus-backup-verified.json",
      ]);
      const removed = lines.find((line) => line.startsWith("RemoveBesideBackups: "));
      if (id === "PrepareVerify") expect(removed).toBeUndefined();
      else
        expect(removed?.split(" on ")[1]?.split(" ").sort()).toEqual(
          ["manifest/*.jsonl", "milvus-backup-claim.json", "milvus-backup-verified.json"].map(below),
        );
    }
  });

  it("let a drill say beside a backup how it ended, and change nothing else of it", () => {
    for (const id of ["CleanDrill", "ReleaseDrill"]) {
      const ofBackups = granted(withData, id).filter((line) => line.includes("bucket-b/backup/"));
      expect(ofBackups).toEqual([
        "UseBackups: s3:GetObject on arn:aws:s3:::bucket-b/backup/*",
        "SayDrilledBesideBackups: s3:PutObject on arn:aws:s3:::bucket-b/backup/*/milvus-backup-drilled.json",
      ]);
    }
  });

  it("behind rules and schedules know the secrets, buckets and roles of their environments and of no others", () => {
    const pipeline = `
environments:
  prod: { backupBuckets: [prod-backups/backup], roleArns: ["arn:aws:iam::444455556666:role/prod"] }
  dr: { backupBuckets: [dr-backups/backup], roleArns: ["arn:aws:iam::444455556666:role/dr"] }
schedules:
  - { name: nightly, environment: prod, expression: rate(1 day), keep: { last: 3 } }
  - { name: of_dr, environment: dr, expression: rate(1 day) }
restoreTriggers: [{ name: standby, bucket: prod-backups, prefix: backup, from: prod, environment: dr, suffix: _a }]
reports: [{ name: morning, environment: dr, expression: rate(1 day) }]
`;
    const from = pipelineTemplate({ pipeline });
    const seen = (id: string) => JSON.stringify(statementsOf(from, id));

    const secret = (name: string) => `environments/${name}-??????`;
    expect(seen("PruneBackups")).toContain(secret("prod"));
    expect(seen("PruneBackups")).toContain("role/prod");
    expect(seen("PruneBackups")).not.toMatch(/environments\/(dr|\*)|dr-backups|role\/dr/);
    expect(seen("WriteReport")).toContain(secret("dr"));
    expect(seen("WriteReport")).not.toMatch(/environments\/(prod|\*)|prod-backups|role\/prod/);
    expect(seen("StartTriggeredRestore")).toContain(secret("prod"));
    expect(seen("StartTriggeredRestore")).not.toMatch(/environments\/(dr|\*)|-backups|sts:/);
    expect(seen("CopySegments")).toMatch(/environments\/\*.*prod-backups.*dr-backups/);
  });

  it("let an export read backups, and write where exports go and nowhere else, which nobody but it may touch", () => {
    const exporting = ["PrepareExport", "ExportSegments", "FinalizeExport", "ReleaseExport"];
    const roots = "arn:aws:s3:::bucket-b/backup/*";
    for (const id of exporting.slice(0, 3))
      expect(granted(withData, id)).toContain(`UseBackups: s3:GetObject on ${roots}`);
    expect(granted(withData, "PrepareExport").filter((line) => line.includes("Exports"))).toEqual([
      "ListExports: s3:ListBucket on arn:aws:s3:::lake",
      "UseExports: s3:DeleteObject s3:GetObject s3:PutObject on arn:aws:s3:::lake/exports/*",
    ]);
    // What may be too large for one request goes out in parts.
    for (const id of ["ExportSegments", "FinalizeExport"]) {
      expect(granted(withData, id)).toContain(
        "FindUploadsOfExports: s3:ListBucketMultipartUploads on arn:aws:s3:::lake",
      );
    }
    expect(granted(withData, "ExportSegments").find((line) => line.startsWith("UseExports"))).not.toContain("Delete");
    const having = functionSpecs
      .map(({ name }) => pascalCase(name))
      .filter((id) => granted(withData, id).join().includes(":::lake"));
    expect(having).toEqual(exporting);
  });

  it("let only those lock objects that write backups, and only those see locks that write or delete them", () => {
    const having = (action: string) =>
      functionSpecs
        .map(({ name }) => pascalCase(name))
        .filter((id) => statementsOf(withData, id).some((statement) => actionsOf(statement).includes(action)));

    expect(having("s3:PutObjectRetention")).toEqual(["CopySegments", "FinalizeBackup", "FinalizeTransfer"]);
    expect(having("s3:GetObjectRetention")).toEqual(["CopySegments", "FinalizeBackup", "FinalizeTransfer"]);
    expect(having("s3:GetBucketObjectLockConfiguration")).toEqual([
      "PrepareBackup",
      "FinalizeBackup",
      "PrepareTransfer",
    ]);
    const ofPrune = statementsOf(withRetention, "PruneBackups").flatMap(actionsOf);
    expect(ofPrune).toEqual(expect.arrayContaining(["s3:GetObjectRetention", "s3:GetBucketObjectLockConfiguration"]));
    expect(ofPrune).not.toContain("s3:PutObjectRetention");
  });

  it("let nobody take a lock off, or delete versions", () => {
    for (const one of [withData, withRetention]) {
      const policies = JSON.stringify(one.findResources("AWS::IAM::Policy"));
      expect(policies).toContain("s3:PutObjectRetention");
      expect(policies).not.toMatch(/BypassGovernance|DeleteObjectVersion|LegalHold|s3:[A-Za-z]*\*/);
    }
  });

  it.each([
    ["CopySegments", ["executions/*"], []],
    ["FinalizeBackup", ["executions/backup/*"], []],
    ["FinishRestore", ["executions/restore/*", "readers/*", "restores/*"], ["readers/*", "restores/*"]],
    ["ExportSegments", ["executions/export/*", "readers/*"], []],
    ["FinalizeExport", ["executions/export/*", "readers/*"], ["readers/*"]],
    ["ReleaseTransfer", ["executions/transfer/*", "readers/*"], ["readers/*"]],
  ])("let %s see %j of the work bucket, and delete %j", (id, seen, removed) => {
    const statements = statementsOf(template, id);

    const list = statements.find(({ Sid }) => Sid === "ListWorkFiles");
    expect(list?.Condition).toEqual({ StringLike: { "s3:prefix": seen } });
    const deletable = statements.filter((it) => actionsOf(it).includes("s3:DeleteObject")).flatMap(resourcesOf);
    expect(deletable).toEqual(removed.map((keys) => `<WorkBucket>/${keys}`));
  });

  it("let no step write work files that has none to write", () => {
    const writing = functionSpecs
      .map(({ name }) => pascalCase(name))
      .filter((id) => granted(template, id).some((line) => /^UseWorkFiles:.* s3:PutObject/.test(line)));
    const all = functionSpecs.map(({ name }) => pascalCase(name));

    expect(all.filter((id) => !writing.includes(id))).toEqual(["FinalizeTransfer", "FinalizeExport"]);
  });

  it("can be assumed by Lambda only, and hold no managed policy", () => {
    for (const { name } of functionSpecs) {
      const [role] = Object.entries(template.findResources("AWS::IAM::Role"))
        .filter(([id]) => id.startsWith(`${pascalCase(name)}Role`))
        .map(([, { Properties }]) => Properties);

      expect(role?.AssumeRolePolicyDocument.Statement[0].Principal).toEqual({ Service: "lambda.amazonaws.com" });
      expect(role?.ManagedPolicyArns).toBeUndefined();
    }
  });
});

const withMaps = machines.filter((machine) => definitionOf(machine).includes('"DISTRIBUTED"'));

it("the role of machine drill runs its steps and executions of restore, hears of their end and announces; nothing else", () => {
  const restore = "arn:aws:states:region:account:execution:MilvusBackup-restore:*";

  expect(granted(template, "Drill").filter((line) => !line.startsWith("undefined"))).toEqual([
    "RunSteps: lambda:InvokeFunction on <CleanDrillFunction>:* <PrepareDrillFunction>:* <ReleaseDrillFunction>:* <SearchDrillFunction>:*",
    "RunExecutions: states:StartExecution on arn:aws:states:region:account:stateMachine:MilvusBackup-restore",
    `FollowExecutions: states:DescribeExecution states:StopExecution on ${restore}`,
    "HearOfExecutions: events:DescribeRule events:PutRule events:PutTargets on " +
      "arn:aws:events:region:account:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule",
    "Announce: events:PutEvents on arn:aws:events:region:account:event-bus/default",
  ]);
  for (const id of ["PrepareDrill", "CleanDrill", "ReleaseDrill"]) {
    expect(granted(template, id)).toContain(`StopRestores: states:StopExecution on ${restore}`);
  }
});

describe.each(withMaps)("role of machine %s", (machine) => {
  it("runs its own steps, its own map runs and announces; nothing else", () => {
    const name = `MilvusBackup-${machine}`;
    const functions = functionSpecs
      .filter((spec) => spec.machine === machine || (spec.machine === "any" && machine !== "export"))
      // versions: an execution goes on with those it began with
      .map((spec) => `<${pascalCase(spec.name)}Function>:*`)
      .sort();
    const own = granted(template, pascalCase(machine)).filter((line) => !line.startsWith("undefined"));

    expect(own).toEqual([
      `RunSteps: lambda:InvokeFunction on ${functions.join(" ")}`,
      `ReadMapItems: s3:GetObject on <WorkBucket>/executions/${machine}/*/items-*.json`,
      `StartMapRuns: states:StartExecution on arn:aws:states:region:account:stateMachine:${name}`,
      `FollowMapRuns: states:DescribeExecution states:StopExecution on arn:aws:states:region:account:execution:${name}:*`,
      `RedriveMapRuns: states:RedriveExecution on arn:aws:states:region:account:execution:${name}/*`,
      "Announce: events:PutEvents on arn:aws:events:region:account:event-bus/default",
    ]);
  });
});

describe.each(machines)("role of machine %s", (machine) => {
  it("may on all resources only what log delivery and tracing need", () => {
    const everywhere = statementsOf(template, pascalCase(machine)).filter((it) => resourcesOf(it).includes("*"));

    for (const action of everywhere.flatMap(actionsOf)) expect(action).toMatch(/^(logs|xray):/);
  });
});
