import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { parsePipelineYaml } from "../../../src/core/deployment/yaml.ts";
import { parseEnvironment } from "../../../src/core/environment/yaml.ts";
import { inputOfPlan } from "../../../src/core/plan/restore-plan-file.ts";

/** The fenced YAML of a page. */
function examples(page: string): string[] {
  const text = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), "utf8");
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml = ""]) => yaml);
}

const readFile = (path: string) => (path.endsWith(".json") ? '{"type":"service_account"}' : `content of ${path}`);
const read = (yaml: string) => parseEnvironment(yaml, { name: "example", fileName: "example.yaml", readFile });

test("every environment in stores.md is one, of the types it shows", () => {
  const environments = examples("stores.md").map(read);

  expect(environments.map(({ storage }) => storage.type)).toEqual([
    "minio",
    "aws",
    "gcp",
    "ali",
    "minio",
    "gcpnative",
    "minio",
  ]);
  expect(environments.map(({ backupStorage }) => backupStorage.type)).toEqual([
    "aws",
    "aws",
    "gcp",
    "tencent",
    "azure",
    "gcpnative",
    "minio",
  ]);
  expect(environments[0]).toMatchObject({
    storage: { caCert: "content of company-ca.pem", credentials: { accessKeyId: "milvus" } },
    backupStorage: { address: "s3.eu-west-1.amazonaws.com", credentials: { accessKeyId: "AKIAEXAMPLE" } },
  });
  expect(environments[0]?.backupStorage.caCert).toBeUndefined();
  expect(environments[6]?.milvus).toMatchObject({ tlsMode: 2, mtlsKey: "content of client.key" });
});

test("cross-account.md: the deployment lets assume the very role that the environment names", () => {
  const [pipeline = "", environment = ""] = examples("cross-account.md");

  const { environments } = parsePipelineYaml(pipeline, "pipeline.yaml");
  const { storage, backupStorage } = read(environment);

  expect(storage.credentials).toMatchObject({ kind: "iam", roleArn: "" });
  expect(backupStorage.credentials).toMatchObject({
    kind: "iam",
    roleArn: environments.dr?.roleArns[0],
    externalId: "agreed-between-us",
  });
});

test("the restore plan of restore-plan.md is one", () => {
  const [plan = ""] = examples("restore-plan.md");

  expect(inputOfPlan(parse(plan))).toEqual({
    renames: { "default.coll": ["shop.coll_small", "shop.coll_large"], "archive.*": ["archive_copy.*"] },
    targets: ["shop.coll_small", "shop.coll_large"],
    overrides: { "shop.coll_small": { shards: 1, description: "for tests" }, "shop.coll_large": { shards: 4 } },
  });
});
