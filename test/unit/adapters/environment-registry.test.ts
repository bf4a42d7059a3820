import { randomUUID } from "node:crypto";
import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterEach, describe, expect, test } from "vitest";
import { environmentRegistry } from "../../../src/adapters/environment-registry.ts";
import { storeOpener } from "../../../src/adapters/store-opener.ts";
import { parseEnvironment } from "../../../src/core/environment/yaml.ts";
import { answer, beingDeleted, deletedAt, startSecretsManager } from "../../support/secrets-manager.ts";

const prefix = "milvus-backup/stack/environments/";
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function secretsManager(instead?: Parameters<typeof startSecretsManager>[0]) {
  const world = await startSecretsManager(instead);
  open.push(world);
  return { ...world, registry: environmentRegistry({ prefix, client: world.client }) };
}

function environment(values: Readonly<Record<string, string>> = {}) {
  return parseEnvironment("", {
    name: "prod",
    fileName: "f",
    overrides: { "minio.bucketName": "bucket-a", ...values },
  });
}
const other = environment({ "minio.bucketName": "bucket-b", "minio.secretAccessKey": "other-s3cret" });

describe("registering", () => {
  test("makes a secret with the deployment's key, and with Secrets Manager's own where there is none", async () => {
    const keyArn = "arn:aws:kms:eu-central-1:111122223333:key/k";
    const made: unknown[] = [];
    const { client, registry } = await secretsManager(({ action, Name, KmsKeyId }) => {
      if (action === "CreateSecret") made.push([Name, KmsKeyId]);
      return undefined;
    });

    await registry.put(environment());
    await environmentRegistry({ prefix, client, keyArn }).put({ ...environment(), name: "dr" });

    expect(made).toEqual([
      [`${prefix}prod`, undefined],
      [`${prefix}dr`, keyArn],
    ]);
  });

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

describe("an environment that was removed", () => {
  const name = `${prefix}prod`;

  test("can be brought back for 7 days with the version that it had, and is in no list meanwhile", async () => {
    const { registry } = await secretsManager();
    await registry.put(environment());
    await registry.put({ ...other, name: "dr" });
    const { version } = await registry.get("prod");

    expect(await registry.delete("prod")).toEqual(new Date((deletedAt + 7 * 86_400) * 1000));

    expect(await registry.list()).toEqual(["dr"]);
    await expect(registry.get("staging")).rejects.toThrow(/registered are: dr\. Register/);
    for (const asked of [registry.get("prod"), registry.delete("prod")]) {
      await expect(asked).rejects.toMatchObject({
        name: "UnknownEnvironment",
        message: expect.stringMatching(
          /not registered any more: .* milvus-backup env restore prod, or register another/,
        ),
      });
    }
    await expect(registry.get("prod", { version })).rejects.toMatchObject({
      name: "EnvironmentChanged",
      message: expect.stringContaining("was removed"),
    });
    expect(await registry.getVersion("prod", version)).toBeUndefined();
    expect(await registry.compare(environment())).toEqual({ registered: "nothing" });

    expect(await registry.restore("prod")).toBe("restored");
    expect(await registry.get("prod", { version })).toMatchObject({ version });
    expect(await registry.restore("prod")).toBe("unchanged");
    await expect(registry.restore("staging")).rejects.toMatchObject({ name: "UnknownEnvironment" });
  });

  test("is gone at once where it is forced, also afterwards", async () => {
    const { registry, secrets } = await secretsManager();
    await registry.put(environment());
    expect(await registry.delete("prod", { force: true })).toBeUndefined();
    expect(secrets.size).toBe(0);

    await registry.put(environment());
    await registry.delete("prod");
    await registry.delete("prod", { force: true });
    expect(secrets.size).toBe(0);
    await expect(registry.restore("prod")).rejects.toThrow(/not registered; none is registered yet/);
    await expect(registry.delete("prod", { force: true })).rejects.toMatchObject({ name: "UnknownEnvironment" });
  });

  test("gives its name to the same content and to other content, also where it was protected", async () => {
    const { registry, secrets } = await secretsManager();
    await registry.put(environment({ "backup.protected": "true" }));
    await expect(registry.delete("prod")).rejects.toMatchObject({ name: "EnvironmentProtected" });
    await registry.delete("prod", { confirm: "prod" });

    expect(await registry.put(environment({ "backup.protected": "true" }))).toBe("created");
    expect(secrets.get(name)).toHaveLength(1);

    await registry.delete("prod", { confirm: "prod" });
    expect(await registry.put(other)).toBe("created");
    expect((await registry.get("prod")).storage.bucket).toBe("bucket-b");
    // and once more, with what it had before
    await registry.delete("prod");
    expect(await registry.put(environment())).toBe("created");
    expect((await registry.get("prod")).storage.bucket).toBe("bucket-a");
  });

  /** Somebody else's registry, before one of whose requests something happens. */
  const interrupted = (client: SecretsManagerClient, request: string, happens: () => Promise<unknown>) =>
    environmentRegistry({
      prefix,
      client: {
        async send(command: { readonly constructor: { readonly name: string } }) {
          if (command.constructor.name === request) await happens();
          return client.send(command as never);
        },
      } as Pick<SecretsManagerClient, "send">,
    });
  const third = environment({ "minio.bucketName": "bucket-c" });

  test.each(["DescribeSecretCommand", "RestoreSecretCommand"])(
    "is registered by one of two at once, and the other one is told: before %s",
    async (request) => {
      const { registry, client } = await secretsManager();
      const outcomes: string[] = [];
      const slow = interrupted(client, request, async () => outcomes.push(await registry.put(other)));
      await registry.put(environment());
      await registry.delete("prod");

      expect(await slow.put(third)).toBe("refused");
      expect(outcomes).toEqual(["created"]);
      expect((await registry.get("prod")).storage.bucket).toBe("bucket-b");
    },
  );

  test.each(["RestoreSecretCommand", "PutSecretValueCommand"])(
    "is registered by one of two that both come to %s first",
    async (request) => {
      const { registry, client } = await secretsManager();
      await registry.put(environment());
      await registry.delete("prod");
      let waiting = 0;
      let go: () => void = () => {};
      const both = new Promise<void>((resolve) => {
        go = resolve;
      });
      const meet = async () => {
        waiting += 1;
        if (waiting === 2) go();
        await both;
      };
      const [one, two] = [other, third].map((each) => interrupted(client, request, meet).put(each));

      const outcomes = await Promise.all([one, two]);

      expect([...outcomes].sort()).toEqual(["created", "refused"]);
      expect((await registry.get("prod")).storage.bucket).toBe(outcomes[0] === "created" ? "bucket-b" : "bucket-c");
    },
  );

  test("is not replaced where somebody brought it back in between and meant it", async () => {
    let first = true;
    const { registry, removed } = await secretsManager(({ action }) => {
      if (action === "DescribeSecret" && first) {
        first = false;
        removed.delete(name);
      }
      return undefined;
    });
    await registry.put(environment());
    await registry.delete("prod");

    expect(await registry.put(other)).toBe("refused");
    expect((await registry.get("prod")).storage.bucket).toBe("bucket-a");
  });

  test("is removed again where the new content is not taken", async () => {
    const { registry, removed } = await secretsManager(({ action }) =>
      action === "PutSecretValue" ? answer("EncryptionFailure", "kms:GenerateDataKey") : undefined,
    );
    await registry.put(environment());
    await registry.delete("prod");

    await expect(registry.put(other)).rejects.toMatchObject({ name: "StoreAccessDenied" });

    expect(removed).toEqual(new Set([name]));
  });

  test("is what it was where a registration was killed in between: other content, refused without replace", async () => {
    const { registry, client } = await secretsManager();
    let killed = false;
    const killable = interrupted(
      {
        send: (command: never) => (killed ? Promise.reject(new Error("killed")) : client.send(command)),
      } as SecretsManagerClient,
      "PutSecretValueCommand",
      async () => {
        killed = true;
      },
    );
    await registry.put(environment());
    await registry.delete("prod");

    await expect(killable.put(other)).rejects.toThrow();

    expect((await registry.get("prod")).storage.bucket).toBe("bucket-a");
    expect(await registry.put(other)).toBe("refused");
    expect(await registry.put(other, { replace: true })).toBe("updated");
  });

  test("that comes to its end in between is registered anew", async () => {
    const { registry, secrets, removed } = await secretsManager(({ action }) => {
      if (action === "RestoreSecret") {
        secrets.delete(name);
        removed.delete(name);
      }
      return undefined;
    });
    await registry.put(environment());
    await registry.delete("prod");

    expect(await registry.put(other)).toBe("created");
    expect((await registry.get("prod")).storage.bucket).toBe("bucket-b");
  });

  test("whose name is not free yet ends with what to do, not in a loop", async () => {
    const { registry, asked } = await secretsManager(({ action }) =>
      action === "CreateSecret" ? beingDeleted : undefined,
    );

    await expect(registry.put(environment())).rejects.toMatchObject({
      name: "StoreFailed",
      message: expect.stringMatching(/marked for deletion: .*env restore.*wait a minute/),
    });
    expect(asked.filter((action) => action === "CreateSecret").length).toBe(5);
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
