import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type MilvusService, milvusService, startService, stopService } from "../../local/index.ts";
import { closeMilvusConnections, connectMilvus } from "../../src/adapters/milvus/index.ts";
import type { Environment } from "../../src/core/environment/environment.ts";
import { parseStoredEnvironment, serializeEnvironment } from "../../src/core/environment/json.ts";
import { parseEnvironment } from "../../src/core/environment/yaml.ts";
import { certificateAuthority } from "../support/certificates.ts";
import { collectionRequest } from "../support/milvus-fields.ts";

const authority = certificateAuthority("test authority");
const stranger = certificateAuthority("somebody else's authority");
const serverName = "milvus.internal";
const folder = mkdtempSync(join(tmpdir(), "milvus-tls-"));

const files = {
  ca: put("ca.pem", authority.cert),
  strangersCa: put("strangers-ca.pem", stranger.cert),
  ...pair("server", authority.issue("server", [serverName, "127.0.0.1"])),
  ...pair("client", authority.issue("client")),
  ...pair("stranger", stranger.issue("client")),
};

function put(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function pair<Name extends string>(name: Name, { cert, key }: { cert: string; key: string }) {
  const paths = { [`${name}Cert`]: put(`${name}.pem`, cert), [`${name}Key`]: put(`${name}.key`, key) };
  return paths as Record<`${Name}Cert` | `${Name}Key`, string>;
}

function server(tlsMode: 1 | 2, port: number): MilvusService {
  return milvusService({
    name: `contract-tls-${tlsMode}`,
    port,
    bucket: "bucket-a",
    rootPath: `contract-tls-${tlsMode}`,
    overrides: {
      "common.security.tlsMode": tlsMode,
      "tls.serverPemPath": files.serverCert,
      "tls.serverKeyPath": files.serverKey,
      "tls.caPemPath": files.ca,
    },
  });
}

/** An environment as a Lambda gets it: read from backup.yaml, kept as a secret, read again. */
function environment(port: number, keys: Readonly<Record<string, string | number>>): Environment {
  const lines = Object.entries(keys).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}\n`);
  const yaml = `milvus:\n  address: 127.0.0.1\n  port: ${port}\n${lines.join("")}`;
  const readFile = (path: string) => readFileSync(path, "utf8");
  const read = parseEnvironment(yaml, { name: "tls", fileName: "backup.yaml", readFile });
  return parseStoredEnvironment(serializeEnvironment(read), "tls");
}

afterEach(closeMilvusConnections);
afterAll(() => rmSync(folder, { recursive: true }));

describe.each([
  { tlsMode: 1, port: 19610 },
  { tlsMode: 2, port: 19630 },
] as const)("Milvus 2.3.5 with tlsMode $tlsMode", ({ tlsMode, port }) => {
  const milvus = server(tlsMode, port);
  const client: Readonly<Record<string, string>> =
    tlsMode === 2 ? { mtlsCertPath: files.clientCert, mtlsKeyPath: files.clientKey } : {};
  const right: Readonly<Record<string, string | number>> = { tlsMode, caCertPath: files.ca, ...client };

  beforeAll(() => startService(milvus, { afresh: true }), 150_000);
  afterAll(() => stopService(milvus));

  test("is used with the certificates of the environment", async () => {
    const connected = await connectMilvus(environment(port, right));
    await connected.createCollection(collectionRequest("over_tls"));

    expect(await connected.version()).toContain("2.3.5");
    expect(await connected.listCollections("default")).toEqual(["over_tls"]);
  });

  test("is used under the name in its certificate", async () => {
    const connected = await connectMilvus(environment(port, { ...right, serverName }));

    expect(await connected.version()).toContain("2.3.5");
  });

  test.each([
    ["without TLS", { tlsMode: 0 }],
    ["with another authority's certificate", { ...right, caCertPath: files.strangersCa }],
    ["without its authority's certificate", { ...right, caCertPath: "" }],
    ["under a name that its certificate does not have", { ...right, serverName: "other.internal" }],
  ])("is not reached %s, and the address is named", async (_, keys) => {
    await expect(connectMilvus(environment(port, keys), { connectTimeoutMs: 3_000 })).rejects.toMatchObject({
      name: "MilvusUnreachable",
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
  });

  if (tlsMode === 2) {
    test.each([
      ["without a client's certificate", { mtlsCertPath: "", mtlsKeyPath: "" }],
      ["with one of another authority", { mtlsCertPath: files.strangerCert, mtlsKeyPath: files.strangerKey }],
    ])("refuses a client %s", async (_, keys) => {
      await expect(
        connectMilvus(environment(port, { ...right, ...keys }), { connectTimeoutMs: 3_000 }),
      ).rejects.toMatchObject({ name: "MilvusUnreachable" });
    });
  }
});
