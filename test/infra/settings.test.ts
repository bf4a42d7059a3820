import { describe, expect, it } from "vitest";
import { dataOf, readSettings } from "../../infra/settings.ts";
import { parsePipelineYaml } from "../../src/core/deployment/yaml.ts";
import { pipelineTemplate } from "./synthesized.ts";

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
