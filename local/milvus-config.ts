import { parse, stringify } from "yaml";

/** The S3-compatible store that a Milvus server keeps its data in. */
export interface ObjectStore {
  host: string;
  port: number;
  accessKeyId: string;
  secretAccessKey: string;
}

/** What tells one Milvus server of the stack from another. */
export interface MilvusConfig {
  port: number;
  managementPort: number;
  bucket: string;
  rootPath: string;
  storage: ObjectStore;
  /** Keys of milvus.yaml with dots (`dataCoord.gc.interval`) and their values; they win. */
  overrides: Record<string, unknown>;
}

/** Where a server keeps what does not go into its bucket. */
export interface MilvusFolders {
  etcd: string;
  queue: string;
  local: string;
}

/** The block of ports a server owns: its own port and the nine after it. */
export function milvusPorts(port: number) {
  return {
    proxy: port,
    proxyInternal: port + 1,
    rootCoord: port + 2,
    queryCoord: port + 3,
    queryNode: port + 4,
    indexNode: port + 5,
    dataCoord: port + 6,
    dataNode: port + 7,
    etcdClient: port + 8,
    etcdPeer: port + 9,
  };
}

/** A server's milvus.yaml: what the package ships, with what this stack needs otherwise, with the overrides. */
export function milvusYaml(template: string, config: MilvusConfig, folders: MilvusFolders): string {
  const yaml = parse(fillTemplate(template)) as Record<string, unknown>;
  for (const [key, value] of Object.entries({ ...ownKeys(config, folders), ...lightKeys, ...config.overrides })) {
    setKey(yaml, key, value);
  }
  return stringify(yaml);
}

/** Puts each placeholder's default in its place: `{{ proxy_port(int): 19530 }}` becomes `19530`. */
function fillTemplate(template: string): string {
  return template.replaceAll(/\{\{(.*?)\}\}/g, (_, placeholder: string) => placeholder.split(":")[1]?.trim() ?? "");
}

function setKey(yaml: Record<string, unknown>, dottedKey: string, value: unknown): void {
  const keys = dottedKey.split(".");
  const last = keys.pop() ?? "";
  let node = yaml;
  for (const key of keys) {
    node[key] ??= {};
    node = node[key] as Record<string, unknown>;
  }
  node[last] = value;
}

/** What makes a server this server: its ports, its folders, its bucket. */
function ownKeys({ port, bucket, rootPath, storage }: MilvusConfig, folders: MilvusFolders): Record<string, unknown> {
  const ports = milvusPorts(port);
  const here = "127.0.0.1";
  return {
    "etcd.endpoints": `${here}:${ports.etcdClient}`,
    "etcd.use.embed": true,
    "etcd.data.dir": folders.etcd,
    "mq.type": "rocksmq",
    "rocksmq.path": folders.queue,
    "localStorage.path": folders.local,
    "common.storageType": "minio",
    "minio.address": storage.host,
    "minio.port": storage.port,
    "minio.accessKeyID": storage.accessKeyId,
    "minio.secretAccessKey": storage.secretAccessKey,
    "minio.bucketName": bucket,
    "minio.rootPath": rootPath,
    "proxy.ip": here,
    "proxy.port": ports.proxy,
    "proxy.internalPort": ports.proxyInternal,
    "rootCoord.ip": here,
    "rootCoord.port": ports.rootCoord,
    "queryCoord.ip": here,
    "queryCoord.port": ports.queryCoord,
    "queryNode.ip": here,
    "queryNode.port": ports.queryNode,
    "indexNode.ip": here,
    "indexNode.port": ports.indexNode,
    "dataCoord.ip": here,
    "dataCoord.port": ports.dataCoord,
    "dataNode.ip": here,
    "dataNode.port": ports.dataNode,
  };
}

/** What makes servers share a small machine. How segments grow, seal and compact stays as Milvus ships it. */
const lightKeys: Record<string, unknown> = {
  "log.level": "warn",
  "log.file.rootPath": "", // one log: the process's output
  "rootCoord.dmlChannelNum": 4, // each channel ticks five times a second, used or not
  "rocksmq.lrucacheratio": 0.01, // share of the machine's memory
  "queryNode.scheduler.maxReadConcurrentRatio": 1,
  "queryCoord.checkInterval": 200, // a load is noticed sooner
  "queryCoord.distPullInterval": 200,
  "common.gracefulStopTimeout": 3,
  // Dropped data goes within minutes instead of hours, as the buckets are held in memory; not so soon that segments vanish
  // under a backup by surprise.
  "dataCoord.gc.interval": 120,
  "dataCoord.gc.dropTolerance": 600,
};

/** The configuration of the etcd inside a server; without one of its own a second server would find its ports taken. */
export function etcdYaml(name: string, port: number, dataDir: string): string {
  const ports = milvusPorts(port);
  const client = `http://127.0.0.1:${ports.etcdClient}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  return stringify({
    name,
    "data-dir": dataDir,
    "listen-client-urls": client,
    "advertise-client-urls": client,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": `${name}=${peer}`,
    "initial-cluster-state": "new",
    "log-outputs": ["stderr"],
    "log-level": "warn",
    // Loses nothing when the process is killed, only when the machine is, and then this stack is gone anyway.
    "unsafe-no-fsync": true,
  });
}
