import { describe, expect, test } from "vitest";
import type { Environment } from "../../../../src/core/environment/environment.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { ObjectStore } from "../../../../src/ports/object-store.ts";
import type { BucketFacts } from "../../../../src/ports/store-probe.ts";
import { checkStores, type StoreCheckContext } from "../../../../src/steps/check/check-stores.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

const yaml = `minio:
  storageType: s3
  address: store
  useSSL: true
  bucketName: bucket-a
  rootPath: files
  backupBucketName: bucket-b
  backupRootPath: backup
`;
const now = new Date("2026-11-28T16:20:00Z");

function environment(more = ""): Environment {
  return parseEnvironment(yaml + more, { name: "prod", fileName: "prod.yaml" });
}

/** The buckets of an environment, with data of Milvus's, a backup, and what nobody may touch. */
function world(options: { milvus?: MemoryObjectStore; backup?: MemoryObjectStore } = {}) {
  const milvus = options.milvus ?? new MemoryObjectStore("bucket-a");
  const backup = options.backup ?? new MemoryObjectStore("bucket-b");
  milvus.seed("files/insert_log/1/2/3/100/4", "rows");
  milvus.seed("milvus-backup-staging/targets/x/default.coll.json", "{}");
  backup.seed("backup/my_backup/meta/full_meta.json", "{}");
  backup.seed("backup/milvus-backup-check-of-somebody", "no probe");
  const keys = () => [...milvus.keys(), ...backup.keys()].sort();
  return { milvus, backup, keys, before: keys() };
}

function check(
  { milvus, backup }: { milvus: ObjectStore; backup: ObjectStore },
  context: Partial<StoreCheckContext> = {},
  env = environment(),
) {
  return checkStores(env, {
    openStore: async (side) => (side === "milvus" ? milvus : backup),
    clock: { now: () => now },
    runner: { name: "the tester" },
    id: "0123abcd",
    ...context,
  });
}

function fail(store: MemoryObjectStore, calls: RegExp, error: () => Error): void {
  store.failOn((call) => calls.test(call), error, Number.POSITIVE_INFINITY);
}

const failed = (results: Awaited<ReturnType<typeof check>>) => results.filter(({ ok }) => !ok);

test("everything is tried, nothing is left, and nothing is written below Milvus's root path", async () => {
  const stores = world();

  const results = await check(stores);

  expect(failed(results)).toEqual([]);
  expect(stores.keys()).toEqual(stores.before);
  const probe = "milvus-backup-check-2026-11-28T16-20-00Z-0123abcd-";
  for (const [store, root] of [
    [stores.milvus, "milvus-backup-staging/"],
    [stores.backup, "backup/"],
  ] as const) {
    const written = store.calls
      .filter((call) => /^(put|delete)/.test(call))
      .flatMap((call) => call.split(" ").slice(1));
    expect(new Set(written)).toEqual(
      new Set(["object", "upload", "copy", "locked"].map((kind) => root + probe + kind)),
    );
  }
});

test("a Milvus that has written nothing yet is said not to have been read", async () => {
  const stores = world();
  stores.milvus.remove("files/insert_log/1/2/3/100/4");

  expect((await check(stores)).find(({ check }) => check === "milvus read")?.detail).toBe(
    "not tried: nothing lies below files/ yet",
  );
});

describe("killed, or cut off", () => {
  test.each(["before", "after"] as const)(
    "a fault %s any call is an outcome, and the next check leaves nothing",
    async (moment) => {
      const counted = new FaultInjector();
      const whole = world();
      await check({ milvus: counted.wrap("milvus", whole.milvus), backup: counted.wrap("backup", whole.backup) });
      expect(counted.calls.length).toBeGreaterThan(15);

      for (let at = 0; at < counted.calls.length; at += 1) {
        const injector = new FaultInjector(at, moment);
        const stores = world();
        const results = await check({
          milvus: injector.wrap("milvus", stores.milvus),
          backup: injector.wrap("backup", stores.backup),
        });

        // the answer of a listing comes object by object: it is not lost
        const isLost = moment === "before" || !counted.calls[at]?.includes(".list ");
        expect(failed(results).length > 0, `${at} ${counted.calls[at]}`).toBe(isLost);
        const later = new Date(now.getTime() + 3_601_000);
        expect(failed(await check(stores, { clock: { now: () => later }, id: "fedc4321" }))).toEqual([]);
        expect(stores.keys()).toEqual(stores.before);
      }
    },
  );

  test("probes of a check that runs beside this one stay, and so does what only looks like one", async () => {
    const stores = world();
    const name = (time: string) => `backup/milvus-backup-check-2026-11-28T${time}Z-aaaaaaaa-object`;
    stores.backup.seed(name("16-19-00"), "beside");
    stores.backup.seed(name("15-00-00"), "killed");
    stores.milvus.seed(name("15-00-00").replace("backup/", "milvus-backup-staging/"), "killed");
    stores.backup.seed("backup/milvus-backup-check-2026-11-28T15-00-00Z-aaaaaaaa-object/meta/full_meta.json", "{}");

    const results = await check(stores);

    const stay = [
      name("16-19-00"),
      "backup/milvus-backup-check-2026-11-28T15-00-00Z-aaaaaaaa-object/meta/full_meta.json",
    ];
    expect(stores.keys()).toEqual([...stores.before, ...stay].sort());
    expect(results.find(({ check }) => check === "backup delete")?.detail).toBe(
      "its own probes, and 1 that earlier checks left",
    );
  });
});

function denied(action: string, key?: string): PipelineError {
  const details = { action, bucket: "bucket-b", denied: true, ...(key !== undefined && { key }) };
  return new PipelineError("StoreAccessDenied", `not allowed ${action}`, { details });
}

describe("what is denied", () => {
  test("is told with its statement, and what does not depend on it is tried all the same", async () => {
    const stores = world();
    fail(stores.backup, /^put/, () => denied("s3:PutObject"));

    const results = await check(stores);

    const byName = new Map(results.map((result) => [result.check, result]));
    expect(byName.get("backup write")).toMatchObject({ ok: false, missing: [{ statement: { Sid: "WriteBackups" } }] });
    expect(byName.get("copy from backups")).toMatchObject({ ok: false, detail: expect.stringContaining("not tried") });
    expect(byName.get("copy to backups")?.ok).toBe(true);
    expect(byName.get("backup delete")?.ok).toBe(true);
    expect(stores.keys()).toEqual(stores.before);
  });

  test("a key of KMS is named, with what it takes", async () => {
    const stores = world();
    const kms = { kmsAction: "kms:GenerateDataKey", kmsKey: "arn:aws:kms:us-east-1:1:key/k" };
    const details = { ...denied("s3:PutObject").details, ...kms };
    fail(stores.backup, /^put/, () => new PipelineError("StoreAccessDenied", "kms", { details }));

    const [write] = failed(await check(stores));

    expect(write?.missing).toEqual([
      {
        to: expect.any(String),
        statement: { Sid: "UseBackupKey", Effect: "Allow", Action: kms.kmsAction, Resource: kms.kmsKey },
      },
    ]);
  });

  test("deletion: what stays behind is said", async () => {
    const stores = world();
    fail(stores.milvus, /^delete/, () => denied("s3:DeleteObject"));

    const results = failed(await check(stores));

    expect(results).toMatchObject([{ check: "staging delete", missing: [{ statement: { Sid: "RemoveStaging" } }] }]);
    expect(results[0]?.detail).toMatch(/probes stay below milvus-backup-staging\/milvus-backup-check- in bucket-a/);
  });

  test("a bucket that is not there ends what is tried of it", async () => {
    const stores = world();
    fail(stores.backup, /./, () => new PipelineError("BucketNotFound", "bucket bucket-b does not exist"));

    const results = await check(stores);

    expect(results.filter(({ check }) => /backup/.test(check))).toMatchObject([{ check: "backup bucket", ok: false }]);
    expect(results.find(({ check }) => check === "staging write")?.ok).toBe(true);
  });
});

describe("an environment that only restores", () => {
  test("writes nothing beside the backups, and reads one of their objects", async () => {
    const stores = world();
    fail(stores.backup, /^(put|delete)/, () => denied("s3:PutObject"));

    const results = await check(stores, { restoreOnly: true });

    expect(failed(results)).toEqual([]);
    expect(results.map(({ check }) => check)).toEqual(expect.arrayContaining(["backup read", "copy from backups"]));
    expect(results.map(({ check }) => check).join()).not.toMatch(/backup (write|delete|upload)|copy to/);
    expect(stores.keys()).toEqual(stores.before);
  });
});

describe("locks", () => {
  test("are tried where the environment locks its backups: a minute, and no more", async () => {
    const stores = world({ backup: new MemoryObjectStore("bucket-b", { objectLock: true }) });

    const results = await check(
      stores,
      {},
      environment("  backupObjectLock: 30d\n  backupObjectLockMode: compliance\n"),
    );

    expect(failed(results)).toEqual([]);
    expect(results.find(({ check }) => check === "backup lock")?.ok).toBe(true);
    expect(stores.keys()).toEqual(stores.before);
  });
});

describe("what the buckets tell of themselves", () => {
  const telling = (store: MemoryObjectStore, facts: BucketFacts) =>
    Object.assign(store, { probe: { facts: async () => facts, uploadInParts: async () => {} } });

  test("regions that differ, and versions that deletions leave", async () => {
    const stores = world({
      milvus: telling(new MemoryObjectStore("bucket-a"), { region: "eu-west-1", versions: "none" }),
      backup: telling(new MemoryObjectStore("bucket-b"), { region: "us-east-1", versions: "kept", versionsEnd: false }),
    });

    const results = await check(stores);

    const detailOf = (name: string) => results.find(({ check }) => check === name)?.detail;
    expect(detailOf("regions")).toMatch(/bucket lies in eu-west-1, the backups in us-east-1: .*paid for by the byte/);
    expect(detailOf("backup bucket")).toMatch(
      /region us-east-1, what is deleted stays as a version \(versioning on; no rule/,
    );
    expect(detailOf("milvus bucket")).toMatch(/region eu-west-1$/);
  });
});
