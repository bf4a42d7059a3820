import { beforeEach, describe, expect, test } from "vitest";
import { parseEnvironment } from "../../../src/core/environment/yaml.ts";
import { PipelineError } from "../../../src/core/execution/errors.ts";
import { MemoryMilvus } from "../../support/memory-milvus.ts";
import { environmentNamed, FakeCli } from "./support/fake-cli.ts";

let cli: FakeCli;

beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
});

const roles = `minio:
  storageType: aws
  address: s3.eu-west-1.amazonaws.com
  port: 443
  useSSL: true
  useIAM: true
  bucketName: bucket-a
  backupBucketName: bucket-b
  backupRootPath: backup
`;

test("calls that Milvus's user may not make are named, of backups and of restores", async () => {
  const milvus = new MemoryMilvus({ version: "2.6.8" });
  for (const call of ["Flush", "Import"]) milvus.deniedCalls.add(call);
  cli.milvus = milvus;

  const { code, stdout } = await cli.run("--environment", "prod", "check");

  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^✗ milvus backup +user "root" may not call Flush: grant a role of that user these privileges/m,
  );
  expect(stdout).toMatch(
    /^✗ milvus restore +user "root" may not call Import: .*\(PrivilegeImport: permission deny\)$/m,
  );
});

describe("what is denied by a policy", () => {
  beforeEach(() => {
    const details = { action: "s3:PutObject", bucket: "bucket-b", denied: true };
    cli.backups.failOn(
      (call) => call.startsWith("putText"),
      () => new PipelineError("StoreAccessDenied", "not allowed s3:PutObject", { details }),
      Number.POSITIVE_INFINITY,
    );
    cli.environments.set("prod", parseEnvironment(roles, { name: "prod", fileName: "prod.yaml" }));
  });

  test("is printed as a policy for who was refused, and whose permissions were tried is said", async () => {
    const { code, stdout, stderr } = await cli.run("--environment", "prod", "check", "--no-milvus");

    expect(code).toBe(1);
    expect(stdout).toMatch(
      /What is missing:\n\nInto the policy of arn:aws:iam::111111111111:user\/tester:\n\{\n {2}"Version"/,
    );
    expect(stdout).toContain('"Sid": "WriteBackups"');
    expect(stderr).toContain("Tried with the permissions of arn:aws:iam::111111111111:user/tester");
  });

  test("stands beside the check in the document", async () => {
    const { stdout } = await cli.run("--json", "--environment", "prod", "check", "--no-milvus");

    const { ok, triedBy, checks } = JSON.parse(stdout);
    expect({ ok, triedBy }).toEqual({ ok: false, triedBy: "arn:aws:iam::111111111111:user/tester" });
    const [write] = checks.filter(({ check }: { check: string }) => check === "backup write");
    expect(write.missing).toMatchObject([
      { statement: { Sid: "WriteBackups", Resource: "arn:aws:s3:::bucket-b/backup/*" } },
    ]);
  });

  test("is nothing of an environment that only restores", async () => {
    cli.backups.seed("backup/one/meta/full_meta.json", "{}");

    expect((await cli.run("--environment", "prod", "check", "--no-milvus", "--restore-only")).code).toBe(0);
  });
});

describe("check --simulate", () => {
  test("prints what is to be granted, and asks nobody", async () => {
    cli.environments.set("prod", parseEnvironment(roles, { name: "prod", fileName: "prod.yaml" }));

    const { code, stdout } = await cli.run("--environment", "prod", "check", "--simulate");

    expect(code).toBe(0);
    expect(stdout).toMatch(/^Into the policy of the roles of the pipeline's functions/);
    expect(stdout).toMatch(/^Into .*, where bucket bucket-b is encrypted with a customer-managed key of KMS:$/m);
    expect(cli.backups.calls).toEqual([]);
    const { policies } = JSON.parse((await cli.run("--json", "--environment", "prod", "check", "--simulate")).stdout);
    expect(policies[0].statements.map(({ Sid }: { Sid: string }) => Sid)).toContain("RemoveBackups");
  });

  test("says where what is granted for backups reaches Milvus's own data", async () => {
    const told = async (backupRootPath: string) => {
      const shared = roles.replace("bucket-b", "bucket-a").replace("backupRootPath: backup", backupRootPath);
      cli.environments.set("prod", parseEnvironment(shared, { name: "prod", fileName: "prod.yaml" }));
      return (await cli.run("--environment", "prod", "check", "--simulate")).stderr;
    };

    // without the key they lie in Milvus's root path
    for (const among of ["backupUseSSL: true", 'backupRootPath: ""', "backupRootPath: files/insert_log/backup"]) {
      expect(await told(among), among).toMatch(
        /The backups \(bucket-a\/.*\) lie where Milvus's own data does \(bucket-a\/files\)/,
      );
    }
    for (const beside of ["backupRootPath: backup", "backupRootPath: files2", "backupRootPath: files/backups"]) {
      expect(await told(beside), beside).not.toContain("own data");
    }
  });

  test("says where a store has no policies of IAM", async () => {
    const google = "minio:\n  storageType: gcp\n  accessKeyID: k\n  secretAccessKey: s\n";
    cli.environments.set("prod", parseEnvironment(google, { name: "prod", fileName: "prod.yaml" }));

    const { code, stderr } = await cli.run("--environment", "prod", "check", "--simulate");

    expect(code).not.toBe(0);
    expect(stderr).toContain("stores of type gcp and gcp have no policies of IAM");
  });
});

describe("check --deployed", () => {
  const invoked: { functionName: string; payload: object }[] = [];
  beforeEach(() => {
    invoked.length = 0;
    cli.invoke = (functionName, payload) => {
      invoked.push({ functionName, payload });
      return { checks: [{ check: "it", ok: true, detail: "is" }] };
    };
  });

  test("has the functions look that use Milvus and the buckets, and looks at neither itself", async () => {
    const { code, stdout } = await cli.run("--environment", "prod", "check", "--deployed");

    expect(code).toBe(0);
    const about = (of: string) => ({ check: { environment: "prod", of, id: expect.stringMatching(/^[0-9a-f]{8}$/) } });
    expect(invoked).toEqual([
      { functionName: "MilvusBackup-prepare-backup", payload: about("milvus") },
      { functionName: "MilvusBackup-copy-segments", payload: about("stores") },
    ]);
    expect(stdout).toMatch(/^✓ stores by +MilvusBackup-copy-segments\n✓ it +is$/m);
    expect(cli.backups.calls).toEqual([]);
  });

  test("what a function finds wrong is wrong, and so is one that does not answer", async () => {
    cli.invoke = (functionName) => {
      if (functionName.endsWith("prepare-backup")) throw new Error('InvalidInput: unknown key "check"');
      return { checks: [{ check: "backup write", ok: false, detail: "not allowed" }] };
    };

    const { code, stdout } = await cli.run("--environment", "prod", "check", "--deployed");

    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ milvus by .*InvalidInput.*\(it knows no checks: deploy the current version\)$/m);
    expect(stdout).toMatch(/^✗ backup write +not allowed$/m);
  });

  test("is refused together with --simulate", async () => {
    expect((await cli.run("--environment", "prod", "check", "--deployed", "--simulate")).code).not.toBe(0);
  });
});
