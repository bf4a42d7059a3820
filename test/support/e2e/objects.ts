import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  CopyObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import pLimit from "p-limit";
import { s3Client } from "../../../local/index.ts";

/** The buckets of the local stack, by the plain SDK: what the tests look at does not pass through the code under test. */
const client = s3Client();

const concurrency = 16;

export interface FoundObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
}

/** Every object below a prefix, in key order. */
export async function listObjects(bucket: string, prefix: string): Promise<FoundObject[]> {
  const found: FoundObject[] = [];
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
    for (const { Key = "", Size = 0 } of Contents) found.push({ key: Key, size: Size });
  }
  return found;
}

export async function listKeys(bucket: string, prefix: string): Promise<string[]> {
  return (await listObjects(bucket, prefix)).map(({ key }) => key);
}

export async function getBytes(bucket: string, key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  if (Body === undefined) throw new Error(`${bucket}/${key} has no content`);
  return Buffer.from(await Body.transformToByteArray());
}

export async function getText(bucket: string, key: string): Promise<string> {
  return (await getBytes(bucket, key)).toString("utf8");
}

export async function putObject(bucket: string, key: string, body: Buffer | string): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
}

/** Copies everything below a prefix within a bucket. */
export async function copyPrefix(bucket: string, from: string, to: string): Promise<void> {
  const limit = pLimit(concurrency);
  const keys = await listKeys(bucket, from);
  await Promise.all(
    keys.map((key) =>
      limit(() =>
        client.send(
          new CopyObjectCommand({ Bucket: bucket, CopySource: `${bucket}/${key}`, Key: to + key.slice(from.length) }),
        ),
      ),
    ),
  );
}

export async function deleteKeys(bucket: string, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += 1_000) {
    const Objects = keys.slice(at, at + 1_000).map((Key) => ({ Key }));
    await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
  }
}

export async function deletePrefix(bucket: string, prefix: string): Promise<void> {
  await deleteKeys(bucket, await listKeys(bucket, prefix));
}

/** The backup that milvus-backup 0.5.16 wrote from a Milvus 2.3.5. */
const goldenFolder = fileURLToPath(new URL("../../fixtures/milvus-backup-0.5.16/", import.meta.url));

/** Changes a file of the golden backup on its way up; undefined leaves it out. */
export type Edit = (path: string, content: Buffer) => Buffer | string | undefined;

/** Puts the golden backup under `backup/<name>/`, where the stack's environments keep their backups. */
export async function uploadGolden(name: string, edit: Edit = (_, content) => content): Promise<void> {
  const limit = pLimit(concurrency);
  const files = readdirSync(goldenFolder, { recursive: true, encoding: "utf8" }).filter((path) =>
    statSync(join(goldenFolder, path)).isFile(),
  );
  await deletePrefix("bucket-b", `backup/${name}/`);
  await Promise.all(
    files.map((path) =>
      limit(async () => {
        const content = edit(path, readFileSync(join(goldenFolder, path)));
        if (content !== undefined) await putObject("bucket-b", `backup/${name}/${path}`, content);
      }),
    ),
  );
}
