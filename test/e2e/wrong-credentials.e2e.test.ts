import { MilvusClient, RbacObjects } from "@zilliz/milvus2-sdk-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { milvusService, minioService, stackInfo, startService, stopService } from "../../local/index.ts";
import { configs, milvusBackup } from "../support/e2e/cli.ts";
import { configFolder } from "../support/e2e/config-file.ts";
import { connectTo, connectToServer, dropCollections, must, until } from "../support/e2e/milvus.ts";
import { deletePrefix, getText, listKeys } from "../support/e2e/objects.ts";
import { seedSmall } from "../support/e2e/seeds.ts";

const config = configFolder();
const wrongSecret = "not-the-secret";

describe("a Milvus with users", async () => {
  const server = milvusService({
    name: "milvus-with-users",
    port: 19590,
    bucket: "bucket-a",
    rootPath: "with-users",
    overrides: { "common.security.authorizationEnabled": true },
  });
  const user = { username: "root", password: "Milvus" };

  beforeAll(async () => {
    await deletePrefix("bucket-a", "with-users/");
    await startService(server, { afresh: true });
    const client = await until("the first login", 30_000, () => connectTo(server.address, user).catch(() => undefined));
    await seedSmall(client, { collection: "users_coll" }, { rows: 5, loaded: false });
    await deletePrefix("bucket-b", "backup/users_");
  });

  afterAll(async () => {
    await stopService(server);
    await deletePrefix("bucket-a", "with-users/");
  });

  test("check names the calls that a user may not make: here all but two", async () => {
    const root = await connectTo(server.address, user);
    await root.createUser({ username: "looker", password: "Looker-1" });
    await root.createRole({ roleName: "looks" });
    for (const privilegeName of ["ShowCollections", "DescribeCollection"]) {
      const grant = { roleName: "looks", object: RbacObjects.Global, objectName: "*", privilegeName } as const;
      await root.grantRolePrivilege(grant);
    }
    await root.addUserToRole({ username: "looker", roleName: "looks" });
    const file = await config.derive("looker", configs.a, {
      "milvus.port": server.port,
      "milvus.user": "looker",
      "milvus.password": "Looker-1",
      "minio.rootPath": server.rootPath,
    });

    const { exitCode, stdout } = await milvusBackup("--config", file, "check");

    expect(exitCode).toBe(1);
    const [backup = "", restore = ""] = stdout.split("\n").filter((line) => line.startsWith("✗"));
    expect(backup).toMatch(/^✗ milvus backup +user "looker" may not call .*Flush.*: grant a role/);
    expect(backup).not.toMatch(/DescribeCollection,|ShowCollections,/);
    expect(restore).toMatch(/^✗ milvus restore .*CreateCollection.*Import/);
    expect(stdout).toMatch(
      /^✓ milvus rbac +only create --rbac and restore --rbac need it: user "looker" may not call SelectUser, SelectRole/m,
    );
    expect(stdout).not.toContain("Looker-1");

    const refused = await milvusBackup("--config", file, "create", "--replace", "-n", "users_denied", "--rbac");

    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toMatch(/MilvusUnauthenticated.*"looker"/);
    expect(refused.stderr).not.toContain("Looker-1");
    expect(await listKeys("bucket-b", "backup/users_denied/")).toEqual([]);
  });

  test.each([
    { what: "a wrong password", credentials: { "milvus.user": "root", "milvus.password": wrongSecret } },
    { what: "no user", credentials: {} },
  ])("refuses $what: the message names the address and never the secret", async ({ what, credentials }) => {
    const name = what.replaceAll(" ", "-");
    const file = await config.derive(name, configs.a, { "milvus.port": server.port, ...credentials });

    const run = await milvusBackup("--config", file, "create", "--replace", "-c", "users_coll", "-n", "users_refused");

    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toMatch(/MilvusUnauthenticated.*127\.0\.0\.1:19590/);
    expect(run.stderr).not.toContain(wrongSecret);
    expect(await listKeys("bucket-b", "backup/users_refused/")).toEqual([]);
  });

  test("lets the right ones in", async () => {
    const file = await config.derive("right-password", configs.a, {
      "milvus.port": server.port,
      "milvus.user": user.username,
      "milvus.password": user.password,
      "minio.rootPath": server.rootPath,
    });

    const words = ["create", "--replace", "-c", "users_coll", "-n", "users_accepted", "--rbac"];
    const run = await milvusBackup("--config", file, ...words);

    expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("Backup users_accepted is complete.") });
    expect(run.stdout).toMatch(/^ +rbac +1 user, 1 role, 2 grants$/m);
    expect(run.stderr).toContain("the users (1) are in the backup with their roles and without their passwords");
    const meta = await getText("bucket-b", "backup/users_accepted/meta/full_meta.json");
    expect(meta).toContain(
      '"rbac_meta":{"users":[{"user":"looker","roles":[{"name":"looks"}]}],"roles":[{"name":"looks"}]',
    );
  });

  test("brings roles and grants into another Milvus, and their roles to users that were made there; twice is harmless", async () => {
    const server = (await stackInfo()).milvus.find(({ name }) => name === "milvus-b");
    // revoking wants a name, also where nobody checks it
    const b = new MilvusClient({ address: server?.address ?? "", ...user, logLevel: "warn" });
    await b.connectPromise;
    const into = await config.derive("users-into-b", configs.b, {
      "milvus.user": user.username,
      "milvus.password": user.password,
    });
    const restore = (suffix: string) =>
      milvusBackup("--config", into, "restore", "--replace", "-n", "users_accepted", "-s", suffix, "--rbac");
    const clean = async () => {
      await dropCollections(b, "users_coll");
      for (const grant of await grantsOf("looks")) await b.revokeRolePrivilege(grant);
      await b.dropRole({ roleName: "looks" });
      await b.deleteUser({ username: "looker" });
    };
    const grantsOf = async (roleName: string) =>
      ((await b.listGrants({ roleName, db_name: "default" })).entities ?? []).map(
        ({ object, object_name, grantor }) => ({
          roleName,
          object: object.name as RbacObjects,
          objectName: object_name,
          privilegeName: grantor.privilege.name,
          db_name: "default",
        }),
      );
    await clean();
    try {
      const first = await restore("_1");
      expect(first).toMatchObject({ exitCode: 0 });
      expect(first.stdout).toMatch(/^ +rbac +1 role, 2 grants restored; 1 user left out$/m);
      expect(first.stderr).toMatch(/user looker was not made.*the roles looks/);
      expect((await grantsOf("looks")).map(({ privilegeName }) => privilegeName).sort()).toEqual([
        "DescribeCollection",
        "ShowCollections",
      ]);

      await must(b.createUser({ username: "looker", password: "Another-1" }));
      const again = await restore("_2");

      expect(again.stdout).toMatch(/^ +rbac +1 user, 1 role, 2 grants there already$/m);
      const { results } = await b.describeUser({ username: "looker", includeRoleInfo: true });
      expect(results.map(({ roles }) => roles.map(({ name }) => name))).toEqual([["looks"]]);
      expect(first.stdout + again.stderr + again.stdout).not.toMatch(/Looker-1|Another-1/);
    } finally {
      await clean();
      await b.closeConnection();
    }
  });
});

describe("an object store with keys of its own", async () => {
  const store = minioService({
    name: "minio-locked",
    port: 9700,
    accessKey: "the-access-key",
    secretKey: "the-secret-key",
    buckets: ["locked"],
  });
  const a = await connectToServer("milvus-a");

  beforeAll(async () => {
    // The first run of all builds MinIO.
    await startService(store, { afresh: true });
    await dropCollections(a, "locked_coll");
    await seedSmall(a, { collection: "locked_coll" }, { rows: 1, index: false });
  }, 600_000);

  afterAll(() => stopService(store));

  test.each([
    { what: "secret", keys: { backupAccessKeyID: store.accessKeyId, backupSecretAccessKey: wrongSecret } },
    { what: "access key", keys: { backupAccessKeyID: "nobody", backupSecretAccessKey: wrongSecret } },
  ])("refuses a wrong $what: the message names bucket and address, never the secret", async ({ what, keys }) => {
    const file = await config.derive(`wrong-${what.replace(" ", "-")}`, configs.a, {
      "minio.backupPort": store.port,
      "minio.backupBucketName": "locked",
      "minio.backupAccessKeyID": keys.backupAccessKeyID,
      "minio.backupSecretAccessKey": keys.backupSecretAccessKey,
    });

    const run = await milvusBackup("--config", file, "create", "--replace", "-c", "locked_coll", "-n", "locked");

    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toMatch(/StoreAccessDenied.*127\.0\.0\.1:9700/);
    expect(run.stderr).not.toContain(wrongSecret);
  });

  test("of the Milvus's own store are told apart from those of the backups", async () => {
    const file = await config.derive("wrong-milvus-store", configs.b, {
      "minio.port": store.port,
      "minio.bucketName": "locked",
      "minio.secretAccessKey": wrongSecret,
    });

    const run = await milvusBackup("--config", file, "restore", "--replace", "-n", "anything");

    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toMatch(/StoreAccessDenied.*locked at 127\.0\.0\.1:9700/);
  });

  test.each([
    {
      what: "right",
      secret: store.secretAccessKey,
      exitCode: 0,
      told: /^✓ copy to backups +from bucket-a to locked$/m,
    },
    { what: "wrong", secret: wrongSecret, exitCode: 1, told: /^✗ backup bucket .*the secret key does not belong to/m },
  ])(
    "the deployed functions find by check that the secret is $what, of Milvus and of both stores",
    async ({ what, secret, exitCode, told }) => {
      const file = await config.derive(`functions-${what}`, configs.a, {
        "minio.backupPort": store.port,
        "minio.backupBucketName": "locked",
        "minio.backupAccessKeyID": store.accessKeyId,
        "minio.backupSecretAccessKey": secret,
      });
      await milvusBackup("--config", file, "env", "set", `functions-${what}`, "--replace");

      const run = await milvusBackup("--config", file, "check", "--deployed");

      expect(run).toMatchObject({ exitCode });
      expect(run.stdout).toMatch(/^✓ milvus restore .*Import/m);
      expect(run.stdout).toMatch(told);
      expect(run.stdout + run.stderr).not.toContain(secret);
      expect(await listKeys("bucket-a", "milvus-backup-staging/milvus-backup-check-")).toEqual([]);
    },
  );
});
