import { afterEach, expect, test, vi } from "vitest";
import { createConnections } from "../../../cli/connections.ts";
import { pipelineOf } from "../../../cli/pipeline/stack.ts";
import { parseEnvironment } from "../../../src/core/environment/yaml.ts";
import { startAnswering } from "../../support/http-answers.ts";
import { environmentNamed, stackOutputs } from "./support/fake-cli.ts";

afterEach(() => vi.unstubAllEnvs());

async function registryAt(url: string) {
  vi.stubEnv("AWS_ENDPOINT_URL", url);
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  return createConnections({}).environments(pipelineOf("MilvusBackup", stackOutputs));
}

test.each([
  ["AccessDeniedException", "AwsAccessDenied"],
  ["UnrecognizedClientException", "NoAwsCredentials"],
])("%s of Secrets Manager is told in the command's own words", async (type, name) => {
  const server = await startAnswering(() => ({
    status: 400,
    headers: { "content-type": "application/x-amz-json-1.1" },
    body: JSON.stringify({ __type: type, Message: "no" }),
  }));
  const registry = await registryAt(server.url);

  await expect(registry.get("prod")).rejects.toMatchObject({
    name,
    message: expect.stringContaining("Secrets Manager"),
  });

  await server.close();
});

test("what env rm is told reaches the registry: a protected environment that is named twice, for good", async () => {
  const SecretString = JSON.stringify({ ...environmentNamed("prod"), protected: true });
  const server = await startAnswering(() => ({
    status: 200,
    headers: { "content-type": "application/x-amz-json-1.1" },
    body: JSON.stringify({ SecretString, VersionId: "v1" }),
  }));
  const registry = await registryAt(server.url);

  await expect(registry.delete("prod", { force: true })).rejects.toMatchObject({ name: "EnvironmentProtected" });
  await registry.delete("prod", { force: true, confirm: "prod" });

  expect(JSON.parse(server.seen.at(-1)?.body ?? "")).toEqual({
    SecretId: "milvus-backup/MilvusBackup/environments/prod",
    ForceDeleteWithoutRecovery: true,
  });

  await server.close();
});

test("a registration is made with the key that the stack names", async () => {
  const keyArn = "arn:aws:kms:eu-central-1:111122223333:key/k";
  const keys: unknown[] = [];
  const server = await startAnswering(({ headers, body }) => {
    if (headers["x-amz-target"] !== "secretsmanager.CreateSecret") {
      return { status: 400, headers: {}, body: JSON.stringify({ __type: "ResourceNotFoundException" }) };
    }
    keys.push(JSON.parse(body).KmsKeyId);
    return { status: 200, headers: {}, body: "{}" };
  });
  vi.stubEnv("AWS_ENDPOINT_URL", server.url);
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  const environment = parseEnvironment("", { name: "prod", fileName: "f", overrides: { "minio.bucketName": "a" } });
  for (const outputs of [stackOutputs, { ...stackOutputs, EnvironmentsKeyArn: keyArn }]) {
    const registry = await createConnections({}).environments(pipelineOf("MilvusBackup", outputs));
    expect(await registry.put(environment)).toBe("created");
  }

  expect(keys).toEqual([undefined, keyArn]);

  await server.close();
});
