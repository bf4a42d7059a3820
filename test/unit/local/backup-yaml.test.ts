import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { backupYaml } from "../../../local/backup-yaml.ts";

const storage = { host: "127.0.0.1", port: 4566, accessKeyId: "test", secretAccessKey: "test" };
const environment = {
  host: "127.0.0.1",
  port: 19530,
  managementUrl: "http://127.0.0.1:9091",
  bucket: "bucket-a",
  rootPath: "files",
  storage,
  backupBucket: "bucket-b",
  backupRootPath: "backup",
};

describe("backupYaml", () => {
  it("says where Milvus keeps its data and where its backups go", () => {
    const yaml = parse(backupYaml(environment));

    expect(yaml.milvus).toMatchObject({ address: "127.0.0.1", port: 19530, user: "", password: "" });
    expect(yaml.minio).toMatchObject({
      bucketName: "bucket-a",
      rootPath: "files",
      backupBucketName: "bucket-b",
      backupRootPath: "backup",
      backupPort: 4566,
      crossStorage: false,
    });
    expect(yaml.backup.gcPause).toEqual({ enable: true, address: "http://127.0.0.1:9091" });
  });

  it("crosses stores when the backups have one of their own", () => {
    const yaml = parse(backupYaml({ ...environment, backupStorage: { ...storage, port: 9000 } }));

    expect(yaml.minio).toMatchObject({ port: 4566, backupPort: 9000, crossStorage: true });
  });
});
