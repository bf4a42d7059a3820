import { createHash } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import type { RestoreInput } from "../../../../src/core/execution/messages.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { parseSignature } from "../../../../src/core/format/signature.ts";
import { startTriggeredRestore } from "../../../../src/steps/events/start-triggered-restore.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import { MemorySigningKeys } from "../../../support/memory-signing-keys.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore, runVerify } from "../../../support/run-machines.ts";
import { books, seedShop } from "../../../support/seed-shop.ts";
import { damage } from "../../../support/transfer-world.ts";

const ours = "arn:aws:kms:eu-central-1:111111111111:key/ours";
const theirs = "arn:aws:kms:eu-central-1:222222222222:key/theirs";
const layout = backupLayout("backup", "nightly");
const [, novel] = books.segments;
const insertLog = `${layout.binlogs}insert_log/${books.id}/${books.novels}/${novel}/${novel}/100/1${novel}`;

let world: PipelineWorld;
let keys: MemorySigningKeys;

beforeEach(() => {
  keys = new MemorySigningKeys();
  for (const keyArn of [ours, theirs]) keys.add(keyArn);
  world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "backups/backup" },
    replica: { milvusAt: "bucket-a/files", backupAt: "other-backups/backup" },
    moved: { milvusAt: "bucket-a/files", backupAt: "backups/moved" },
    dr: { milvusAt: "bucket-b/files", backupAt: "backups/backup" },
  });
  seedShop(world);
});

const backUp = (options: { keyArn?: string; faults?: FaultInjector; name?: string; backupName?: string } = {}) => {
  const { keyArn = ours, faults, name = "backup-1", backupName = "nightly" } = options;
  const signer = { keyArn, keys };
  const input = { environment: "prod", backupName };
  return runBackup({ ...world.context(faults), signer }, input, executionOf(name), { release: false });
};
const restore = (rest: Partial<RestoreInput> = {}, name = "restore-1") =>
  runRestore(
    { ...world.context(), signingKeys: async () => keys },
    {
      environment: "dr",
      backupName: "nightly",
      collections: ["books"],
      suffix: "_bak",
      signedBy: ours,
      trigger: "partner",
      ...rest,
    },
    executionOf(name),
  );
/** Copies what lies below a prefix, as somebody does who may write into the buckets. */
function replay(from: { bucket: string; prefix: string }, to: { bucket: string; prefix: string }): void {
  for (const key of world.bucket(from.bucket).keys(from.prefix)) {
    world.bucket(to.bucket).seed(to.prefix + key.slice(from.prefix.length), world.bucket(from.bucket).bytes(key) ?? "");
  }
}
async function refused(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => expect.fail("the restore was expected to be refused"),
    (thrown: unknown) => String(thrown),
  );
  expect(world.milvus("dr").calls.join()).not.toMatch(/create|drop|rename|submitImport|load /);
  expect(
    world
      .bucket("bucket-b")
      .keys("milvus-backup-staging/")
      .filter((key) => key.includes("insert_log")),
  ).toEqual([]);
  return error;
}

describe("a signed backup", () => {
  test("is restored by a trigger that names the key, and its contents are compared", async () => {
    await backUp();

    expect(await restore()).toMatchObject({ outcome: "restored", collections: [{ from: "default.books" }] });
    expect(keys.calls).toEqual(["sign", "verify"]);
  });

  test("has its signature before it is committed, of the manifest that lies there", async () => {
    const faults = new FaultInjector();
    await backUp({ faults });

    const writes = faults.calls.filter((call) => /\.putText|\.finish/.test(call));
    const place = (key: string) => writes.findIndex((call) => call.includes(key));
    expect(place(layout.manifest)).toBeLessThan(place(layout.signature));
    expect(place(layout.signature)).toBeLessThan(place(layout.meta.full_meta));
    const manifest = world.bucket("backups").read(layout.manifest) ?? "";
    expect(parseSignature(world.bucket("backups").read(layout.signature) ?? "")).toMatchObject({
      keyArn: ours,
      statement: {
        bucket: "backups",
        rootPath: "backup",
        backupName: "nightly",
        backupId: JSON.parse(manifest).backupId,
        manifest: createHash("sha256").update(manifest).digest("hex"),
      },
    });
  });

  test("killed before any call of Finalize and started again, it is signed and restored", async () => {
    const counted = new FaultInjector();
    await backUp({ faults: counted });
    const first = counted.calls.findIndex((call) => call.includes(layout.manifest));
    const last = counted.calls.length;
    expect(first).toBeGreaterThan(0);
    for (let at = first - 2; at < last; at += 1) {
      world = new PipelineWorld({
        prod: { milvusAt: "bucket-a/files", backupAt: "backups/backup" },
        dr: { milvusAt: "bucket-b/files", backupAt: "backups/backup" },
      });
      seedShop(world);
      await backUp({ faults: new FaultInjector(at) }).catch(() => undefined);
      const committed = world.bucket("backups").read(layout.meta.full_meta) !== undefined;
      if (!committed) await backUp({ name: "backup-2" });

      expect(await restore(), `killed before ${counted.calls[at]}`).toMatchObject({ outcome: "restored" });
    }
  });

  test("is nothing strange to a verification, and goes when the backup does", async () => {
    await backUp();

    expect(await runVerify(world.context(), { environment: "dr", backupName: "nightly", readData: 100 })).toMatchObject(
      {
        outcome: "verified",
      },
    );
  });

  test("is signed for nothing where no key is deployed", async () => {
    await runBackup(world.context(), { environment: "prod", backupName: "nightly" });

    expect(world.bucket("backups").read(layout.signature)).toBeUndefined();
    expect(await refused(restore())).toMatch(/UntrustedBackup.*it has no signature .*signBackups/s);
    expect(keys.calls).toEqual([]);
  });
});

describe("a signed backup with users and roles", () => {
  const hash = "$2a$10$a-hash-that-nobody-sees";
  const users = [{ name: "app", password: hash, roles: ["reader"] }];

  beforeEach(async () => {
    // tells passwords, and takes them
    const milvus = { version: "2.4.15" };
    world = new PipelineWorld({
      prod: { milvusAt: "bucket-a/files", backupAt: "backups/backup", milvus },
      dr: { milvusAt: "bucket-b/files", backupAt: "backups/backup", milvus },
    });
    seedShop(world);
    world.milvus("prod").rbac = { users, roles: ["reader"], grants: [], privilegeGroups: [] };
    world.registerAnew("dr", { milvus: { ...world.environment("dr").milvus, user: "root" } });
    const signer = { keyArn: ours, keys };
    await runBackup({ ...world.context(), signer }, { environment: "prod", backupName: "nightly", rbac: true });
  });

  /** As the trigger's rule starts it. */
  async function trigger() {
    const started: RestoreInput[] = [];
    const startOnce = async (_: string, input: RestoreInput) => {
      started.push(input);
      return "started" as const;
    };
    const request = {
      ...{ trigger: "partner", backups: "*" },
      restore: { environment: "dr", collections: ["books"], suffix: "_bak", signedBy: ours, rbac: true },
      object: { bucket: "backups", key: layout.meta.full_meta, etag: "e" },
    };
    const context = { ...world.context(), restores: { startOnce, arnOf: (name: string) => name } };
    expect(await startTriggeredRestore(request, context)).toMatchObject({ outcome: "started" });
    const [input = expect.fail("nothing was started")] = started;
    return runRestore({ ...world.context(), signingKeys: async () => keys }, input, executionOf("partner-nightly"));
  }

  test("brings them by a trigger that names the key", async () => {
    const result = await trigger();

    expect(result).toMatchObject({
      outcome: "restored",
      collections: [{ to: "default.books_bak" }],
      rbac: { users: { restored: 1 }, roles: { restored: 1 } },
    });
    expect(world.milvus("dr").rbac).toMatchObject({ users, roles: ["reader"] });
    expect(JSON.stringify([result, world.memory.logged])).not.toContain(hash);
  });

  test.each([
    ["a user of one's own is written into it", `"user":"app"`, `"user":"eve"`],
    ["a password is exchanged in it", hash, "$2a$10$a-hash-that-somebody-knows"],
  ])("brings nothing where %s", async (_, was, is) => {
    const bucket = world.bucket("backups");
    const metas = bucket.read(layout.meta.full_meta) ?? "";
    expect(metas).toContain(was);
    bucket.seed(layout.meta.full_meta, metas.replaceAll(was, is));

    expect(await refused(trigger())).toMatch(/CorruptBackup.*full_meta\.json.*was changed since/s);
    expect(world.milvus("dr").rbac).toMatchObject({ users: [], roles: [] });
  });

  test("brings none of what is put there while it is restored", async () => {
    const bucket = world.bucket("backups");
    const metas = bucket.read(layout.meta.full_meta) ?? "";
    const submits = world.milvus("dr").submitImport.bind(world.milvus("dr"));
    world.milvus("dr").submitImport = async (request) => {
      bucket.seed(layout.meta.full_meta, metas.replaceAll('"user":"app"', '"user":"eve"'));
      return submits(request);
    };

    await expect(trigger()).rejects.toThrow(/was replaced .* while it was restored: no users or roles were made of it/);
    expect(world.milvus("dr").rbac).toMatchObject({ users: [], roles: [] });
  });
});

describe("nothing is believed of a backup", () => {
  beforeEach(() => backUp());

  test("that another key signed", async () => {
    expect(await refused(restore({ signedBy: theirs }))).toMatch(
      new RegExp(
        `UntrustedBackup: backup nightly in .* is not signed with ${theirs}: its signature was made with ${ours}`,
      ),
    );
  });

  test("whose signature says that it is of the key, and is not", async () => {
    const bucket = world.bucket("backups");
    const text = bucket.read(layout.signature) ?? "";
    const made = parseSignature(text)?.signature ?? "";
    const other = Buffer.from(made, "base64");
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
    bucket.seed(layout.signature, text.replace(made, other.toString("base64")));

    expect(await refused(restore())).toMatch(/UntrustedBackup.*its signature is not one that this key made/s);
  });

  test.each([
    ["is none", "hello"],
    ["is empty", ""],
    ["is of another version", '{"version": 2}'],
  ])("whose signature %s", async (_, text) => {
    world.bucket("backups").seed(layout.signature, text);

    expect(await refused(restore())).toMatch(/UntrustedBackup.*is no signature of version 1/s);
  });

  test("whose manifest was changed, even by a blank", async () => {
    const bucket = world.bucket("backups");
    bucket.seed(layout.manifest, `${bucket.read(layout.manifest)} `);

    expect(await refused(restore())).toMatch(/UntrustedBackup.*its signature is about manifest ".*" instead of "/s);
  });

  test("that has no manifest any more", async () => {
    world.bucket("backups").remove(layout.manifest);

    expect(await refused(restore())).toMatch(/UntrustedBackup.*it has no manifest/s);
  });

  test("that was put there under another name", async () => {
    replay({ bucket: "backups", prefix: "backup/nightly/" }, { bucket: "backups", prefix: "backup/tonight/" });

    expect(await refused(restore({ backupName: "tonight" }))).toMatch(
      /UntrustedBackup.*its signature is about backupName "nightly" instead of "tonight"/s,
    );
  });

  test("that was put into another bucket", async () => {
    replay({ bucket: "backups", prefix: "backup/" }, { bucket: "other-backups", prefix: "backup/" });

    expect(await refused(restore({ from: "replica" }))).toMatch(/about bucket "backups" instead of "other-backups"/);
  });

  test("that was put below another root path", async () => {
    replay({ bucket: "backups", prefix: "backup/" }, { bucket: "backups", prefix: "moved/" });

    expect(await refused(restore({ from: "moved" }))).toMatch(/about rootPath "backup" instead of "moved"/);
  });

  test("whose metas are others than the manifest was written for", async () => {
    const bucket = world.bucket("backups");
    const metas = bucket.read(layout.meta.full_meta) ?? "";
    bucket.seed(layout.meta.full_meta, metas.replace('"books"', '"bonks"'));

    expect(await refused(restore({ collections: [] }))).toMatch(/CorruptBackup.*full_meta\.json.*was changed since/s);
  });

  test("of which a log was altered at the same size", async () => {
    await damage(world.bucket("backups"), insertLog);

    expect(await refused(restore())).toMatch(/CorruptBackup.*was altered: its content is not that of the manifest/s);
  });

  test("whose manifest was exchanged after it was verified: the one that was signed counts", async () => {
    await damage(world.bucket("backups"), insertLog);
    const bucket = world.bucket("backups");
    const signed = bucket.read(layout.manifest) ?? "";
    const verifies = keys.verify.bind(keys);
    keys.verify = async (...of) => {
      const isValid = await verifies(...of);
      bucket.seed(
        layout.manifest,
        signed.replace(/"parts": \[[^\]]*\]/, '"parts": []').replace(/"objects": \d+/, '"objects": 0'),
      );
      return isValid;
    };

    expect(await refused(restore())).toMatch(/CorruptBackup.*was altered/s);
  });
});

test("a log of which the manifest has only a CRC is not vouched for: the backup says so, and is refused", async () => {
  const bucket = world.bucket("bucket-a");
  for (const key of bucket.keys("files/insert_log/")) bucket.seedInParts(key, bucket.bytes(key) ?? "");
  const store = world.bucket("backups");
  const copyFrom = store.copyFrom.bind(store);
  store.copyFrom = async (...of) => ({ ...(await copyFrom(...of)), checksum: "crc64nvme:AAAAAAAAAAA=" });

  const { warnings } = await backUp();

  expect(warnings).toEqual([expect.stringMatching(/objects have no checksum but a CRC.*signedBy refuses/)]);
  expect(await refused(restore())).toMatch(
    /UntrustedBackup.*only a crc64nvme of .*which can be made for other content/s,
  );
});

test.each(["none", "size"] as const)("signedBy compares contents: verify %s is refused", async (verify) => {
  await backUp();

  expect(await refused(restore({ verify }))).toMatch(
    new RegExp(`InvalidInput.*signedBy excludes verify: ${verify}`, "s"),
  );
});

test("of a store that keeps as the MD5 of an object what its writer says nothing is held against a signature", async () => {
  await backUp();
  const { storage, backupStorage, ...dr } = world.environment("dr");
  const inAzure = {
    ...dr,
    storage: { ...storage, type: "azure" },
    backupStorage: { ...backupStorage, type: "azure" },
  } as const;
  world.environments.register(inAzure);

  expect(await refused(restore())).toMatch(
    /UntrustedBackup.*Azure keeps as the MD5 of a blob what whoever writes it says/s,
  );
});

test("what is known to be stored by the note beside it alone is not vouched for: who writes there can write that too", async () => {
  const signer = { keyArn: ours, keys };
  const night = (name: string) =>
    runBackup(
      { ...world.context(), signer },
      { environment: "prod", backupName: name, incremental: true },
      executionOf(name),
    );
  await night("night-1");
  const store = world.bucket("backups");
  const shared = store.keys("backup/milvus-backup-segments/").find((key) => key.includes(`${novel}/100/`)) ?? "";
  await damage(store, shared);
  // as S3 does: an object of the size whose note names the ETag of the source is a copy of it
  const copyFrom = store.copyFrom.bind(store);
  store.copyFrom = async (source, object, key, options) => {
    const { existing } = options ?? {};
    if (key !== shared || !existing) return copyFrom(source, object, key, options);
    return { key, size: existing.size, etag: existing.etag, checksum: `md5:${existing.etag}`, skipped: true };
  };

  const { warnings } = await night("night-2");

  expect(warnings).toEqual([expect.stringMatching(/^1 object lay there before, .*the backup is not signed/)]);
  expect(await refused(restore({ backupName: "night-2" }))).toMatch(/UntrustedBackup.*it has no signature/s);
});
