import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DeleteObjectsCommand, paginateListObjectsV2 } from "@aws-sdk/client-s3";
import { s3Client } from "../local/aws.ts";
import { backupYaml } from "../local/backup-yaml.ts";
import { type MilvusService, milvusService } from "../local/milvus.ts";
import { localDir } from "../local/paths.ts";
import { startService, stopService } from "../local/service.ts";
import { backupPlace } from "../local/stack.ts";
import { logFileOf } from "../local/tool.ts";

/** A Milvus server beside those of the stack, from nothing; its backups go where theirs go. */
export interface CompactingServer {
  /** `host:port` */
  readonly address: string;
  /** Path of its backup.yaml. */
  readonly config: string;
  readonly service: MilvusService;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts a Milvus server that removes what compaction replaced within seconds, not hours: what a long backup meets, in a short one.
 * @param options.name of the server, its environment and its folder in bucket-a
 * @param options.port the first of ten that are free
 * @param options.overrides of Milvus's own settings, by their keys
 */
export async function startCompactingServer(options: {
  name: string;
  port: number;
  signal?: AbortSignal;
  overrides?: Readonly<Record<string, string | number | boolean>>;
}): Promise<CompactingServer> {
  const { name, port, signal, overrides } = options;
  const server = milvusService({
    name,
    port,
    bucket: "bucket-a",
    rootPath: name,
    overrides: { "dataCoord.gc.interval": 3, "dataCoord.gc.dropTolerance": 1, ...overrides },
  });
  await removeData(server); // what a run that was interrupted left
  await startService(server, { afresh: true, signal });
  const config = join(localDir, name, `${name}.yaml`);
  const backups = { backupBucket: backupPlace.bucket, backupRootPath: backupPlace.rootPath };
  await writeFile(config, backupYaml({ ...server, ...backups, logFile: logFileOf(`milvus-backup-${name}`) }));
  return {
    address: server.address,
    config,
    service: server,
    async stop() {
      await stopService(server);
      await removeData(server);
    },
  };
}

async function removeData({ bucket, rootPath }: MilvusService): Promise<void> {
  const client = s3Client();
  try {
    for await (const { Contents = [] } of paginateListObjectsV2(
      { client },
      { Bucket: bucket, Prefix: `${rootPath}/` },
    )) {
      const Objects = Contents.map(({ Key }) => ({ Key }));
      if (Objects.length > 0) await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
    }
  } finally {
    client.destroy();
  }
}
