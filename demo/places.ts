import { paginateListObjectsV2 } from "@aws-sdk/client-s3";
import type { MilvusClient } from "@zilliz/milvus2-sdk-node";
import { s3Client } from "../local/aws.ts";
import { answered } from "../local/milvus-client.ts";
import { backupPlace, milvusServers } from "../local/stack.ts";
import { names } from "./collection.ts";

/** Where files lie, and how many. */
export interface Place {
  readonly what: string;
  /** `bucket-b/backup/digits/` */
  readonly prefix: string;
  readonly objects: number;
  readonly bytes: number;
}

/** Where the rows of the collections and the backup lie. */
export async function findPlaces(source: MilvusClient, target: MilvusClient): Promise<Place[]> {
  const [serverA, serverB] = milvusServers;
  const s3 = s3Client();
  const count = async (what: string, bucket: string, key: string): Promise<Place> => {
    const place = { what, prefix: `${bucket}/${key}`, objects: 0, bytes: 0 };
    for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: key })) {
      place.objects += Contents.length;
      for (const { Size = 0 } of Contents) place.bytes += Size;
    }
    return place;
  };
  const insertLogs = async (client: MilvusClient, collection: string, rootPath: string): Promise<string> => {
    const { collectionID } = await answered(
      `describing ${collection}`,
      client.describeCollection({ collection_name: collection }),
    );
    return `${rootPath}/insert_log/${collectionID}/`;
  };
  try {
    return await Promise.all([
      count(
        `${names.collection} in Milvus A`,
        serverA?.bucket ?? "",
        await insertLogs(source, names.collection, serverA?.rootPath ?? ""),
      ),
      count("the backup", backupPlace.bucket, `${backupPlace.rootPath}/${names.backup}/`),
      count(
        `${names.restored} in Milvus B`,
        serverB?.bucket ?? "",
        await insertLogs(target, names.restored, serverB?.rootPath ?? ""),
      ),
    ]);
  } finally {
    s3.destroy();
  }
}
