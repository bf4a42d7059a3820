import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DeleteObjectsCommand, paginateListObjectsV2 } from "@aws-sdk/client-s3";
import { s3Client } from "../local/aws.ts";
import { backupYaml } from "../local/backup-yaml.ts";
import { type MilvusOptions, type MilvusService, milvusService } from "../local/milvus.ts";
import { localDir } from "../local/paths.ts";
import { startService, stopService } from "../local/service.ts";
import { backupPlace } from "../local/stack.ts";
import { logFileOf } from "../local/tool.ts";

/** A Milvus server beside those of the stack, from nothing; its backups go where theirs go. */
export interface ExtraServer {
  /** `host:port` */
  readonly address: string;
  /** Path of its backup.yaml. */
  readonly config: string;
  readonly service: MilvusService;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts a Milvus server.
 * @param options.name of the server, its environment and its folder in the bucket
 * @param options.port the first of ten that are free
 * @param options.storage another way to the emulator's store
 */
export async function startExtraServer(
  options: Omit<MilvusOptions, "rootPath"> & { signal?: AbortSignal | undefined },
): Promise<ExtraServer> {
  const { signal, ...server } = options;
  const service = milvusService({ ...server, rootPath: server.name });
  await removeData(service); // what a run that was interrupted left
  await startService(service, { afresh: true, signal });
  const config = join(localDir, service.name, `${service.name}.yaml`);
  const backups = { backupBucket: backupPlace.bucket, backupRootPath: backupPlace.rootPath };
  const logFile = logFileOf(`milvus-backup-${service.name}`);
  await writeFile(config, backupYaml({ ...service, ...backups, logFile }));
  return {
    address: service.address,
    config,
    service,
    async stop() {
      await stopService(service);
      await removeData(service);
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
