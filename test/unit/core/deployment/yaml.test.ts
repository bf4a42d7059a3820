import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parsePipelineYaml } from "../../../../src/core/deployment/yaml.ts";

const parse = (text: string) => parsePipelineYaml(text, "pipeline.yaml");

/** What parsing fails with: one line for each problem. */
function problemsOf(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    expect(error).toMatchObject({ name: "InvalidInput" });
    return error instanceof Error ? error.message.split("\n") : [];
  }
  return [];
}

const schedule = (lines: string) => `environments: { prod: , dr: }
schedules:
  - name: nightly
    environment: prod
    expression: rate(1 day)
${lines}`;

describe("parsePipelineYaml", () => {
  it("reads the example", () => {
    const example = parse(readFileSync(new URL("../../../../examples/pipeline.yaml", import.meta.url), "utf8"));

    expect(example.schedules).toMatchObject([
      {
        name: "nightly",
        timeZone: "Europe/Berlin",
        enabled: true,
        verify: { expression: "cron(0 12 ? * SUN *)", readData: 10, rows: 5 },
        alarmAfter: 26 * 3600,
      },
      { name: "hourly", timeZone: "UTC", keep: { last: 24 }, verify: { expression: "cron(0 12 * * ? *)" } },
    ]);
    expect(example.restoreTriggers.map(({ name, account, backups }) => [name, account, backups])).toEqual([
      ["standby", undefined, "nightly_*"],
      ["partner", "444455556666", "*"],
    ]);
  });

  it("takes when a schedule is verified as a word, an expression, and with how much is read", () => {
    const verifyOf = (text: string) => parse(schedule(`    verify: ${text}\n`)).schedules[0]?.verify;

    expect(verifyOf("monthly")).toEqual({ expression: "cron(0 12 1 * ? *)" });
    expect(verifyOf("rate(2 days)")).toEqual({ expression: "rate(2 days)" });
    expect(verifyOf("{ schedule: weekly, rows: 5% }")).toMatchObject({ rows: 5 });
    expect(verifyOf("{ schedule: daily, readData: true }")).toEqual({
      expression: "cron(0 12 * * ? *)",
      readData: 100,
    });
  });

  it("names a schedule that has the name of the one that verifies another", () => {
    const text = `${schedule("    verify: daily\n")}  - { name: nightly-verify, environment: prod, expression: rate(1 day) }\n`;

    expect(problemsOf(text)).toEqual([expect.stringContaining("is verified by a schedule nightly-verify")]);
  });

  it.each(["", "# nothing yet\n", "environments:\n  prod:\n"])("takes %j: everything is optional", (text) => {
    expect(parse(text)).toMatchObject({ schedules: [], drills: [], restoreTriggers: [] });
  });

  it.each([
    ["{ of: nightly, environment: prod }", undefined],
    ["{ of: any, from: prod, environment: prod, pick: random }", undefined],
    [
      "{ of: hourly, environment: prod }",
      /drills\[0\].of: names hourly, which is no schedule of this file \(there is: nightly\)/,
    ],
    ["{ of: any, environment: prod }", /drills\[0\].from: is missing/],
    ["{ of: nightly, from: prod, environment: prod }", /drills\[0\].from: goes with of: any/],
    [
      "{ of: any, from: nowhere, environment: prod }",
      /drills\[0\].from: names nowhere, which is not under environments/,
    ],
    ["{ of: nightly, environment: nowhere }", /drills\[0\].environment: names nowhere/],
    ["{ of: nightly, environment: prod, pick: oldest }", /drills\[0\].pick: /],
    ["{ of: nightly, environment: prod, alarmAfter: 5d }", /drills\[0\].alarmAfter: needs the section alarms/],
    ["{ of: nightly, environment: prod, name: nightly }", /drills\[0\].name: nightly is the name of a schedule/],
  ])("a drill %s", (drill, problem) => {
    const one = drill.replace(
      "{ ",
      drill.includes("name:") ? "{ expression: rate(1 day), " : "{ name: proof, expression: rate(1 day), ",
    );
    const text = schedule(`drills:\n  - ${one}\n`);

    if (problem === undefined) expect(parse(text).drills).toHaveLength(1);
    else expect(problemsOf(text).join()).toMatch(problem);
  });

  it("names an unknown key with file, line and the accepted keys, wherever it stands", () => {
    expect(problemsOf(schedule("    keep: { last: 1 }\n    colections: [a]\nalarm: {}\n"))).toEqual([
      "pipeline.yaml:7: schedules[0].colections is not a known key; accepted: name, environment, expression, timeZone, collections, strategy, incremental, rbac, lock, enabled, keep, verify, alarmAfter",
      "pipeline.yaml:8: alarm is not a known key; accepted: stack, retentionDays, environments, allowedEnvironments, signBackups, trustedKeyArns, schedules, drills, restoreTriggers, reports, api, network, maxConcurrency, functions, encryptionKeyArn, workBucketKeyArn, logsKeyArn, environmentsKeyArn, alarms",
    ]);
    expect(problemsOf("environments:\n  prod:\n    bucket: b\n")).toEqual([
      "pipeline.yaml:3: environments.prod.bucket is not a known key; accepted: description, milvusBuckets, backupBuckets, exportBuckets, roleArns, kmsKeyArns",
    ]);
  });

  it("takes a bucket with its root path as text or by name", () => {
    const list = "[prod-milvus//files/, { bucket: prod-milvus, rootPath: /a/b/ }, { bucket: other, rootPath: '' }]";
    const { environments } = parse(`environments:\n  prod:\n    milvusBuckets: ${list}\n`);

    expect(environments.prod?.milvusBuckets).toEqual([
      { bucket: "prod-milvus", rootPath: "files" },
      { bucket: "prod-milvus", rootPath: "a/b" },
      { bucket: "other", rootPath: "" },
    ]);
  });

  it.each(["prod-milvus", "prod-milvus/", "b/files", "prod-milvus/a*", "prod-milvus/$x", "{ bucket: prod-milvus }"])(
    "refuses %s, which leaves open what of a bucket is meant",
    (root) => {
      expect(problemsOf(`environments:\n  prod:\n    backupBuckets: [${JSON.stringify(root)}]\n`)).toEqual([
        "pipeline.yaml:3: environments.prod.backupBuckets[0]: use bucket/root/path, or {bucket: prod-milvus, rootPath: files}; rootPath: '' is the whole bucket",
      ]);
    },
  );

  it("says what is written in the place of dataBuckets", () => {
    expect(problemsOf("environments:\n  prod:\n    dataBuckets: [prod-milvus]\n")).toEqual([
      expect.stringMatching(
        /^pipeline.yaml:3: environments.prod.dataBuckets is told by its parts now: milvusBuckets, .* and backupBuckets, /,
      ),
    ]);
  });

  it.each([
    ["    keep: { last: 0 }", /^pipeline.yaml:6: schedules\[0\].keep.last: .*>=1/],
    ["    keep: { daily: -3 }", /^pipeline.yaml:6: schedules\[0\].keep.daily: /],
    ["    keep: { weekly: 1.5 }", /^pipeline.yaml:6: schedules\[0\].keep.weekly: expected int/],
    ["    keep: {}", /^pipeline.yaml:6: schedules\[0\].keep: must name at least one of last, daily, weekly, monthly/],
    ["    timeZone: Mars/Base", /^pipeline.yaml:6: schedules\[0\].timeZone: "Mars\/Base" is no time zone/],
    ["    verify: yearly", /^pipeline.yaml:6: schedules\[0\].verify: use daily, weekly, monthly, an expression, or \{/],
    ["    verify: { schedule: weekly, rows: all }", /^pipeline.yaml:6: schedules\[0\].verify.*use/],
    ["    verify: { schedule: weekly, readData: 120% }", /^pipeline.yaml:6: schedules\[0\].verify.*use/],
    ["    alarmAfter: soon", /^pipeline.yaml:6: schedules\[0\].alarmAfter: "soon" is no time from 1m to 7d/],
    ["    alarmAfter: 8d", /alarmAfter: "8d" is no time/],
    ["    alarmAfter: 1501m", /alarmAfter: "1501m" is more than a day: use whole hours/],
    ["    alarmAfter: 26h", /^pipeline.yaml:6: schedules\[0\].alarmAfter: needs the section alarms/],
    ["    collections: [a-b]", /^pipeline.yaml:6: schedules\[0\].collections\[0\]: .*"a-b" is not valid/],
    ["    strategy: fast", /^pipeline.yaml:6: schedules\[0\].strategy: /],
  ])("refuses %j of a schedule", (line, message) => {
    expect(problemsOf(schedule(`${line}\n`))).toEqual([expect.stringMatching(message)]);
  });

  it("refuses two schedules, or two triggers, of one name", () => {
    const second = "  - { name: nightly, environment: dr, expression: rate(2 days) }\n";
    const trigger = "  - { name: standby, bucket: backups, environment: dr }\n";

    expect(problemsOf(schedule(second))).toEqual([
      "pipeline.yaml:6: schedules[1].name: nightly is there twice (as schedules[0] too)",
    ]);
    expect(problemsOf(`environments: { dr: }\nrestoreTriggers:\n${trigger}${trigger}`)).toEqual([
      "pipeline.yaml:4: restoreTriggers[1].name: standby is there twice (as restoreTriggers[0] too)",
    ]);
  });

  it("refuses environments that are not declared, and names those that are", () => {
    const text = `environments: { dr: }
restoreTriggers:
  - name: standby
    bucket: backups
    environment: d
    from: prod
`;

    expect(problemsOf(text)).toEqual([
      "pipeline.yaml:5: restoreTriggers[0].environment: names d, which is not under environments; declared are: dr",
      "pipeline.yaml:6: restoreTriggers[0].from: names prod, which is not under environments; declared are: dr",
    ]);
  });

  it("refuses a trigger that both replaces a collection and imports into it", () => {
    const trigger = "{ name: t, bucket: backups, environment: dr, dropExisting: true, skipCreate: true }";

    expect(problemsOf(`environments: { dr: }\nrestoreTriggers: [${trigger}]\n`)).toEqual([
      expect.stringContaining("restoreTriggers[0].skipCreate: excludes dropExisting"),
    ]);
  });

  const keyArn = "arn:aws:kms:eu-central-1:444455556666:key/0a1b2c3d-0000-4000-8000-000000000003";
  const foreign = `account: '444455556666', collections: [coll]`;

  it.each([
    ["account: '444455556666', unsigned: true", ["restoreTriggers[0].collections: is missing: with account"]],
    ["account: '444455556666', unsigned: true, collections: []", ["restoreTriggers[0].collections: is missing"]],
    ["dropExisting: true", ["restoreTriggers[0].collections: is missing: with dropExisting"]],
    [foreign, ["restoreTriggers[0].signedBy: is missing: account 444455556666 could have anything restored"]],
    [`${foreign}, unsigned: false`, ["restoreTriggers[0].unsigned: is left out, or true"]],
    [`${foreign}, unsigned: true, signedBy: "${keyArn}"`, ["restoreTriggers[0].unsigned: excludes signedBy"]],
    [`${foreign}, signedBy: "${keyArn}", verify: size`, ["restoreTriggers[0].signedBy: excludes verify: size"]],
    [`${foreign}, signedBy: alias/partner`, ["restoreTriggers[0].signedBy: is no ARN of a KMS key"]],
    ["rbac: true", ["restoreTriggers[0].rbac: wants signedBy beside it in a trigger: whoever writes into the bucket"]],
    [`${foreign}, unsigned: true, rbac: true`, ["restoreTriggers[0].rbac: wants signedBy"]],
    ["unsigned: true", ["restoreTriggers[0].unsigned: is about backups of another account, and there is no account"]],
    [`${foreign}, unsigned: true`, []],
    [`${foreign}, signedBy: "${keyArn}"`, []],
    [`rbac: true, signedBy: "${keyArn}"`, []],
    [`${foreign}, rbac: true, signedBy: "${keyArn}"`, []],
    [`dropExisting: true, collections: [coll], signedBy: "${keyArn}"`, []],
  ])("lets through a trigger only what its file says: %s", (options, problems) => {
    const trigger = `{ name: t, bucket: backups, environment: dr, ${options} }`;

    expect(problemsOf(`environments: { dr: }\nrestoreTriggers: [${trigger}]\n`)).toEqual(
      problems.map((problem) => expect.stringContaining(problem)),
    );
  });

  it("refuses schedules, drills and triggers that name what their executions may not", () => {
    const text = `environments: { dr: , prod: , ours: }
allowedEnvironments:
  backup: [prod]
  restore: [dr, nowhere]
  read: [prod]
schedules: [{ name: s, environment: dr, expression: rate(1 day) }]
drills: [{ name: d, environment: prod, of: any, from: ours, expression: rate(2 days) }]
restoreTriggers: [{ name: t, bucket: backups, environment: prod }]
`;

    expect(problemsOf(text)).toEqual([
      "pipeline.yaml:4: allowedEnvironments.restore[1]: names nowhere, which is not under environments; declared are: dr, prod, ours",
      expect.stringMatching(
        /^pipeline.yaml:6: schedules\[0\]\.environment: environment dr is not among allowedEnvironments\.backup/,
      ),
      expect.stringMatching(/^pipeline.yaml:7: drills\[0\]\.environment: .*allowedEnvironments\.restore/),
      expect.stringMatching(/^pipeline.yaml:7: drills\[0\]\.from: .*allowedEnvironments\.read/),
      expect.stringMatching(/^pipeline.yaml:8: restoreTriggers\[0\]\.environment: .*allowedEnvironments\.restore/),
    ]);
  });

  it("refuses drills of a schedule, and verifications, whose backups they may not read", () => {
    const text = `environments: { dr: , prod: }
allowedEnvironments: { read: [dr] }
schedules:
  - { name: nightly, environment: prod, expression: rate(1 day) }
  - { name: looked-at, environment: prod, expression: rate(1 day), verify: weekly }
drills: [{ name: d, environment: dr, of: nightly, expression: rate(2 days) }]
`;

    expect(problemsOf(text)).toEqual([
      expect.stringMatching(/schedules\[1\]\.verify: environment prod is not among allowedEnvironments\.read/),
      expect.stringMatching(/drills\[0\]\.of: environment prod is not among allowedEnvironments\.read/),
    ]);
  });

  it.each([
    ["shards: 1, skipCreate: true", "restoreTriggers[0].shards: excludes skipCreate"],
    ["autoIndex: true, indexes: false", "restoreTriggers[0].autoIndex: excludes indexes: false"],
    ["shards: 0", "restoreTriggers[0].shards: "],
    ["renames: { coll: 'db.*' }", 'renames: default.coll to "db.*"'],
    ["renames: { coll: [] }", "restoreTriggers[0].renames: renames: default.coll has no name"],
  ])("refuses a trigger with %s", (options, message) => {
    const trigger = `{ name: t, bucket: backups, environment: dr, ${options} }`;

    expect(problemsOf(`environments: { dr: }\nrestoreTriggers: [${trigger}]\n`)).toEqual([
      expect.stringContaining(message),
    ]);
  });

  it("takes for a trigger what a restore takes", () => {
    const options = {
      renames: { coll: ["a", "shop.b"], "shop.*": "shop2.*" },
      maxShards: 4,
      autoIndex: true,
      skipProperties: ["collection.ttl.seconds"],
    };
    const triggers = [{ name: "t", bucket: "backups", environment: "dr", ...options }];

    expect(problemsOf(JSON.stringify({ environments: { dr: {} }, restoreTriggers: triggers }))).toEqual([]);
  });

  it.each([
    ["network: { vpcId: vpc-1, subnetIds: [subnet-0a1b2c3d] }", "network.vpcId: is no ID that begins with vpc-"],
    ["network: { vpcId: vpc-0a1b2c3d, subnetIds: [] }", "network.subnetIds: "],
    ["workBucketKeyArn: alias/key", "workBucketKeyArn: is no ARN of kms"],
    ["alarms: { emails: [nobody] }", "alarms.emails[0]: is no e-mail address"],
    ["environments: { 'a/b': }", "environments.a/b: "],
    ["- a", "expected object"],
    ["environments: {", "is not valid YAML: "],
    ["stack: a\nstack: b", "is not valid YAML: "],
  ])("refuses %j with its line", (text, message) => {
    expect(problemsOf(text)).toEqual([expect.stringMatching(/^pipeline\.yaml:\d+: /)]);
    expect(problemsOf(text)[0]).toContain(message);
  });
});
