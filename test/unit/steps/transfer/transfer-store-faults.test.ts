import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { openEnvironmentStore } from "../../../../src/adapters/store-opener.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";
import type { StepContext } from "../../../../src/ports/step-context.ts";
import { prepareTransfer } from "../../../../src/steps/transfer/prepare-transfer.ts";
import { transferRequest, transferWorld } from "../../../support/transfer-world.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body: string;
}

/** A store that has one answer to everything; the port it listens on. */
async function storeThatAnswers({ status, headers = {}, body }: Answer): Promise<number> {
  const server = createServer((request, response) => {
    const contentType = body.startsWith("<?xml") ? "application/xml" : "text/html";
    response.writeHead(status, { "content-type": contentType, ...headers });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return (server.address() as AddressInfo).port;
}

/** Transfers with one of the two backup buckets in a real store at that port, and the other one in memory. */
async function prepareWith(side: "from" | "to", port: number) {
  const { context, environments } = transferWorld();
  const yaml = `
minio:
  address: 127.0.0.1
  port: ${port}
  accessKeyID: AKIAEXAMPLE1
  secretAccessKey: very-secret
  token: session-token
  bucketName: bucket-x
`;
  const faulty = parseEnvironment(yaml, { name: "x", fileName: "x.yaml" });
  environments.register(faulty);
  const withFault: StepContext = {
    ...context,
    openStore: async (ref) =>
      ref.environment === "x" ? openEnvironmentStore(faulty, ref.side) : context.openStore(ref),
  };
  return prepareTransfer(transferRequest("first", { [side]: "x" }), withFault);
}

const xml = (code: string, more = "") =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>of the store</Message>${more}</Error>`;

const faults: [string, Answer, string, RegExp][] = [
  [
    "a bucket in another region",
    { status: 301, headers: { "x-amz-bucket-region": "eu-west-1" }, body: xml("PermanentRedirect") },
    "StoreFailed",
    /lies in region eu-west-1 .*set region/,
  ],
  [
    "another region in the signature",
    { status: 400, body: xml("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>") },
    "StoreFailed",
    /lies in region eu-west-1/,
  ],
  [
    "a proxy that wants TLS",
    { status: 301, headers: { location: "https://store.example/bucket-x" }, body: "<html><body>moved</body></html>" },
    "StoreFailed",
    /redirect to https:\/\/store\.example .*useSSL/,
  ],
  [
    "a login page",
    { status: 302, headers: { location: "https://login.example/?next=x" }, body: "" },
    "StoreFailed",
    /redirect to https:\/\/login\.example \(/,
  ],
  ["a web page", { status: 200, body: "<html><body>console</body></html>" }, "StoreFailed", /is no object store/],
  ["a missing grant", { status: 403, body: xml("AccessDenied") }, "StoreAccessDenied", /grant s3:ListBucket on/],
  ["an unknown key", { status: 403, body: xml("InvalidAccessKeyId") }, "StoreAccessDenied", /correct the credentials/],
  ["an expired token", { status: 400, body: xml("ExpiredToken") }, "StoreAccessDenied", /session token .*has expired/],
  ["no such bucket", { status: 404, body: xml("NoSuchBucket") }, "BucketNotFound", /bucket-x does not exist/],
];

test.each((["from", "to"] as const).flatMap((side) => faults.map((fault) => [side, ...fault] as const)))(
  "%s a store that answers with %s: told before anything is copied",
  async (side, _, answer, name, message) => {
    const port = await storeThatAnswers(answer);

    const error: unknown = await prepareWith(side, port).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({
      name,
      message: expect.stringMatching(message),
    });
    const text = error instanceof Error ? error.message : "";
    expect(text).toContain(`at 127.0.0.1:${port}`);
    expect(text).not.toMatch(/very-secret|session-token/);
  },
);
