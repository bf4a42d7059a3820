import { randomBytes } from "node:crypto";
import { DeleteObjectsCommand, PutObjectCommand, paginateListObjectsV2, type S3Client } from "@aws-sdk/client-s3";
import pLimit from "p-limit";

/** What a backup is made of that is only ever transferred: its logs hold random bytes. */
export interface MadeBackup {
  readonly name: string;
  /** Logs: a multiple of those of a segment. */
  readonly objects: number;
  /** Logs of each segment, one a field: four unless told otherwise. */
  readonly logsPerSegment?: 1 | 2 | 3 | 4;
  /** Bytes of each. */
  readonly objectSize: number;
}

interface Place {
  readonly bucket: string;
  readonly rootPath: string;
}

const [collectionId, partitionId] = ["470615367219150891", "470615367219150892"];
const firstSegment = 470615367219350906n;
const allFields = [0, 1, 100, 101];

/** Writes a backup as milvus-backup lays it out, without a manifest: one partition. */
export async function makeBackup(client: S3Client, { bucket, rootPath }: Place, backup: MadeBackup): Promise<void> {
  const { name, objects, objectSize, logsPerSegment = allFields.length } = backup;
  const fields = allFields.slice(-logsPerSegment);
  const limit = pLimit(16);
  const segments = Array.from({ length: objects / fields.length }, (_, index) => firstSegment + BigInt(index));
  const path = (segment: bigint, group: string) => `${collectionId}/${partitionId}/${group}${segment}`;
  await Promise.all(
    segments.flatMap((segment) =>
      fields.map((field) =>
        limit(() =>
          client.send(
            new PutObjectCommand({
              Bucket: bucket,
              Key: `${rootPath}/${name}/binlogs/insert_log/${path(segment, `${segment}/`)}/${field}/${segment}`,
              Body: randomBytes(objectSize),
            }),
          ),
        ),
      ),
    ),
  );
  const size = objects * objectSize;
  // IDs are larger than a JavaScript number holds: the text is put together.
  const records = segments.map((segment) => {
    const logs = fields.map(
      (field) =>
        `{"fieldID":${field},"binlogs":[{"log_path":"files/insert_log/${path(segment, "")}/${field}/${segment}","log_size":${objectSize},"log_id":${segment}}]}`,
    );
    return `{"segment_id":${segment},"collection_id":${collectionId},"partition_id":${partitionId},"num_of_rows":1,"binlogs":[${logs}],"deltalogs":[{}],"size":${fields.length * objectSize},"group_id":${segment}}`;
  });
  const schema = `{"name":"made","fields":[{"fieldID":100,"name":"id","is_primary_key":true,"data_type":5},{"fieldID":101,"name":"vector","data_type":101,"type_params":[{"key":"dim","value":"4"}]}]}`;
  const partition = `{"partition_id":${partitionId},"partition_name":"_default","collection_id":${collectionId},"segment_backups":[${records}],"size":${size}}`;
  const collection = `{"collection_id":${collectionId},"collection_name":"made","schema":${schema},"shards_num":1,"partition_backups":[${partition}],"size":${size},"has_index":false}`;
  const meta = `{"id":"made","state_code":2,"name":"${name}","collection_backups":[${collection}],"size":${size},"milvus_version":"v2.3.5"}`;
  await client.send(
    new PutObjectCommand({ Bucket: bucket, Key: `${rootPath}/${name}/meta/full_meta.json`, Body: meta }),
  );
}

/** Removes everything below a prefix; answers how many objects there were. */
export async function removeAll(client: S3Client, bucket: string, prefix: string): Promise<number> {
  let removed = 0;
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
    if (Contents.length === 0) continue;
    removed += Contents.length;
    const Objects = Contents.map(({ Key }) => ({ Key }));
    await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
  }
  return removed;
}
