import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { etcdYaml, type MilvusConfig, milvusPorts, milvusYaml } from "../../../local/milvus-config.ts";

const template = `
etcd:
  endpoints: localhost:{{ etcd_port(int): 2379 }}
log:
  level: info
  file:
    rootPath: {{ system_log_path }}
proxy:
  port: {{ proxy_port(int): 19530 }}
  maxFieldNum: 64
tls:
  serverPemPath: {{ server_pem_path: server.pem }}
common:
  security:
    authorizationEnabled: {{ authorization_enabled(bool): false }}
`;
const folders = { etcd: "/data/etcd", queue: "/data/rocksmq", local: "/data/local" };
const config: MilvusConfig = {
  port: 19540,
  managementPort: 9101,
  bucket: "bucket-b",
  rootPath: "files",
  storage: { host: "127.0.0.1", port: 4566, accessKeyId: "test", secretAccessKey: "secret" },
  overrides: {},
};

describe("milvusYaml", () => {
  it("keeps what the package ships and fills in its defaults", () => {
    const yaml = parse(milvusYaml(template, config, folders));

    expect(yaml.proxy.maxFieldNum).toBe(64);
    expect(yaml.tls.serverPemPath).toBe("server.pem");
    expect(yaml.common.security.authorizationEnabled).toBe(false);
  });

  it("gives a server its own ports, folders and bucket", () => {
    const yaml = parse(milvusYaml(template, config, folders));

    expect(yaml.proxy.port).toBe(19540);
    expect(yaml.etcd).toMatchObject({ endpoints: "127.0.0.1:19548", data: { dir: "/data/etcd" } });
    expect(yaml.mq.type).toBe("rocksmq");
    expect(yaml.common.storageType).toBe("minio");
    expect(yaml.minio).toMatchObject({
      port: 4566,
      bucketName: "bucket-b",
      rootPath: "files",
      secretAccessKey: "secret",
    });
  });

  it("lets overrides win, and makes the levels they name", () => {
    const overrides = { "common.security.authorizationEnabled": true, "dataCoord.gc.interval": 3, "a.b.c": "new" };

    const yaml = parse(milvusYaml(template, { ...config, overrides }, folders));

    expect(yaml.common.security.authorizationEnabled).toBe(true);
    expect(yaml.dataCoord.gc.interval).toBe(3);
    expect(yaml.a.b.c).toBe("new");
  });
});

describe("milvusPorts", () => {
  it("gives neighbours ten ports apart nothing in common", () => {
    const both = [...Object.values(milvusPorts(19530)), ...Object.values(milvusPorts(19540))];

    expect(new Set(both).size).toBe(20);
  });
});

describe("etcdYaml", () => {
  it("is a cluster of one, on the ports of its server", () => {
    const yaml = parse(etcdYaml("milvus-b", 19540, "/data/etcd"));

    expect(yaml["listen-client-urls"]).toBe("http://127.0.0.1:19548");
    expect(yaml["initial-cluster"]).toBe(`milvus-b=${yaml["initial-advertise-peer-urls"]}`);
  });
});
