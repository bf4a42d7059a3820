import type { FileMetadata } from "@google-cloud/storage";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import { ifPresent } from "../streams/if-present.ts";
import type { GcsBucket } from "./bucket.ts";

/** Where a copy notes what it is a copy of. */
export const sourceEtagMetadata = "source-etag";

/** An object's ETag here is its generation: what conditions on a version take. */
export function summaryOf(key: string, { size, generation }: FileMetadata): ObjectSummary {
  return { key, size: Number(size ?? 0), etag: String(generation ?? "") };
}

export async function metadataOf(bucket: GcsBucket, key: string): Promise<FileMetadata | undefined> {
  return ifPresent(() =>
    bucket.request("storage.objects.get", key, async () => {
      const [metadata] = await bucket.client.file(key).getMetadata();
      return metadata;
    }),
  );
}

/** The metadata of an object that is what was listed. @throws ObjectNotFound */
export async function seen(bucket: GcsBucket, { key, etag }: ObjectSummary): Promise<FileMetadata> {
  const metadata = await metadataOf(bucket, key);
  if (metadata !== undefined && String(metadata.generation) === etag) return metadata;
  const what = metadata ? "was replaced since it was listed" : "does not exist";
  throw new PipelineError("ObjectNotFound", `${bucket.labelOf(key)} ${what}`, { details: { key } });
}

/** `<algorithm>:<value>` of the whole content, the MD5 first; a composed object has none. */
export function knownChecksums({ md5Hash, crc32c }: FileMetadata): string[] {
  return [
    ...(md5Hash ? [`md5:${Buffer.from(md5Hash, "base64").toString("hex")}`] : []),
    ...(crc32c ? [`crc32c:${crc32c}`] : []),
  ];
}

/** Bytes of an object as it was seen; all of them where no range is given. */
export async function readObject(
  bucket: GcsBucket,
  { key, etag, size }: ObjectSummary,
  range: { offset: number; size: number } = { offset: 0, size },
): Promise<Uint8Array> {
  if (range.size === 0) return new Uint8Array();
  return bucket.request("storage.objects.get", key, async () => {
    const file = bucket.client.file(key, { generation: etag });
    const end = range.offset + range.size - 1;
    const [body] = await file.download({ start: range.offset, end, validation: false, decompress: false });
    if (body.length === range.size) return body;
    const reason = `${bucket.labelOf(key)}: ${body.length} bytes came instead of ${range.size}`;
    throw new PipelineError("StoreBusy", reason, { details: { key } });
  });
}
