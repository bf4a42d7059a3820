import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { aws } from "./aws.ts";
import { etcdYaml, type MilvusConfig, milvusPorts, milvusYaml } from "./milvus-config.ts";
import { removeStaleSessions } from "./milvus-sessions.ts";
import { localDir } from "./paths.ts";
import { milvusPackage } from "./python.ts";
import type { Service } from "./service.ts";

/** What to say about a Milvus server; all but its name, port and place in the store has a default. */
export type MilvusOptions = Pick<MilvusConfig, "port" | "bucket" | "rootPath"> &
  Partial<MilvusConfig> & { name: string };

/** A Milvus server of the stack, with what its users need to know. */
export interface MilvusService extends Service, MilvusConfig {
  host: string;
  managementUrl: string;
  configFile: string;
}

/** The object store of the emulator, where Milvus servers keep their data unless told otherwise. */
const emulatedS3 = {
  host: aws.host,
  port: aws.port,
  accessKeyId: aws.accessKeyId,
  secretAccessKey: aws.secretAccessKey,
};

/**
 * A Milvus standalone server, with etcd and message queue inside. It owns ten ports from `port` on, its management port
 * (9091 for 19530, 9101 for 19540, and so on), and the folder of its name under .local.
 */
export function milvusService({
  name,
  port,
  bucket,
  rootPath,
  managementPort = port - 19530 + 9091,
  storage = emulatedS3,
  overrides = {},
}: MilvusOptions): MilvusService {
  const config: MilvusConfig = { port, managementPort, bucket, rootPath, storage, overrides };
  const host = "127.0.0.1";
  const dataDir = join(localDir, name);
  const configDir = join(dataDir, "configs");
  const configFile = join(configDir, "milvus.yaml");
  const managementUrl = `http://${host}:${managementPort}`;
  return {
    ...config,
    name,
    host,
    managementUrl,
    configFile,
    address: `${host}:${port}`,
    ports: [...Object.values(milvusPorts(port)), managementPort],
    dataDirs: [dataDir],
    startTimeoutMs: 120_000,
    async prepare() {
      const folders = { etcd: join(dataDir, "etcd"), queue: join(dataDir, "rocksmq"), local: join(dataDir, "data") };
      const etcdFile = join(configDir, "etcd.yaml");
      for (const folder of [configDir, join(dataDir, "logs"), folders.local]) await mkdir(folder, { recursive: true });
      await writeFile(configFile, milvusYaml(await readFile(milvusPackage.template, "utf8"), config, folders));
      await writeFile(etcdFile, etcdYaml(name, port, folders.etcd));
      await writeFile(join(configDir, "glog.conf"), "--logtostderr=true\n--minloglevel=1\n");
      return {
        file: join(milvusPackage.binDir, "milvus"),
        args: ["run", "standalone"],
        cwd: dataDir,
        env: {
          PATH: process.env.PATH ?? "/usr/bin:/bin",
          HOME: dataDir,
          MILVUSCONF: configDir,
          MILVUS_RUN_DIR: join(dataDir, "run"),
          METRICS_PORT: String(managementPort),
          ETCD_CONFIG_PATH: etcdFile,
          DEPLOY_MODE: "STANDALONE",
          LD_LIBRARY_PATH: milvusPackage.binDir,
        },
      };
    },
    async checkHealth(signal) {
      const response = await fetch(`${managementUrl}/healthz`, { signal });
      const answer = await response.text();
      if (!response.ok || !answer.includes("OK")) throw new Error(`HTTP ${response.status}: ${answer}`);
    },
    provision: () => removeStaleSessions(`http://${host}:${milvusPorts(port).etcdClient}`),
  };
}
