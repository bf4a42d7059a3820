import { beforeAll, describe, expect, test } from "vitest";
import { type CliRun, configs, milvusBackup } from "../support/e2e/cli.ts";
import { configFolder } from "../support/e2e/config-file.ts";
import { collectionNames, connectToServer, dropCollections } from "../support/e2e/milvus.ts";
import { type Edit, listKeys, uploadGolden } from "../support/e2e/objects.ts";
import { seedSmall } from "../support/e2e/seeds.ts";

const config = configFolder();
/** No server listens there, on any machine: tcpmux. */
const nobody = 1;

describe("bad input to create", async () => {
  const a = await connectToServer("milvus-a");

  beforeAll(async () => {
    await dropCollections(a, "bad_");
    await seedSmall(a, { collection: "bad_coll" }, { rows: 1, index: false });
    await uploadGolden("bad_exists", (path, content) => (path.startsWith("meta/") ? content : undefined));
  });

  /** Runs create, which has to fail without a trace in the backup bucket. */
  async function failing(name: string, ...options: readonly string[]): Promise<CliRun> {
    const run = await milvusBackup("create", "--replace", "-n", name, ...options);
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(await listKeys("bucket-b", `backup/${name}/`)).toEqual([]);
    return run;
  }

  test("a collection that does not exist is named", async () => {
    const run = await failing("bad_missing", "--config", configs.a, "-c", "bad_coll,bad_nowhere,shop2.bad_nothing");

    expect(run.stderr).toMatch(/CollectionNotFound/);
    expect(run.stderr).toContain("there is no collection default.bad_nowhere, shop2.bad_nothing");
  });

  test("a backup name that exists already is refused, and the backup stays as it is", async () => {
    const before = await listKeys("bucket-b", "backup/bad_exists/");

    const run = await milvusBackup("--config", configs.a, "create", "-n", "bad_exists", "-c", "bad_coll");

    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(/BackupExists.*backup bad_exists exists already in bucket-b/);
    expect(await listKeys("bucket-b", "backup/bad_exists/")).toEqual(before);
  });

  test.each(["bad name", "bad/name", "bäd", "..", "bad;name"])(
    "a name like %j is refused before anything starts",
    async (name) => {
      const run = await milvusBackup("--config", configs.a, "create", "-n", name, "-c", "bad_coll");

      expect(run.exitCode).toBe(1);
      expect(run.stderr).toContain(
        `backupName ${JSON.stringify(name)} is not valid: use 1 to 100 characters of [A-Za-z0-9_.-]`,
      );
      expect(run.stderr).not.toContain("Execution:");
    },
  );

  test("an unreachable Milvus is named with its address", async () => {
    const file = await config.derive("bad-milvus-port", configs.a, { "milvus.port": nobody });

    const run = await failing("bad_milvus", "--config", file, "-c", "bad_coll");

    expect(run.stderr).toMatch(/MilvusUnreachable.*127\.0\.0\.1:1\b/);
  });

  test.each([
    { what: "store", values: { "minio.port": nobody } },
    { what: "store of backups", values: { "minio.backupPort": nobody } },
  ])("an unreachable $what is named with its address", async ({ values }) => {
    const file = await config.derive(`bad-${Object.keys(values)[0]?.replace(".", "-")}`, configs.a, values);

    const run = await failing("bad_store", "--config", file, "-c", "bad_coll");

    expect(run.stderr).toMatch(/StoreUnreachable.*127\.0\.0\.1:1\b/);
  });

  test.each([
    { key: "minio.bucketName", bucket: "no-such-bucket" },
    { key: "minio.backupBucketName", bucket: "no-such-backup-bucket" },
  ])("a bucket that does not exist is named ($key)", async ({ key, bucket }) => {
    const file = await config.derive(`bad-${key.replace(".", "-")}`, configs.a, { [key]: bucket });

    const run = await failing("bad_bucket", "--config", file, "-c", "bad_coll");

    expect(run.stderr).toMatch(new RegExp(`BucketNotFound.*bucket ${bucket} does not exist at 127\\.0\\.0\\.1:4566`));
  });
});

describe("a backup.yaml that is wrong is told with file, line and key", () => {
  test.each([
    {
      what: "an unknown key",
      text: "milvus:\n  adress: 127.0.0.1\n",
      says: /unknown-key\.yaml:2: milvus\.adress is not a known key; did you mean milvus\.address\?/,
      name: "unknown-key",
    },
    {
      what: "a wrong type",
      text: "milvus:\n  address: a\n  port: nineteen\n",
      says: /wrong-type\.yaml:3: milvus\.port .*"nineteen"/,
      name: "wrong-type",
    },
    {
      what: "a syntax error",
      text: "milvus:\n  address: a\nminio:\n  bucketName: 'open\n",
      says: /syntax\.yaml:4: bucketName is not valid YAML/,
      name: "syntax",
    },
    {
      what: "a list where a value belongs",
      text: "minio:\n  bucketName: [a, b]\n",
      says: /list\.yaml:2: minio\.bucketName/,
      name: "list",
    },
    {
      what: "a storage type that is not supported",
      text: "minio:\n  storageType: local\n",
      says: /local\.yaml:2: minio\.storageType.*no Lambda reaches/,
      name: "local",
    },
  ])("$what", async ({ text, says, name }) => {
    const file = await config.write(name, text);

    const run = await milvusBackup("--config", file, "create", "-n", "bad_yaml");

    expect(run).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringMatching(says) });
    expect(run.stderr).not.toContain("Execution:");
  });

  test("a file that is not there", async () => {
    const run = await milvusBackup("--config", "nowhere/backup.yaml", "list");

    expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("there is no file nowhere/backup.yaml") });
  });

  test("a stack that is not deployed", async () => {
    const run = await milvusBackup("--config", configs.a, "--stack", "NoSuchStack", "create", "-n", "bad_stack");

    expect(run).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("there is no CloudFormation stack NoSuchStack"),
    });
  });
});

describe.concurrent("bad input to restore", async () => {
  const b = await connectToServer("milvus-b");
  /** The smallest collection of the golden backup: one segment of 50 rows. */
  const collection = "shop.auto_ids";
  const collectionId = "470615367219551046";

  beforeAll(async () => {
    await dropCollections(b, "auto_ids_bad");
    await dropCollections(b, "empty_bad");
  });

  const ofCollection: Edit = (path, content) =>
    path.startsWith("meta/") || path.includes(`/${collectionId}/`) ? content : undefined;
  /** Changes only one meta file; the full one where none is named. */
  const editMeta =
    (change: (text: string) => string, file = "full_meta"): Edit =>
    (path, content) =>
      path === `meta/${file}.json` ? change(content.toString("utf8")) : ofCollection(path, content);
  const withoutLevelFiles =
    (edit: Edit): Edit =>
    (path, content) =>
      path.startsWith("meta/") && path !== "meta/full_meta.json" ? undefined : edit(path, content);

  test.for([
    {
      name: "bad_truncated",
      what: "a truncated full_meta.json is an error, though the level files are there",
      edit: editMeta((text) => text.slice(0, text.length / 2)),
      says: /CorruptBackup.*full_meta\.json.*line 1/,
    },
    {
      name: "bad_json",
      what: "a full_meta.json that is no JSON",
      edit: withoutLevelFiles(editMeta(() => "<html>504</html>")),
      says: /CorruptBackup.*full_meta\.json/,
    },
    {
      name: "bad_type",
      what: "an ID that is text",
      edit: editMeta((text) => text.replace(`"collection_id":${collectionId}`, `"collection_id":"${collectionId}"`)),
      says: /CorruptBackup.*full_meta\.json.*collection_id/,
    },
    {
      name: "bad_level",
      what: "a truncated level file where full_meta.json is missing",
      edit: ((path, content) =>
        path === "meta/full_meta.json"
          ? undefined
          : editMeta((text) => text.slice(0, -5), "segment_meta")(path, content)) as Edit,
      says: /CorruptBackup.*segment_meta\.json/,
    },
    {
      name: "bad_segment",
      what: "a segment whose directory is missing",
      edit: ((path, content) => (path.startsWith("meta/") ? content : undefined)) as Edit,
      says: /CorruptBackup.*segment 470615367219551055.*is missing.*Nothing was changed in Milvus/,
    },
    {
      name: "bad_object",
      what: "a segment with one object too few",
      edit: ((path, content) =>
        path.endsWith("/102/470615367219351066") ? undefined : ofCollection(path, content)) as Edit,
      says: /CorruptBackup.*segment 470615367219551055.*102\/470615367219351066 is missing/,
    },
    {
      name: "bad_size",
      what: "an object of another size",
      edit: ((path, content) =>
        path.endsWith("/102/470615367219351066") ? content.subarray(1) : ofCollection(path, content)) as Edit,
      says: /CorruptBackup.*segment 470615367219551055.*102\/470615367219351066 has \d+ bytes instead of \d+/,
    },
    {
      name: "bad_newer",
      what: "a backup from a newer Milvus",
      edit: editMeta((text) => text.replace(/"milvus_version":"[^"]*"/, '"milvus_version":"v2.6.1"')),
      says: /UnsupportedByTarget.*Milvus v2\.6\.1.*newer than the target's v2\.3\.5/,
    },
    {
      name: "bad_field",
      what: "a field type that the target does not know",
      edit: editMeta((text) => text.replaceAll('"name":"vec","data_type":101', '"name":"vec","data_type":104')),
      says: /UnsupportedByTarget.*field vec of type SparseFloatVector needs Milvus 2\.4\.0/,
    },
  ])("$what", async ({ name, edit, says }, { expect }) => {
    await uploadGolden(name, edit);
    const before = await listKeys("bucket-b", `backup/${name}/`);

    const run = await milvusBackup("--config", configs.b, "restore", "-n", name, "-c", collection, "-s", `_${name}`);

    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toMatch(says);
    expect(await collectionNames(b, `auto_ids_${name}`)).toEqual([]);
    expect(await listKeys("bucket-b", `backup/${name}/`)).toEqual(before);
  });

  test("a backup that does not exist", async ({ expect }) => {
    const run = await milvusBackup("--config", configs.b, "restore", "-n", "bad_nowhere", "-s", "_bad");

    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(/BackupNotFound.*there is no backup bad_nowhere in bucket-b/);
  });

  test("a collection that the backup does not hold, and a rename of one that is not restored", async ({ expect }) => {
    await uploadGolden("bad_selection", (path, content) => (path.startsWith("meta/") ? content : undefined));
    const restore = (...options: string[]) =>
      milvusBackup("--config", configs.b, "restore", "-n", "bad_selection", "-s", "_bad_selection", ...options);

    const missing = await restore("-c", "nothing_like_it");
    const renamed = await restore("-c", "empty", "-r", "all_types:other");

    expect(missing).toMatchObject({ exitCode: 1 });
    expect(missing.stderr).toMatch(
      /CollectionNotFound.*there is no collection default\.nothing_like_it in backup bad_selection/,
    );
    expect(renamed).toMatchObject({ exitCode: 1 });
    expect(renamed.stderr).toMatch(/InvalidInput.*default\.all_types is not among the collections to restore/);
    expect(await collectionNames(b, "empty_bad_selection")).toEqual([]);
  });

  test("a target that exists already is named, and stays as it is", async ({ expect }) => {
    await uploadGolden("bad_target", (path, content) => (path.startsWith("meta/") ? content : undefined));
    await seedSmall(b, { collection: "empty_bad_target" }, { segments: 0, index: false });

    const run = await milvusBackup(
      "--config",
      configs.b,
      "restore",
      "-n",
      "bad_target",
      "-c",
      "empty",
      "-s",
      "_bad_target",
    );

    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(
      /TargetExists.*default\.empty_bad_target exists already in Milvus at 127\.0\.0\.1:19540/,
    );
    expect(await collectionNames(b, "empty_bad_target")).toEqual(["default.empty_bad_target"]);
  });

  test("an unreachable Milvus, with its address", async ({ expect }) => {
    const file = await config.derive("bad-target-port", configs.b, { "milvus.port": nobody });

    const run = await milvusBackup("--config", file, "restore", "--replace", "-n", "bad_anything");

    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(/MilvusUnreachable.*127\.0\.0\.1:1\b/);
  });
});
