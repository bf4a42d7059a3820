import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openEnvironmentStore } from "../../../../src/adapters/store-opener.ts";
import { parseStoredEnvironment, serializeEnvironment } from "../../../../src/core/environment/json.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";
import { certificateAuthority } from "../../../support/certificates.ts";
import { startAnswering } from "../../../support/http-answers.ts";

const authority = certificateAuthority("the company's authority");
const stranger = certificateAuthority("somebody else's authority");
const files: Readonly<Record<string, string>> = { "ca.pem": authority.cert, "stranger.pem": stranger.cert };
const emptyList =
  "<ListBucketResult><Name>b</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>";

let secure: Awaited<ReturnType<typeof startAnswering>>;
let plain: Awaited<ReturnType<typeof startAnswering>>;

beforeEach(async () => {
  const list = () => ({ status: 200, body: emptyList });
  secure = await startAnswering(list, authority.issue("store", ["127.0.0.1"]));
  plain = await startAnswering(list);
});
afterEach(async () => {
  await Promise.all([secure.close(), plain.close()]);
});

/** An environment as a Lambda gets it: read from backup.yaml, kept as a secret, read again. */
function environment(keys: Readonly<Record<string, string | number | boolean>>) {
  const lines = Object.entries(keys).map(([key, value]) => `  ${key}: ${value}\n`);
  const readFile = (path: string) => files[path] ?? "";
  const yaml = `minio:\n  address: 127.0.0.1\n${lines.join("")}`;
  return parseStoredEnvironment(
    serializeEnvironment(parseEnvironment(yaml, { name: "tls", fileName: "backup.yaml", readFile })),
    "tls",
  );
}

describe("a store with TLS", () => {
  test("is used where the authority is the one of the environment", async () => {
    const store = await openEnvironmentStore(
      environment({ port: secure.port, useSSL: true, caCertPath: "ca.pem" }),
      "milvus",
    );

    await store.checkAccess();

    expect(secure.seen).toHaveLength(1);
  });

  test("has the authority of Milvus's store for the backups too, unless they have one of their own", async () => {
    const shared = environment({ port: secure.port, useSSL: true, caCertPath: "ca.pem" });
    const own = environment({
      port: secure.port,
      useSSL: true,
      caCertPath: "ca.pem",
      backupCaCertPath: "stranger.pem",
    });

    await expect((await openEnvironmentStore(shared, "backup")).checkAccess()).resolves.toBeUndefined();
    await expect((await openEnvironmentStore(own, "backup")).checkAccess()).rejects.toMatchObject({
      name: "StoreUnreachable",
    });
  });

  test.each([
    ["an unknown authority", { useSSL: true }],
    ["another authority than the environment's", { useSSL: true, caCertPath: "stranger.pem" }],
  ])("is not used with %s: the keys to change are named", async (_, keys) => {
    const store = await openEnvironmentStore(environment({ port: secure.port, ...keys }), "milvus");

    await expect(store.checkAccess()).rejects.toMatchObject({
      name: "StoreUnreachable",
      message: expect.stringMatching(/no TLS connection to the object store at 127\.0\.0\.1:\d+ .*useSSL.*caCertPath/),
    });
    expect(secure.seen).toEqual([]);
  });

  test("asked in plain HTTP, does not get the request", async () => {
    const store = await openEnvironmentStore(environment({ port: secure.port, useSSL: false }), "milvus");

    await expect(store.checkAccess()).rejects.toThrow(`127.0.0.1:${secure.port}`);
    expect(secure.seen).toEqual([]);
  });
});

test("a store without TLS, asked with it, says so", async () => {
  const store = await openEnvironmentStore(environment({ port: plain.port, useSSL: true }), "milvus");

  await expect(store.checkAccess()).rejects.toMatchObject({
    name: "StoreUnreachable",
    message: expect.stringContaining("check useSSL"),
  });
});
