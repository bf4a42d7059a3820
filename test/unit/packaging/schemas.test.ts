import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { backupYaml } from "../../../local/index.ts";
import { documentedKeys } from "../../../packaging/documented-keys.ts";
import { parsePipelineYaml } from "../../../src/core/deployment/yaml.ts";
import { type KnownKey, knownKeys } from "../../../src/core/environment/keys.ts";
import { parseEnvironment } from "../../../src/core/environment/yaml.ts";
import { inputOfPlan } from "../../../src/core/plan/restore-plan-file.ts";
import { schemaProblems } from "../../support/json-schemas.ts";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

/** Whether a parser takes a text. */
function takes(parser: (text: string) => unknown, text: string): boolean {
  try {
    parser(text);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ name: expect.stringMatching(/^Invalid/) });
    return false;
  }
}

describe("backup.schema.json", () => {
  const problems = (text: string) => schemaProblems("backup.schema.json", parse(text));
  const parseFile = (text: string) =>
    parseEnvironment(text, { name: "a", fileName: "backup.yaml", readFile: () => "pem" });
  const keys = Object.keys(knownKeys) as KnownKey[];

  it("takes the files of the local stack", () => {
    const text = backupYaml({
      host: "127.0.0.1",
      port: 19530,
      managementUrl: "http://127.0.0.1:9091",
      bucket: "bucket-a",
      rootPath: "files",
      storage: { host: "127.0.0.1", port: 4566, accessKeyId: "a", secretAccessKey: "b" },
      backupBucket: "bucket-b",
      backupRootPath: "backup",
    });

    expect(problems(text)).toEqual([]);
  });

  it("takes the environments of the documents", () => {
    const documented = read("docs/stores.md").matchAll(/^```yaml\n(.*?)^```$/gms);

    for (const [, text = ""] of documented) expect(problems(text), text).toEqual([]);
  });

  it.each(["", "milvus:\n", "milvus:\n  password:\n", "milvus.address: a.example\n", "MILVUS: { Port: '19530' }"])(
    "takes %j, as the parser does",
    (text) => {
      expect(takes(parseFile, text)).toBe(true);
      expect(problems(text)).toEqual([]);
    },
  );

  it.each([
    "log: { level: debug, file: { rootPath: x } }",
    "http: { enabled: true }",
    "backup: { maxSegmentGroupSize: 2G }",
    "backup: { parallelism: { copydata: 128, importJob: 4 } }",
    "milvus: { etcd: { endpoints: [a, b] } }",
  ])("lets milvus-backup's other keys through: %s", (text) => {
    expect(takes(parseFile, text)).toBe(true);
    expect(problems(text)).toEqual([]);
  });

  it("takes every value of every key that the parser takes, in sections, with dots and in any case", () => {
    const scalars = [
      "''",
      "x",
      "007",
      "0",
      "1",
      "2",
      "-3",
      "+5",
      "19530",
      "'19530'",
      "70000",
      "1.5",
      "true",
      "TRUE",
      "t",
      "'F'",
      "no",
      "auto",
      "server-side",
      "streamed",
      "~",
    ];
    let taken = 0;
    for (const key of keys) {
      const parts = key.split(".");
      const leaf = parts.pop() ?? "";
      for (const scalar of scalars) {
        for (const text of [
          `${parts.map((part, depth) => `${" ".repeat(depth)}${part}:\n`).join("")}${" ".repeat(parts.length)}${leaf}: ${scalar}\n`,
          `${key.toUpperCase()}: ${scalar}\n`,
        ]) {
          // What one key means beside others is the parser's business alone.
          const value = scalar === "~" ? undefined : scalar.replaceAll("'", "");
          if (value !== undefined && !knownKeys[key].schema.safeParse(value).success) continue;
          taken += 1;
          expect(problems(text), text).toEqual([]);
        }
      }
    }
    expect(taken).toBeGreaterThan(1000);
  });

  it.each([
    ["milvus: { adress: a }", "must NOT have additional properties"],
    ["milvus: here", "/milvus must be object,null"],
    ["milvus: { port: [1] }", "/milvus/port must be integer"],
    ["milvus: { port: 70000 }", "/milvus/port must be <= 65535"],
    ["minio: { port: nine }", "/minio/port must be integer"],
    ["minio: { useSSL: maybe }", "/minio/useSSL must be equal to one of the allowed values"],
    ["minio: { copyMode: fast }", "/minio/copyMode must be equal to one of the allowed values"],
    ["minio: { bucketName: { a: b } }", "/minio/bucketName must be string,number,boolean,null"],
    ["- milvus", " must be object,null"],
  ])("refuses the plain mistake in %j, as the parser does", (text, problem) => {
    expect(takes(parseFile, text)).toBe(false);
    expect(problems(text)).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
  });
});

describe("docs/backup-yaml.md", () => {
  it("names the variable of each key, and no other key", () => {
    const documented = documentedKeys(read("docs/backup-yaml.md"));

    expect(documented.map(({ sections, key }) => `${sections.at(-1)}.${key}`).sort()).toEqual(
      Object.keys(knownKeys).sort(),
    );
    for (const { sections, key, cells } of documented) {
      const { variable } = knownKeys[`${sections.at(-1)}.${key}` as KnownKey];
      expect(cells.includes(`\`${variable}\``), `${key}: ${variable}`).toBe(variable !== undefined);
    }
  });
});

describe("pipeline.schema.json", () => {
  const problems = (text: string) => schemaProblems("pipeline.schema.json", parse(text) ?? {});
  const parseFile = (text: string) => parsePipelineYaml(text, "pipeline.yaml");
  const schedule = (lines: string) =>
    `environments: { prod: , dr: }\nschedules: [{ name: n, environment: prod, expression: rate(1 day), ${lines} }]`;
  const trigger = (lines: string) =>
    `environments: { dr: { description: x } }\nrestoreTriggers: [{ name: t, bucket: bbb, environment: dr, ${lines} }]`;

  it("takes the example, which names it to editors", () => {
    const example = read("examples/pipeline.yaml");

    expect(problems(example)).toEqual([]);
    expect(example.split("\n")[0]).toBe("# yaml-language-server: $schema=../schemas/pipeline.schema.json");
  });

  it.each([
    "",
    schedule("keep: { last: 3, failed: 36h }"),
    schedule("keep: { daily: 7, failed: 48 }, incremental: true, timeZone: Europe/Berlin, enabled: false"),
    trigger(
      "prefix: backup/, account: '444455556666', unsigned: true, collections: [a, d], backups: 'n_*', renames: { a: [b, c], d: e }",
    ),
    trigger("prefix: '', shards: 2"),
  ])("takes what the parser takes: %s", (text) => {
    const parsed = takes(parseFile, text);

    // a prefix that is written and empty is refused by the parser, and so by the schema
    expect(problems(text).length === 0).toBe(parsed);
  });

  it.each([
    [schedule("colections: [a]"), "/schedules/0 must NOT have additional properties"],
    [schedule("keep: { last: 0 }"), "/schedules/0/keep/last must be >= 1"],
    [schedule("enabled: perhaps"), "/schedules/0/enabled must be boolean"],
    [schedule("collections: coll"), "/schedules/0/collections must be array"],
    [trigger("account: 444455556666"), "/restoreTriggers/0/account must be string"],
    [trigger("verify: all"), "/restoreTriggers/0/verify must be equal to one of the allowed values"],
    ["alarms: { emails: [nobody] }", "/alarms/emails/0 must match"],
    ["schedules: [{ name: n }]", "/schedules/0 must have required property 'environment'"],
    ["network: { vpcId: my-vpc, subnetIds: [] }", "/network/subnetIds must NOT have fewer than 1 items"],
  ])("refuses the plain mistake in %j, as the parser does", (text, problem) => {
    expect(takes(parseFile, text)).toBe(false);
    expect(problems(text)).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
  });

  it("describes every key for people", () => {
    const { properties } = JSON.parse(read("schemas/pipeline.schema.json"));

    expect(properties.schedules.items.properties.alarmAfter.description).toContain(
      "an alarm where there was no complete backup",
    );
    expect(properties.restoreTriggers.items.properties.dropExisting.description).toContain("is replaced");
  });
});

describe("restore-plan.schema.json", () => {
  const problems = (plan: unknown) => schemaProblems("restore-plan.schema.json", plan);

  it("takes the plan of the documents", () => {
    const [, plan = ""] = /^```yaml\n(.*?)^```$/ms.exec(read("docs/restore-plan.md")) ?? [];

    expect(problems(parse(plan))).toEqual([]);
  });

  it.each([{ mappings: [] }, { mapping: [{ source: "a" }] }, { filter: { a: ["b"] } }])("refuses %j", (plan) => {
    expect(problems(plan)).not.toEqual([]);
    expect(() => inputOfPlan(plan)).toThrow(/^restore plan: /);
  });
});
