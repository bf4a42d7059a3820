import { afterEach, expect, test, vi } from "vitest";
import { createConnections } from "../../../cli/connections.ts";
import { pipelineOf } from "../../../cli/pipeline/stack.ts";
import { startAnswering } from "../../support/http-answers.ts";
import { stackOutputs } from "./support/fake-cli.ts";

afterEach(() => vi.unstubAllEnvs());

test.each([
  ["AccessDeniedException", "AwsAccessDenied"],
  ["UnrecognizedClientException", "NoAwsCredentials"],
])("%s of Secrets Manager is told in the command's own words", async (type, name) => {
  const server = await startAnswering(() => ({
    status: 400,
    headers: { "content-type": "application/x-amz-json-1.1" },
    body: JSON.stringify({ __type: type, Message: "no" }),
  }));
  vi.stubEnv("AWS_ENDPOINT_URL", server.url);
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  const registry = await createConnections({}).environments(pipelineOf("MilvusBackup", stackOutputs));

  await expect(registry.get("prod")).rejects.toMatchObject({
    name,
    message: expect.stringContaining("Secrets Manager"),
  });

  await server.close();
});
