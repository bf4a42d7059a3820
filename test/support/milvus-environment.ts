import type { Environment, MilvusSettings } from "../../src/core/environment/environment.ts";

/** An environment whose Milvus is at a loopback port; its buckets are named and never opened. */
export function milvusEnvironment(
  port: number,
  options: { milvus?: Partial<MilvusSettings>; managementPort?: number } = {},
): Environment {
  const storage = {
    type: "minio",
    address: "127.0.0.1",
    port: 4566,
    region: "us-east-1",
    useSSL: false,
    bucket: "bucket-a",
    rootPath: "files",
    credentials: { kind: "static", accessKeyId: "test", secretAccessKey: "test", token: "" },
  } as const;
  return {
    name: "test",
    milvus: {
      address: "127.0.0.1",
      port,
      user: "",
      password: "",
      tlsMode: 0,
      serverName: "",
      caCert: "",
      mtlsCert: "",
      mtlsKey: "",
      ...options.milvus,
    },
    storage,
    backupStorage: { ...storage, rootPath: "backup" },
    crossStorage: false,
    copyMode: "auto",
    multipartCopyThresholdBytes: 5 * 2 ** 30,
    gcPause: { enable: true, address: `http://127.0.0.1:${options.managementPort ?? 1}` },
    keepTempFiles: false,
    parallelism: { importJob: 8 },
    protected: false,
  };
}
