import { describe, expect, test } from "vitest";
import { missingStatements, neededStatements } from "../../../../src/core/check/statements.ts";
import { parseEnvironment } from "../../../../src/core/environment/yaml.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";

const runner = { name: "arn:aws:iam::1:role/me" };

function needed(lines: readonly string[]) {
  const yaml = ["minio:", "storageType: aws", "useSSL: true", ...lines].join("\n  ");
  const environment = parseEnvironment(`${yaml}\n`, { name: "prod", fileName: "prod.yaml" });
  const all = neededStatements(environment, runner);
  const bySid = new Map(all.map((one) => [one.statement.Sid, one]));
  return { environment, all, bySid, sids: [...bySid.keys()] };
}

const own = ["useIAM: true", "bucketName: a", "rootPath: files", "backupBucketName: b", "backupRootPath: backup"];

describe("what an environment needs", () => {
  test("below both roots and what is staged, and nothing that changes Milvus's own data", () => {
    const { all, bySid } = needed(own);

    expect(new Set(all.map(({ to }) => to))).toEqual(new Set([`the policy of ${runner.name}`]));
    expect(bySid.get("ListMilvus")?.statement).toMatchObject({
      Resource: "arn:aws:s3:::a",
      Condition: { StringLike: { "s3:prefix": ["files/*", "milvus-backup-staging/*"] } },
    });
    const onMilvus = all.filter(({ statement }) => [statement.Resource].flat().includes("arn:aws:s3:::a/files/*"));
    expect(onMilvus.map(({ statement }) => statement.Action)).toEqual(["s3:GetObject"]);
  });

  test("of a whole bucket without a condition", () => {
    const { bySid } = needed([...own.filter((line) => !/ootPath/.test(line)), 'rootPath: ""', 'backupRootPath: ""']);

    expect(bySid.get("ListMilvus")?.statement).not.toHaveProperty("Condition");
    expect(bySid.get("RemoveStaging")?.statement.Resource).toBe("arn:aws:s3:::a/milvus-backup-staging/*");
    expect(bySid.get("ReadMilvus")?.statement.Resource).toContain("arn:aws:s3:::a/*");
  });

  test("of a root path with characters that a policy takes for a pattern, and of no other root path", () => {
    const { bySid } = needed([
      ...own.filter((line) => !/ootPath/.test(line)),
      "rootPath: team*",
      "backupRootPath: $a/b?",
    ]);

    expect(bySid.get("ListMilvus")?.statement.Condition?.StringLike?.["s3:prefix"]).toContain(`team\${*}/*`);
    expect(bySid.get("ReadMilvus")?.statement.Resource).toContain(`arn:aws:s3:::a/team\${*}/*`);
    expect(bySid.get("RemoveBackups")?.statement.Resource).toBe(`arn:aws:s3:::b/\${$}a/b\${?}/*`);
  });

  test("in another partition by its name", () => {
    const { bySid } = needed([...own, "address: s3.cn-north-1.amazonaws.com.cn", "port: 443"]);

    expect(bySid.get("ReadBackups")?.statement.Resource).toBe("arn:aws-cn:s3:::b/backup/*");
  });

  test("of locks and of ACLs only where the environment has some", () => {
    expect(needed(own).sids.join()).not.toMatch(/Lock|Owner/);
    const { bySid } = needed([...own, "backupObjectLock: 30d", "backupAcl: bucket-owner-full-control"]);

    expect(bySid.get("LockBackups")?.statement.Action).toEqual(["s3:GetObjectRetention", "s3:PutObjectRetention"]);
    expect(bySid.get("GiveBackupsToOwner")?.statement.Condition).toEqual({
      StringEquals: { "s3:x-amz-acl": "bucket-owner-full-control" },
    });
    expect(bySid.has("GiveStagingToOwner")).toBe(false);
  });

  test("of a role: its own policy, who assumes it, whom it trusts, and never the external ID", () => {
    const role = "arn:aws:iam::2:role/backups";
    const { all, bySid } = needed([...own, `backupRoleArn: ${role}`, "backupExternalId: agreed-secret"]);

    expect(bySid.get("ReadBackups")?.to).toBe(`the policy of role ${role}`);
    expect(bySid.get("AssumeBackupRole")).toMatchObject({
      to: `the policy of ${runner.name}`,
      statement: { Resource: role },
    });
    expect(bySid.get("TrustMilvusBackup")?.to).toBe(`the trust policy of role ${role}`);
    expect(JSON.stringify(all)).not.toContain("agreed-secret");
    // a copy is signed by one of the two, which reads the other's bucket
    expect(bySid.get("CopyFromMilvus")).toMatchObject({
      to: `the policy of role ${role}`,
      when: expect.stringContaining("streamed without it"),
      statement: { Action: "s3:GetObject", Resource: "arn:aws:s3:::a/files/*" },
    });
  });

  test("nothing where a store has no such policies", () => {
    const minio = ["minio:", "storageType: gcp", "accessKeyID: k", "secretAccessKey: s"].join("\n  ");
    const environment = parseEnvironment(`${minio}\n`, { name: "prod", fileName: "prod.yaml" });

    expect(neededStatements(environment, runner)).toEqual([]);
  });
});

describe("what was refused", () => {
  const { environment } = needed(own);
  const refused = (options: ConstructorParameters<typeof PipelineError>[2]) =>
    missingStatements(environment, "backup", new PipelineError("StoreAccessDenied", "no", options), runner);

  test("by a policy misses its statement", () => {
    const sids = (action: string) =>
      refused({ details: { action, denied: true } }).map(({ statement }) => statement.Sid);

    expect(sids("s3:PutObject")).toEqual(["WriteBackups"]);
    expect(sids("s3:ListBucketMultipartUploads")).toEqual(["ListBackupUploads"]);
    expect(sids("s3:GetObject")).toEqual(["ReadBackups"]);
  });

  test("for a wrong key, an expired token or a bucket that is not there misses none", () => {
    expect(refused({ details: { action: "s3:PutObject", reason: "InvalidAccessKeyId" } })).toEqual([]);
    const error = new PipelineError("BucketNotFound", "no", { details: { action: "s3:PutObject", denied: true } });
    expect(missingStatements(environment, "backup", error, runner)).toEqual([]);
  });
});
