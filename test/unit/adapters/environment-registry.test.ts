import { randomUUID } from "node:crypto";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterEach, describe, expect, test } from "vitest";
import { environmentRegistry } from "../../../src/adapters/environment-registry.ts";
import { storeOpener } from "../../../src/adapters/store-opener.ts";
import { parseEnvironment } from "../../../src/core/environment/yaml.ts";
import { type HttpAnswer, startAnswering } from "../../support/http-answers.ts";

const prefix = "milvus-backup/stack/environments/";
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

interface Asked {
  readonly action: string;
  readonly SecretId?: string;
  readonly Name?: string;
  readonly VersionId?: string;
  readonly SecretString?: string;
}

/** Secrets Manager's wire shapes: JSON 1.1, the action in a header; a secret keeps its current version and the one before. */
async function secretsManager(instead?: (asked: Asked) => HttpAnswer | undefined) {
  const secrets = new Map<string, { VersionId: string; SecretString: string }[]>();
  const json = (status: number, body: object): HttpAnswer => ({
    status,
    headers: { "content-type": "application/x-amz-json-1.1" },
    body: JSON.stringify(body),
  });
  const notFound = () => json(400, { __type: "ResourceNotFoundException", Message: "can't find the specified secret" });
  const asked: string[] = [];
  const server = await startAnswering(({ headers, body }) => {
    const action = String(headers["x-amz-target"]).replace("secretsmanager.", "");
    const request = { action, ...(JSON.parse(body) as object) } as Asked;
    const name = request.SecretId ?? request.Name ?? "";
    asked.push(`${action} ${request.VersionId === undefined ? "" : "by version"}`.trim());
    const other = instead?.(request);
    if (other !== undefined) return other;
    const versions = secrets.get(name);
    const stored = { VersionId: randomUUID(), SecretString: request.SecretString ?? "" };
    switch (action) {
      case "GetSecretValue": {
        const found = request.VersionId ? versions?.find((it) => it.VersionId === request.VersionId) : versions?.at(-1);
        return found ? json(200, found) : notFound();
      }
      case "CreateSecret":
        if (versions) return json(400, { __type: "ResourceExistsException", Message: "exists already" });
        secrets.set(name, [stored]);
        return json(200, {});
      case "PutSecretValue":
        if (!versions) return notFound();
        secrets.set(name, [...versions.slice(-1), stored]);
        return json(200, {});
      case "DeleteSecret":
        secrets.delete(name);
        return json(200, {});
      case "ListSecrets":
        return json(200, { SecretList: [...secrets.keys()].map((Name) => ({ Name })) });
      default:
        throw new Error(`${action} is not asked for`);
    }
  });
  open.push(server);
  const client = new SecretsManagerClient({
    endpoint: server.url,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    maxAttempts: 1,
  });
  return { secrets, asked, client, registry: environmentRegistry({ prefix, client }) };
}

const answer = (type: string, message: string, status = 400): HttpAnswer => ({
  status,
  headers: { "content-type": "application/x-amz-json-1.1" },
  body: JSON.stringify({ __type: type, Message: message }),
});

function environment(values: Readonly<Record<string, string>> = {}) {
  return parseEnvironment("", {
    name: "prod",
    fileName: "f",
    overrides: { "minio.bucketName": "bucket-a", ...values },
  });
}
const other = environment({ "minio.bucketName": "bucket-b", "minio.secretAccessKey": "other-s3cret" });

describe("registering", () => {
  test("equal content again makes no new version, other content is refused unless it is to replace", async () => {
    const { registry, secrets } = await secretsManager();
    const versions = () => secrets.get(`${prefix}prod`)?.length;

    expect(await registry.put(environment())).toBe("created");
    expect(await registry.put(environment())).toBe("unchanged");
    expect(await registry.put(environment(), { replace: true })).toBe("unchanged");
    expect(await registry.put(other)).toBe("refused");
    expect(versions()).toBe(1);
    expect((await registry.get("prod")).storage.bucket).toBe("bucket-a");

    expect(await registry.put(other, { replace: true })).toBe("updated");
    expect(versions()).toBe(2);
    expect((await registry.get("prod")).storage.bucket).toBe("bucket-b");
  });

  test("what an earlier version of the pipeline registered without a key that has a default is the same", async () => {
    const { registry, secrets } = await secretsManager();
    const { copyMode: _, ...earlier } = environment();
    secrets.set(`${prefix}prod`, [{ VersionId: "v1", SecretString: JSON.stringify(earlier) }]);

    expect(await registry.compare(environment())).toEqual({ registered: "same" });
    expect(await registry.put(environment())).toBe("unchanged");
  });

  test("what somebody changed by hand into something else is replaced only where that is asked for", async () => {
    const { registry, secrets } = await secretsManager();
    secrets.set(`${prefix}prod`, [{ VersionId: "v1", SecretString: "by hand" }]);

    expect(await registry.compare(environment())).toEqual({ registered: "other", changes: [] });
    expect(await registry.put(environment())).toBe("refused");
    expect(await registry.put(environment(), { replace: true })).toBe("updated");
  });

  test("of two at once one registers, and the other one is told", async () => {
    const second = await secretsManager();
    let first = true;
    const { secrets, registry } = await secretsManager(({ action }) => {
      if (action === "CreateSecret" && first) {
        first = false;
        secrets.set(`${prefix}prod`, second.secrets.get(`${prefix}prod`) ?? []);
      }
      return undefined;
    });
    await second.registry.put(other);

    expect(await registry.put(environment())).toBe("refused");
    expect((await registry.get("prod")).storage.bucket).toBe("bucket-b");
  });
});

describe("a pinned environment", () => {
  test("is answered from memory for a while; what is registered now is always asked for", async () => {
    const { registry, asked } = await secretsManager();
    await registry.put(environment());
    const { version } = await registry.get("prod");
    asked.length = 0;

    await registry.get("prod", { version });
    await registry.get("prod", { version });
    expect(asked).toEqual([]);
    await registry.get("prod");
    expect(asked).toEqual(["GetSecretValue"]);
  });

  test("that another container replaced is found out, with the names of what changed", async () => {
    const { registry, client } = await secretsManager();
    const container = environmentRegistry({ prefix, client, cacheMilliseconds: 0 });
    await registry.put(environment());
    const { version } = await container.get("prod");
    await registry.put(other, { replace: true });

    const error = await container.get("prod", { version }).catch((thrown: Error) => thrown);

    expect(error).toMatchObject({ name: "EnvironmentChanged", kind: "permanent" });
    expect(String(error)).toContain("minio.bucketName (bucket-a, now bucket-b), minio.secretAccessKey");
    expect(String(error)).not.toContain("s3cret");
    // the registration it was is there for whoever has something to give back
    expect((await container.getVersion("prod", version))?.storage.bucket).toBe("bucket-a");
    expect(await container.getVersion("prod", randomUUID())).toBeUndefined();
  });

  test("is not mistaken for a changed one by what a warm container still has in memory", async () => {
    const { registry, client } = await secretsManager();
    const warm = environmentRegistry({ prefix, client, cacheMilliseconds: 60_000 });
    await registry.put(environment());
    await warm.get("prod");
    await registry.put(other, { replace: true });
    const { version } = await registry.get("prod");

    expect((await warm.get("prod", { version })).storage.bucket).toBe("bucket-b");
    expect((await warm.get("prod")).storage.bucket).toBe("bucket-b");
  });

  test("is still the same where another version has the same content", async () => {
    const { registry, secrets } = await secretsManager();
    await registry.put(environment());
    const { version } = await registry.get("prod");
    const [kept] = secrets.get(`${prefix}prod`) ?? [];
    secrets.set(`${prefix}prod`, [kept, { ...kept, VersionId: "later" }] as {
      VersionId: string;
      SecretString: string;
    }[]);
    const container = await registry.get("prod");
    expect(container.version).toBe("later");

    expect(await registry.get("prod", { version })).toMatchObject({ version });
  });

  test("whose version is kept no more is compared by its settings; secrets are not there to compare", async () => {
    const { registry } = await secretsManager();
    await registry.put(other);
    const settings = environment();

    const error = await registry.get("prod", { version: "gone", settings }).catch((thrown: Error) => thrown);

    expect(String(error)).toContain("minio.bucketName (bucket-a, now bucket-b)");
  });

  test("that was removed is told as such, also where names may not be listed", async () => {
    const { registry } = await secretsManager(({ action }) =>
      action === "ListSecrets" ? answer("AccessDeniedException", "not authorized") : undefined,
    );

    await expect(registry.get("prod", { version: "v" })).rejects.toMatchObject({
      name: "EnvironmentChanged",
      message: expect.stringContaining("was removed"),
    });
    await expect(registry.get("prod")).rejects.toMatchObject({
      name: "UnknownEnvironment",
      message: expect.stringMatching(/^environment "prod" is not registered\. Register it with/),
    });
  });

  test("opens its stores only as long as it is registered, unless to give back what was taken", async () => {
    const { registry } = await secretsManager();
    await registry.put(environment());
    const { version } = await registry.get("prod");
    await registry.put(other, { replace: true });
    const openStore = storeOpener(registry);
    const ref = { environment: "prod", side: "milvus", version } as const;

    await expect(openStore(ref)).rejects.toMatchObject({ name: "EnvironmentChanged" });
    expect((await openStore(ref, { earlier: true })).label).toContain("bucket-a");
    expect((await openStore({ environment: "prod", side: "milvus" })).label).toContain("bucket-b");
  });
});

describe("faults of Secrets Manager", () => {
  test.each([
    [
      "throttling",
      answer("ThrottlingException", "Rate exceeded"),
      "StoreBusy",
      "transient",
      /busy \(ThrottlingException\)/,
    ],
    ["its own fault", answer("InternalServiceError", "oops", 500), "StoreBusy", "transient", /InternalServiceError/],
    [
      "a missing grant",
      answer("AccessDeniedException", "User: x is not authorized to perform: secretsmanager:GetSecretValue"),
      "StoreAccessDenied",
      "permanent",
      /grant it/,
    ],
    ["a key that may not be used", answer("DecryptionFailure", "no"), "StoreAccessDenied", "permanent", /kms:Decrypt/],
    ["unknown credentials", answer("UnrecognizedClientException", "no"), "StoreAccessDenied", "permanent", /renew/],
    ["expired credentials", answer("ExpiredTokenException", "no"), "StoreAccessDenied", "permanent", /renew/],
    [
      "a secret that somebody deleted with a recovery window",
      answer(
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
      ),
      "StoreFailed",
      "permanent",
      /restore-secret/,
    ],
    ["anything else", answer("InvalidParameterException", "bad"), "StoreFailed", "permanent", /bad/],
  ])("%s", async (_, given, name, kind, message) => {
    const { registry } = await secretsManager(({ action }) => (action === "GetSecretValue" ? given : undefined));

    const error = await registry.get("prod").catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ name, kind, message: expect.stringMatching(message) });
    expect(error).toMatchObject({ message: expect.stringContaining("milvus-backup/stack/environments/prod") });
    expect(error).toMatchObject({ details: { action: "secretsmanager:GetSecretValue" } });
  });

  test("nobody listens", async () => {
    const { registry } = await secretsManager();
    for (const one of open.splice(0)) await one.close();

    await expect(registry.get("prod")).rejects.toMatchObject({
      name: "StoreUnreachable",
      message: expect.stringContaining("environments/prod"),
    });
  });
});
